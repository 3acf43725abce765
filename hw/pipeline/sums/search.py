"""The search for rows that are cheap together: which four share their classes, and which are summed by what
they leave out.

Hill climbing from the given order, with draws of a seed and a limit of evaluations, so that the same weights
give the same graph on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dorefa.golden.random.draws import RawDraws

from .graph import SumGraph
from .rows import add_rows

_SIZES = (4, 5)  # rows that share their classes, to begin with: larger groups pay where rows are long
_MOST = 6  # rows of a group, whose classes are 2^rows


@dataclass(frozen=True, eq=False)
class RowSums:
    """Rows as sums: `graph`, the root of every row, and of the sum of all leaves where that was asked for.

    flipped: bool (rows,), true where the root is the sum of the leaves that the row does not have;
    groups: rows that share classes, one after another.
    """

    graph: SumGraph
    roots: list[int | None]
    total: int | None
    flipped: np.ndarray
    groups: list[list[int]]

    @property
    def cells(self) -> int:
        """Cells of all sums."""
        return self.graph.cells([*self.roots, self.total])


@dataclass
class RowSearch:
    """Rows, 0/1 int8 (rows, leaves), whose sums are to be cheap.

    leaf_bits, absorbs: as of :class:`SumGraph`. total: whether the sum of all leaves is needed, which then
    is a row of the last group; turns: whether a row may be summed by the leaves that it leaves out.
    """

    rows: np.ndarray
    leaf_bits: int
    absorbs: bool
    total: bool
    turns: bool
    _costs: dict[tuple, int] = field(default_factory=dict)

    def run(self, evaluations: int, seed: int) -> RowSums:
        """The best :class:`RowSums` after so many `evaluations`; with 0 rows as they come, each by what is
        less."""
        groups, flipped = self._first()
        if evaluations and len(self.rows) > 1:
            groups, flipped = self._climb(groups, flipped, evaluations, RawDraws(seed))
        return self.made(groups, flipped)

    def made(self, groups: list[list[int]], flipped: np.ndarray) -> RowSums:
        """The sums of these groups and signs."""
        graph = SumGraph(self.rows.shape[1], self.leaf_bits, absorbs=self.absorbs)
        roots: list[int | None] = [None] * len(self.rows)
        total = None
        for number, group in enumerate(groups):
            last = number == len(groups) - 1
            found = add_rows(graph, self._shared_rows(group, flipped, last))
            if self.total and last:
                *found, total = found
            for row, root in zip(group, found, strict=True):
                roots[row] = root
        made = RowSums(graph, roots, total, flipped, groups)
        self._check(made)
        return made

    def _check(self, made: RowSums) -> None:
        """That the sums are those of the rows, of numbers of 63 bits that nothing else would sum to."""
        leaves = np.random.default_rng(1).integers(-(1 << 62), 1 << 62, (self.rows.shape[1], 2))
        rows = (self.rows ^ made.flipped[:, None]).astype(np.int64)
        if (made.graph.values(made.roots, leaves) != rows @ leaves).any():
            raise AssertionError("a graph of sums is not its rows")

    def _first(self) -> tuple[list[list[int]], np.ndarray]:
        count, leaves = self.rows.shape
        flipped = self.turns & (2 * self.rows.sum(axis=1) > leaves)
        choices = [
            [list(range(start, min(start + size, count))) for start in range(0, count, size)]
            for size in _SIZES
        ]
        return min(choices, key=lambda groups: sum(self._all_costs(groups, flipped))), flipped

    def _all_costs(self, groups: list[list[int]], flipped: np.ndarray) -> list[int]:
        end = len(groups) - 1
        return [self._cost(group, flipped, number == end) for number, group in enumerate(groups)]

    def _shared_rows(self, group: list[int], flipped: np.ndarray, last: bool) -> np.ndarray:
        rows = self.rows[group] ^ flipped[group, None].astype(np.int8)
        if self.total and last:
            rows = np.vstack([rows, np.ones_like(rows[:1])])
        return rows

    def _cost(self, group: list[int], flipped: np.ndarray, last: bool) -> int:
        """Cells of a group."""
        key = (last, *group, *flipped[group].tolist())
        if key not in self._costs:
            graph = SumGraph(self.rows.shape[1], self.leaf_bits, absorbs=self.absorbs)
            self._costs[key] = graph.cells(add_rows(graph, self._shared_rows(group, flipped, last)))
        return self._costs[key]

    def _climb(
        self, groups: list[list[int]], flipped: np.ndarray, evaluations: int, draws: RawDraws
    ) -> tuple[list[list[int]], np.ndarray]:
        """Exchanges rows and turns signs, and keeps what is not worse."""
        end = len(groups) - 1
        costs = self._all_costs(groups, flipped)
        for _ in range(evaluations):
            changed, signs = [list(group) for group in groups], flipped.copy()
            touched = _change(changed, signs, draws, turns=self.turns)
            new = {number: self._cost(changed[number], signs, number == end) for number in touched}
            if sum(new.values()) <= sum(costs[number] for number in touched):
                groups, flipped = changed, signs
                for number, cost in new.items():
                    costs[number] = cost
        return groups, flipped


def _change(groups: list[list[int]], flipped: np.ndarray, draws: RawDraws, *, turns: bool) -> set[int]:
    """Changes groups and, with `turns`, signs in place: two rows change places, or one moves to another
    group. Returns the groups that it touched."""
    a, b = (draws.integer(0, len(groups) - 1) for _ in range(2))
    i, j = (draws.integer(0, len(groups[number]) - 1) for number in (a, b))
    row = groups[a][i]
    if a != b and draws.chance(4) and len(groups[a]) > 1 and len(groups[b]) < _MOST:
        groups[b].insert(j, groups[a].pop(i))
    else:
        groups[a][i], groups[b][j] = groups[b][j], row
    if turns and draws.chance(2):
        flipped[row] = ~flipped[row]
    return {a, b}
