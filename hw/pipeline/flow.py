# amaranth: UnusedElaboratable=no
"""The streams between the stages of a network: forks, and trunks that are added."""

from __future__ import annotations

from collections.abc import Sequence

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer

from .rom.stage import RomStage
from .slots.stream import Stream
from .stage import LayerStage
from .trunk.adder import TrunkAdder
from .trunk.rounding import trunk_bits

Stage = LayerStage | RomStage


class Flow:
    """What enters and leaves stages, one after another (:meth:`append`), of the slots of a source.

    codes: by the position of a layer, -1 the source, the slots of its codes or sums; trunks: by position,
    those of its trunk; adders: by position, what adds another layer's trunk to its own.
    """

    def __init__(self, source: Stream) -> None:
        self.codes: dict[int, Stream] = {-1: source}
        self.trunks: dict[int, Stream] = {}
        self.adders: dict[int, TrunkAdder] = {}
        self._layers: list[IntegerLayer] = []

    def entering(self, layer: IntegerLayer) -> Stream:
        """The slots that a layer reads."""
        return self.codes[layer.source]

    def append(self, stage: Stage) -> None:
        """The next layer's stage. Raises :class:`InputError` for a trunk that cannot be added."""
        layer, place, entering = stage.layer, len(self._layers), self.entering(stage.layer)
        self._layers.append(layer)
        if isinstance(stage, RomStage) or stage.rounding is None:
            self.codes[place] = stage.passed(entering)
            return
        trunk = stage.summed(entering)
        if layer.add is not None:
            adder = TrunkAdder(
                layer.out_channels,
                stage.rounding.bits,
                trunk_bits(self._layers[layer.add]),
                trunk_bits(layer),
                trunk,
                self.trunks[layer.add],
            )
            if adder.problem is not None:
                raise InputError(f"layer {layer.name}: {adder.problem}")
            self.adders[place], trunk = adder, adder.passed
        self.trunks[place] = trunk
        if layer.code_bits is not None:
            self.codes[place] = stage.behind(trunk)

    def flush(self, first: int, behind: int) -> int:
        """Blank slots that an origin in front of layer `first` owes the stages before layer `behind`: they
        push out what leaves the last one, and all sums of trunks, or pixels would stay in memories."""
        ends = [self.codes[behind - 1]]
        ends += [adder.passed for place, adder in self.adders.items() if first <= place < behind]
        return max(stream.flush for stream in ends)


def passes_all(layers: Sequence[IntegerLayer], place: int) -> bool:
    """Whether all that later layers read has passed a layer: what comes from there has one origin."""
    return all(
        later.source >= place and (later.add is None or later.add >= place) for later in layers[place + 1 :]
    )
