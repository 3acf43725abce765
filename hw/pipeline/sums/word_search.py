"""The search for sums of products with constants that share what they have in common.

Weights become canonical signed digits, so a sum has a term, ``+-2^shift a``, for each. The pair of terms,
but for a shift and a sign, that saves most becomes one term wherever it is found, again and again; the terms
that are left are added two by two, those that end lowest first.

No sum becomes deeper for it than the one with the most terms has to be: terms on the levels l_i fit into D
levels where the sum of 2^l_i is at most 2^D.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np

from dorefa.golden.random.draws import RawDraws

from .words import Term, WordGraph, WordNode, pair

# Evaluations that a pass of the search counts as.
_PASS = 400
# Pairs of terms that are counted together.
_MOST_PAIRS = 1 << 18


@dataclass(frozen=True, eq=False)
class WordSums:
    """Sums as `graph`, and the root of each, None of one without any term."""

    graph: WordGraph
    roots: list[Term | None]

    @property
    def cells(self) -> int:
        """Cells of all additions."""
        return self.graph.cells(self.roots)

    @property
    def level(self) -> int:
        """Of the deepest sum."""
        return max((self.graph.spans[root.number].level for root in self.roots if root), default=0)


def find_word_sums(
    values: np.ndarray, leaf_bits: int, evaluations: int, seed: int, constant_bits: int = 0
) -> WordSums:
    """The sums of weights, int64 (outputs, inputs), of codes of `leaf_bits` bits, with as few cells as a
    search finds: in one pass, and in one more for each 400 `evaluations`, where the draws of `seed` change
    what pairs count. With `constant_bits` each has a constant of its own, as of :class:`.WordGraph`."""
    return _found(values.tobytes(), values.shape, leaf_bits, evaluations // _PASS, seed, constant_bits)


@lru_cache(maxsize=64)
def _found(
    weights: bytes, shape: tuple[int, int], leaf_bits: int, more: int, seed: int, constant_bits: int
) -> WordSums:
    values = np.frombuffer(weights, np.int64).reshape(shape)
    draws = RawDraws(seed)
    best = _Pass(values, leaf_bits, constant_bits, None).run()
    for _ in range(more):
        found = _Pass(values, leaf_bits, constant_bits, draws).run()
        best = min(best, found, key=lambda sums: sums.cells)
    # Of numbers of 63 bits that nothing else would sum to.
    leaves = np.random.default_rng(1).integers(-(1 << 62), 1 << 62, (best.graph.leaves, 2))
    wanted = values @ leaves[: shape[1]]
    if constant_bits:
        wanted += leaves[shape[1] :]
    if (best.graph.values(best.roots, leaves) != wanted).any():
        raise AssertionError("a graph of sums is not its weights")
    return best


def signed_digits(weight: int) -> Iterator[tuple[int, bool]]:
    """(place, whether it counts negative) of a weight's canonical signed digits, the lowest first."""
    negative, rest, place = weight < 0, abs(weight), 0
    while rest:
        if rest & 1:
            digit = 2 - (rest & 3)
            yield place, (digit < 0) != negative
            rest -= digit
        rest, place = rest >> 1, place + 1


