"""Where a pass stands while its cycles are predicted patch by patch, and how many patches may be left out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class PassFront:
    """Cycles, from one origin: `read_end` of the last patch read, `issued` of the last tile's end, `released`
    of the ends of those patches that the patch buffer's slots hold, `drain_free` when a tile may end, and,
    where results leave one by one, `drained` of the last group and `results_free` when they take the next."""

    read_end: int
    issued: int
    released: list[int]
    drain_free: int = 0
    drained: int = -1
    results_free: int = -1
    _seen: dict[tuple[int, ...], tuple[int, int]] = field(default_factory=dict)

    def repeated(self, patch: int, patches: int) -> int:
        """Called behind every patch, where all are alike: how many of those before the last of `patches` are
        left out, because they go on as others did. All cycles are moved on by what these take."""
        times = [self.read_end, self.drain_free, *self.released]
        if self.drained >= 0:
            times += [self.drained, self.results_free]
        state = tuple(time - self.issued for time in times)
        first, issued = self._seen.setdefault(state, (patch, self.issued))
        period = patch - first
        if not period:
            return 0
        rounds = (patches - 1 - patch) // period
        self._move(rounds * (self.issued - issued))
        return rounds * period

    def _move(self, cycles: int) -> None:
        self.read_end += cycles
        self.issued += cycles
        self.drain_free += cycles
        self.released = [time + cycles for time in self.released]
        if self.drained >= 0:
            self.drained += cycles
            self.results_free += cycles
