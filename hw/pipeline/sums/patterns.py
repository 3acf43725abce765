"""Sums of the same inputs with many patterns of signs, each of the sums of its two halves.

Halves are shared by all patterns, and a sum by a pattern and its negative. Nothing is subtracted: a word of
n bits that has to count negative comes complemented, 2^n - 1 less itself, so every word is unsigned and no
bit wider than its sum; what the constants add up to is known (:class:`Span`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Span:
    """What an unsigned word of `bits` bits is: a sum of inputs with signs and `offset`, from `low` to `high`,
    and `idle` where all inputs lie outside of the map."""

    bits: int
    low: int
    high: int
    offset: int
    idle: int

    def complement(self) -> Span:
        """The word with all bits inverted: the negative sum."""
        top = (1 << self.bits) - 1
        return Span(self.bits, top - self.high, top - self.low, top - self.offset, top - self.idle)

    def plus(self, other: Span) -> Span:
        """The sum of both words."""
        low, high = self.low + other.low, self.high + other.high
        bits = max(self.bits, other.bits, high.bit_length())
        return Span(bits, low, high, self.offset + other.offset, self.idle + other.idle)


@dataclass(frozen=True)
class Signed:
    """A leaf or node of :class:`PatternSums` by number, complemented with `minus`."""

    number: int
    minus: bool


@dataclass(frozen=True)
class PatternNode:
    """``x + y``, y complemented with `minus`."""

    x: int
    y: int
    minus: bool


class PatternSums:
    """Nodes over the leaves ``0..leaves - 1``, unsigned codes of `leaf_bits` bits that are `outside` where
    their pixel lies outside of the map; nodes are numbered after them. Equal nodes are one."""

    def __init__(self, leaves: int, leaf_bits: int, outside: int = 0) -> None:
        self.leaves = leaves
        self.nodes: list[PatternNode] = []
        # Of each leaf and node.
        self.spans = [Span(leaf_bits, 0, (1 << leaf_bits) - 1, 0, outside)] * leaves
        self.levels = [0] * leaves
        self._known: dict[PatternNode, int] = {}

    def add(self, pattern: Sequence[int]) -> Signed | None:
        """The sum of the leaves times -1, 0 or 1 each; None where all are 0."""
        return self._add(0, tuple(pattern))

    def span(self, term: Signed) -> Span:
        """Of a leaf or node, as it is added."""
        span = self.spans[term.number]
        return span.complement() if term.minus else span

    @property
    def cells(self) -> int:
        """Bits of all nodes: what they take in a carry chain."""
        return sum(span.bits for span in self.spans[self.leaves :])

    def _add(self, first: int, pattern: tuple[int, ...]) -> Signed | None:
        """Of the leaves from `first` on."""
        if len(pattern) == 1:
            return Signed(first, pattern[0] < 0) if pattern[0] else None
        half = len(pattern) // 2
        x, y = self._add(first, pattern[:half]), self._add(first + half, pattern[half:])
        if x is None or y is None:
            return x or y
        return Signed(self._node(PatternNode(x.number, y.number, x.minus != y.minus)), x.minus)

    def _node(self, node: PatternNode) -> int:
        number = self._known.get(node)
        if number is None:
            number = self._known[node] = len(self.spans)
            self.nodes.append(node)
            self.spans.append(self.spans[node.x].plus(self.span(Signed(node.y, node.minus))))
            self.levels.append(1 + max(self.levels[node.x], self.levels[node.y]))
        return number

    def values(self, leaves: np.ndarray) -> np.ndarray:
        """The words of all leaves and nodes, int64 (leaves + nodes, n), of int64 (leaves, n)."""
        words = list(leaves)
        for node in self.nodes:
            y = (1 << self.spans[node.y].bits) - 1 - words[node.y] if node.minus else words[node.y]
            words.append(words[node.x] + y)
        return np.array(words)