class _Pass:
    """One pass of the search. Terms of a sum are a dict from (number, shift) to minus."""

    def __init__(
        self, values: np.ndarray, leaf_bits: int, constant_bits: int, draws: RawDraws | None
    ) -> None:
        outputs, inputs = values.shape
        self._graph = WordGraph(inputs, leaf_bits, outputs if constant_bits else 0, constant_bits)
        self._draws = draws
        self._sums: list[dict[tuple[int, int], bool]] = [
            {
                (leaf, place): minus
                for leaf, weight in enumerate(row)
                for place, minus in signed_digits(weight)
            }
            for row in values.tolist()
        ]
        # What terms take of the levels, and what there is.
        self._taken = [len(terms) + bool(constant_bits) for terms in self._sums]
        self._room = 1 << (max(1, *self._taken) - 1).bit_length()
        self._weights: dict[WordNode, int] = {}

    def run(self) -> WordSums:
        """The sums that it finds."""
        for first, behind in self._blocks():
            self._share(first, behind)
        return WordSums(self._graph, [self._total(output) for output in range(len(self._sums))])

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """Ranges of leaves whose pairs are counted together: all of them, or as many as are not too many."""
        leaves = self._graph.inputs
        pairs = sum(count * (count - 1) // 2 for count in self._taken)
        # Pairs go with the square of the leaves.
        parts = 1
        while pairs > parts * parts * _MOST_PAIRS:
            parts += 1
        size = -(-leaves // parts)
        yield from ((first, min(first + size, leaves)) for first in range(0, leaves, size))

    def _share(self, first: int, behind: int) -> None:
        """Makes pairs of the terms of a range of leaves terms of their own."""
        rests = []
        for output, terms in enumerate(self._sums):
            own = {key: minus for key, minus in terms.items() if first <= key[0] < behind}
            rests.append({key: minus for key, minus in terms.items() if key not in own})
            self._sums[output] = own
        places: dict[WordNode, set[tuple[int, int]]] = {}
        for output, terms in enumerate(self._sums):
            for (a, a_minus), (b, b_minus) in combinations(terms.items(), 2):
                node = pair(Term(*a, a_minus), Term(*b, b_minus))
                places.setdefault(node, set()).add((output, min(a[1], b[1])))
        heap = [entry for node in places if (entry := self._entry(node, places))]
        heapq.heapify(heap)
        while heap:
            entry = heapq.heappop(heap)
            node = entry[1]
            # It may have become less since.
            now = self._entry(node, places)
            if now != entry:
                if now:
                    heapq.heappush(heap, now)
                continue
            for changed in sorted(self._replace(node, places)):
                again = self._entry(changed, places)
                if again:
                    heapq.heappush(heap, again)
        for terms, rest in zip(self._sums, rests, strict=True):
            terms |= rest

    def _entry(self, node: WordNode, places: dict[WordNode, set[tuple[int, int]]]) -> tuple | None:
        """Of the heap: how much a node saves, the most first; None of one that is found only once."""
        saved = len(places[node]) - 1
        return (-saved * self._weight(node), node) if saved > 0 else None

    def _weight(self, node: WordNode) -> int:
        """What an addition counts: its bits, above all those that both operands have."""
        if node not in self._weights:
            larger, smaller = self._graph.adder_bits(node)
            factor = 100 + (self._draws.integer(0, 5) if self._draws else 0)
            self._weights[node] = factor * (larger + 4 * smaller)
        return self._weights[node]

    def _more(self, node: WordNode) -> int:
        """What a node takes of the levels beside its terms."""
        return (1 << self._graph.level(node)) - sum(1 << self._graph.spans[term].level for term in node[:2])

    def _replace(self, node: WordNode, places: dict[WordNode, set[tuple[int, int]]]) -> set[WordNode]:
        """Puts a node in the place of its terms, wherever a sum has the levels, if that is twice. Returns the
        pairs that are new."""
        more, fits = self._more(node), []
        used: set[tuple[int, int, int]] = set()
        taken = dict(enumerate(self._taken))
        for output, shift in sorted(places[node]):
            own = {(output, node.x, shift), (output, node.y, shift + node.shift)}
            if not own & used and taken[output] + more <= self._room:
                used |= own
                taken[output] += more
                fits.append((output, shift))
        touched: set[WordNode] = set()
        if len(fits) < 2:
            return touched
        for output, shift in fits:
            terms = self._sums[output]
            x, y = (node.x, shift), (node.y, shift + node.shift)
            total = self._graph.add(Term(*x, terms[x]), Term(*y, terms[y]))
            for key in (x, y):
                minus = terms.pop(key)
                for other, sign in terms.items():
                    gone = pair(Term(*key, minus), Term(*other, sign))
                    places[gone].discard((output, min(key[1], other[1])))
            for other, sign in terms.items():
                new = pair(total, Term(*other, sign))
                places.setdefault(new, set()).add((output, min(total.shift, other[1])))
                touched.add(new)
            terms[total.number, total.shift] = total.minus
            self._taken[output] = taken[output]
        return touched

    def _total(self, output: int) -> Term | None:
        """The sum of the terms that an output has."""
        terms = [Term(*key, minus) for key, minus in self._sums[output].items()]
        if self._graph.leaves > self._graph.inputs:
            terms.append(Term(self._graph.inputs + output, 0, minus=False))
        while len(terms) > 1:
            a, b = self._lowest(sorted(terms, key=self._end), self._room - self._taken[output])
            self._taken[output] += self._more(pair(a, b))
            terms = [term for term in terms if term not in (a, b)] + [self._graph.add(a, b)]
        return terms[0] if terms else None

    def _end(self, term: Term) -> tuple[int, int, Term]:
        """By what terms are added: the place behind their highest bit, and their level."""
        span = self._graph.spans[term.number]
        return term.shift + span.bits, span.level, term

    def _lowest(self, terms: list[Term], room: int) -> tuple[Term, Term]:
        """The pair of sorted terms that ends lowest, of those whose sum has the levels."""
        level = {term: self._graph.spans[term.number].level for term in terms}
        for behind, b in enumerate(terms[1:], 1):
            fits = [a for a in terms[:behind] if self._more(pair(a, b)) <= room]
            if fits:
                return min(fits, key=lambda a: (max(level[a], level[b]), a)), b
        raise AssertionError("terms of a sum do not fit into its levels")
