"""When tiles that wait for streamed residual trunks may end, predicted without simulating."""

from __future__ import annotations

from dorefa.golden.lowering.integer_network import IntegerLayer

from ..config.engine import EngineConfig
from ..engine.output.residual import Residual

COUNTED = 2  # cycles from a beat to the first step that knows of it, or from a tile's end to the next
QUEUE = 2  # from a group's write to its beat


class TrunkCycles:
    """The queues of :class:`.trunk_streams.TrunkStreams` through a program, with ports that never wait and a
    memory that sends a packet from the cycle on in which it has taken its last beat. Cycles count as
    those of the program do."""

    def __init__(self, config: EngineConfig) -> None:
        self._depth = config.trunk_depth
        self._arrived: list[int] = []  # of every group that was added so far
        self._taken: list[int] = []
        self._left: list[int] = []  # of every group that was kept so far
        self._sent: dict[int | None, int] = {}  # of every pass that kept its trunk, the last beat

    def begin(self, number: int, layer: IntegerLayer, source: int | None) -> None:
        """Pass `number` of the program begins, a part of `layer`; it adds the trunk of pass `source`."""
        self._number, self._layer = number, layer
        self._available = self._sent[source] + 1 if layer.add is not None else 0
        self._previous = -COUNTED  # no tile has ended, and no cycle is before 0

    def earliest_end(self, groups: int) -> int:
        """The first cycle in which the next tile, of so many groups, may end."""
        earliest = self._previous + COUNTED
        if self._layer.add is not None:
            for _ in range(groups):
                self._arrive()
            earliest = max(earliest, self._arrived[-1] + COUNTED)
        places = len(self._left) + groups - self._depth
        if self._layer.trunk and places > 0:
            earliest = max(earliest, self._left[places - 1] + COUNTED)
        return earliest

    def _arrive(self) -> None:
        number = len(self._arrived)
        cycle = max(self._available, self._arrived[-1] + 1 if self._arrived else 0)
        before = number - (self._depth - 1)
        if before >= 0:
            # The memory of the queue has one place less; it is free when its group is on the way out.
            moved = max(self._arrived[before] + 1, self._taken[before - 1] if before else 0)
            cycle = max(cycle, moved + 1)
        self._arrived.append(cycle)

    def ends(self, cycle: int, first_group: int, groups: int) -> None:
        """The tile ended in `cycle`; its groups leave the drain from `first_group` on, one a cycle."""
        self._previous = cycle
        for group in range(first_group, first_group + groups):
            if self._layer.add is not None:
                self._taken.append(group)
            if self._layer.trunk:
                following = self._left[-1] + 1 if self._left else 0
                self._left.append(max(group + Residual.latency + QUEUE, following))
        if self._layer.trunk:
            self._sent[self._number] = self._left[-1]
