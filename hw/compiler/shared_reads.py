"""Which columns are read together, and how many cycles that takes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .column_slices import ColumnSlices


@dataclass(frozen=True, kw_only=True)
class SharedReads:
    """Shared reads of `pixels` convolution pixels on lines of `width`, a set of columns at a time.

    Columns of a set that stand on one line are read together (a segment), unless `slices` have a spacing of
    0. Each of the source's `plane_groups` is read by itself.
    """

    slices: ColumnSlices
    width: int
    pixels: int
    plane_groups: int

    def _segments(self, number: int) -> Iterator[tuple[int, int]]:
        """The columns of set `number` that are read together: (first, behind the last) of each segment."""
        first_pixel = number * self.slices.cols
        columns = min(self.slices.cols, self.pixels - first_pixel)
        begin = 0
        while begin < columns:
            most = self.width - (first_pixel + begin) % self.width if self.slices.spacing else 1
            behind = min(columns, begin + most)
            yield begin, behind
            begin = behind

    def set_steps(self, number: int) -> tuple[int, int]:
        """Cycles to copy the patches of set `number` for one channel group, and how many more the first time
        in a slot."""
        segments = [self.slices.steps(*segment) for segment in self._segments(number)]
        copied, cleared = (sum(kind) for kind in zip(*segments, strict=True))
        return self.plane_groups * copied, self.plane_groups * cleared

    @cached_property
    def steps(self) -> int:
        """Cycles of all sets for one channel group, those of slots used the first time left out."""
        # Where sets begin on a line repeats.
        cols = self.slices.cols
        period = self.width // math.gcd(self.width, cols)
        full, rest = divmod(self.pixels, cols)
        numbers = [(number, full // period + (number < full % period)) for number in range(min(period, full))]
        if rest:
            numbers.append((full, 1))
        return sum(times * self.set_steps(number)[0] for number, times in numbers)
