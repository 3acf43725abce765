"""Rows of zeros and ones as sums of a graph: the leaves that a row has.

A few rows share what they have in common: leaves fall into classes by the rows that they are in, a class is
summed once, and each row is put together from its classes by halves of the rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

import numpy as np

from .graph import SumGraph


def add_rows(graph: SumGraph, rows: np.ndarray) -> list[int | None]:
    """Roots that sum the leaves of each row, None for an empty one.

    rows: bool or 0/1 (rows, leaves of the graph), few rows: every pattern of them is a class.
    """
    classes: dict[tuple[int, ...], list[int]] = {}
    for leaf, pattern in enumerate(np.asarray(rows, np.int8).T.tolist()):
        if any(pattern):
            classes.setdefault(tuple(pattern), []).append(leaf)
    kept = {pattern: _reduced(graph, leaves) for pattern, leaves in classes.items()}
    return _halves(graph, kept, len(rows))


def _halves(graph: SumGraph, classes: dict[tuple[int, ...], list[int]], count: int) -> list[int | None]:
    """Roots of `count` rows whose classes are lists of terms."""
    if count == 1:
        return [_total(graph, classes.get((1,), []))]
    half = count // 2
    roots: list[int | None] = []
    for part in (slice(0, half), slice(half, count)):
        merged: dict[tuple[int, ...], list[int]] = {}
        for pattern, terms in classes.items():
            if any(pattern[part]):
                merged.setdefault(pattern[part], []).extend(terms)
        size = part.stop - part.start
        if size > 1:
            merged = {pattern: _reduced(graph, terms) for pattern, terms in merged.items()}
        roots += _halves(graph, merged, size)
    return roots


def _reduced(graph: SumGraph, terms: Sequence[int]) -> list[int]:
    """Terms of the same sum: one, and leaves that their users absorb more cheaply than a node of theirs."""
    if graph.absorbs and all(map(graph.is_leaf, terms)):
        if graph.leaf_bits == 2:
            return list(terms) if len(terms) <= 2 else [_sum_pairs(graph, terms)]
        return _class_of_bits(graph, list(terms))
    total = _total(graph, terms)
    return [] if total is None else [total]


def _class_of_bits(graph: SumGraph, leaves: list[int]) -> list[int]:
    """One-bit leaves: a node over four, or five and three times as many as fit, the others loose."""
    if len(leaves) < 4:
        return leaves
    if len(leaves) == 4:
        return [graph.add((leaves[0], leaves[1]), (leaves[2], leaves[3]))]
    number, rest = graph.add((leaves[0], leaves[1]), (leaves[2], leaves[3]), leaves[4]), leaves[5:]
    while len(rest) >= 3:
        number, rest = graph.add(number, (rest[0], rest[1]), rest[2]), rest[3:]
    return [number, *rest]


def _total(graph: SumGraph, terms: Sequence[int]) -> int | None:
    """The sum of leaves and nodes as one of them."""
    if not terms:
        return None
    if len(terms) == 1:
        return terms[0]
    if not graph.absorbs:
        return _merge(graph, terms)
    return _sum_pairs(graph, terms) if graph.leaf_bits == 2 else _sum_bits(graph, terms)


def _merge(graph: SumGraph, terms: Iterable[int]) -> int:
    """The two smallest first, again and again."""
    smallest = _Smallest(graph, terms)
    while len(smallest) > 1:
        smallest.push(graph.add(smallest.pop(), smallest.pop()))
    return smallest.pop()


def _sum_pairs(graph: SumGraph, terms: Sequence[int]) -> int:
    """Two-bit leaves: some sums of three leaves to begin with, however many are cheapest, pairs of the rest
    each with the smallest sum so far."""
    leaves = [term for term in terms if graph.is_leaf(term)]
    nodes = [term for term in terms if not graph.is_leaf(term)]
    if not nodes and len(leaves) == 2:
        return graph.add(leaves[0], leaves[1])
    most = max(1, len(leaves) // 3)
    starts = [count for count in range(0 if nodes else 1, most + 1) if 3 * count <= len(leaves)]
    bounds = [graph.bounds[node] for node in nodes]
    best = min(starts, key=lambda count: _cost(bounds, graph.bounds[0], len(leaves), count))
    smallest = _Smallest(graph, nodes)
    for _ in range(best):
        smallest.push(graph.add(leaves.pop(), (leaves.pop(), leaves.pop())))
    while leaves:
        paired = len(leaves) > 1
        own = smallest.pop()
        smallest.push(graph.add(own, (leaves.pop(), leaves.pop()) if paired else leaves.pop()))
    while len(smallest) > 1:
        smallest.push(graph.add(smallest.pop(), smallest.pop()))
    return smallest.pop()


def _cost(nodes: list[int], leaf: int, leaves: int, starts: int) -> int:
    """Bits of the results that :func:`_sum_pairs` makes of nodes with these bounds and so many leaves."""
    heap, bits = [*nodes, *[3 * leaf] * starts], starts * (3 * leaf).bit_length()
    heapq.heapify(heap)
    rest = leaves - 3 * starts
    while rest or len(heap) > 1:
        if rest:
            taken = min(rest, 2)
            rest -= taken
            total = heapq.heappop(heap) + taken * leaf
        else:
            total = heapq.heappop(heap) + heapq.heappop(heap)
        bits += total.bit_length()
        heapq.heappush(heap, total)
    return bits


def _sum_bits(graph: SumGraph, terms: Sequence[int]) -> int:
    """One-bit leaves: every sum of two nodes takes one as its carry-in; those that are left over go in threes
    to the smallest sum, or are sums of five."""
    leaves = [term for term in terms if graph.is_leaf(term)]
    smallest = _Smallest(graph, (term for term in terms if not graph.is_leaf(term)))

    def pair() -> tuple[int, int]:
        return leaves.pop(), leaves.pop()

    if not len(smallest):
        if len(leaves) <= 3:
            return graph.add(pair() if len(leaves) == 3 else leaves.pop(), leaves.pop())
        smallest.push(graph.add(pair(), pair(), leaves.pop() if leaves else None))
    while (excess := len(leaves) - (len(smallest) - 1)) > 0:
        if len(leaves) >= 8 and excess >= 6:
            smallest.push(graph.add(pair(), pair(), leaves.pop()))
        elif excess >= 3:
            smallest.push(graph.add(smallest.pop(), pair(), leaves.pop()))
        else:
            smallest.push(graph.add(smallest.pop(), pair() if excess == 2 else leaves.pop()))
    while len(smallest) > 1:
        smallest.push(graph.add(smallest.pop(), smallest.pop(), leaves.pop() if leaves else None))
    return smallest.pop()


class _Smallest:
    """Nodes and leaves, of which the one with the least bound is taken first."""

    def __init__(self, graph: SumGraph, terms: Iterable[int]) -> None:
        self._graph, self._heap = graph, [(graph.bounds[term], term) for term in terms]
        heapq.heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)

    def pop(self) -> int:
        """Takes one."""
        return heapq.heappop(self._heap)[1]

    def push(self, number: int) -> None:
        """Adds one."""
        heapq.heappush(self._heap, (self._graph.bounds[number], number))
