"""What columns that are read together take of each run of the feature map: the arithmetic of shared reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class ColumnSlices:
    """Every run goes from column 0's first bit to the last column's last one, in steps of `fetch_bits`;
    column p takes `run_bits` bits from bit ``p * spacing`` on. `runs` of them make a part of a patch, dense
    from its first bit on, in words of `lanes` bits (a multiple of `fetch_bits`).

    A `spacing` of 0 is that of columns that are read one after another.
    """

    run_bits: int
    spacing: int
    runs: int
    cols: int
    lanes: int
    fetch_bits: int

    def first(self, column: int) -> int:
        """The run's bit with which the column's slice begins."""
        return column * self.spacing

    def last(self, column: int) -> int:
        """The run's bit with which the column's slice ends."""
        return self.first(column) + self.run_bits - 1

    @cached_property
    def tail(self) -> int:
        """Bits of a part's last piece, 0 where it is a whole one."""
        return self.runs * self.run_bits % self.fetch_bits

    @cached_property
    def clear_from(self) -> int:
        """The first piece of a part's last word behind the part, 0 where there is none."""
        piece = (self.runs * self.run_bits - 1) % self.lanes // self.fetch_bits + 1
        return piece % (self.lanes // self.fetch_bits)

    @cached_property
    def flush(self) -> list[bool]:
        """Per column, with which the run ends: whether the part's last step leaves bits of a piece behind
        the one that it fills, which take a step of their own. Others that end in that step have fewer bits in
        it."""
        return [self._straddles(column) for column in range(self.cols)]

    def _straddles(self, column: int) -> bool:
        """Whether the column's last step of a part goes beyond a piece that it fills."""
        (step, place), (last_step, last_place) = (
            divmod(bit, self.fetch_bits) for bit in (self.first(column), self.last(column))
        )
        turn = (self.runs - 1) * self.run_bits % self.fetch_bits - place
        if step != last_step:
            turn %= self.fetch_bits
        return turn + last_place >= self.fetch_bits

    def steps(self, first: int, behind: int) -> tuple[int, int]:
        """Cycles to copy a part for the columns from `first` to the one before `behind`, and how many more
        the first time in a slot."""
        begin, end = (bit // self.fetch_bits for bit in (self.first(first), self.last(behind - 1)))
        return self.runs * (end - begin + 1) + self.flush[behind - 1], self.clear_from > 0
