"""A graph of additions of whole words: sums and differences of inputs times powers of two.

    word = x + (y << shift),   with `minus`   word = x + ((2^n - y) << shift),   n the bits of y

Words are unsigned, so none is extended by its sign: what counts negative comes complemented, with one as the
carry-in, and what the constants add up to is known. The lowest `shift` bits are x's own, so an addition costs
the bits above them; where x has none there, both words only stand side by side, y complemented without the
carry-in. A sum may have a constant, which is known when its words are: such words are modulo the constant's
range.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Term(NamedTuple):
    """A leaf or node of a graph by number, times 2^shift, and -1 with `minus`."""

    number: int
    shift: int
    minus: bool


class WordNode(NamedTuple):
    """``x + (y << shift)``, y counted negative with `minus`."""

    x: int
    y: int
    shift: int
    minus: bool


@dataclass(frozen=True)
class WordSpan:
    """What a word is: a sum of inputs and `offset`, from 0 to `high`, `modular` where greater ones are cut
    off; its last addition is on `level`, 0 of inputs."""

    high: int
    offset: int
    level: int
    modular: bool = False

    @property
    def bits(self) -> int:
        """Of the word."""
        return self.high.bit_length()


def pair(a: Term, b: Term) -> WordNode:
    """The node whose word, shifted as the lower one and of its sign, is the sum of both."""
    if (b.shift, b.number) < (a.shift, a.number):
        a, b = b, a
    return WordNode(a.number, b.number, b.shift - a.shift, a.minus != b.minus)


class WordGraph:
    """Nodes over the leaves ``0..leaves - 1``: `inputs` codes of `leaf_bits` bits, then `constants` of
    `constant_bits` bits, each for a sum of its own; nodes are numbered after them. Equal nodes are one."""

    def __init__(self, inputs: int, leaf_bits: int, constants: int = 0, constant_bits: int = 0) -> None:
        self.inputs, self.leaves = inputs, inputs + constants
        self.nodes: list[WordNode] = []
        self._most = (1 << constant_bits) - 1
        # Of each leaf and node.
        self.spans = [WordSpan((1 << leaf_bits) - 1, 0, 0)] * inputs
        self.spans += [WordSpan(self._most, 0, 0, modular=True)] * constants
        self._known: dict[WordNode, int] = {}

    def add(self, a: Term, b: Term) -> Term:
        """The sum of both."""
        node, lower = pair(a, b), min(a, b, key=lambda term: (term.shift, term.number))
        number = self._known.get(node)
        if number is None:
            number = self._known[node] = len(self.spans)
            self.nodes.append(node)
            self.spans.append(self._span(node))
        return Term(number, lower.shift, lower.minus)

    def _span(self, node: WordNode) -> WordSpan:
        x, y, joins = self.spans[node.x], self.spans[node.y], self.joins(node)
        top = (1 << y.bits) - joins
        high, offset = (top, top - y.offset) if node.minus else (y.high, y.offset)
        high, offset = x.high + (high << node.shift), x.offset + (offset << node.shift)
        # A constant is of the lowest place, so what has one is not shifted.
        if modular := x.modular or y.modular:
            high = min(high, self._most)
        return WordSpan(high, offset, self.level(node), modular)

    def node(self, number: int) -> WordNode:
        """The node of this number."""
        return self.nodes[number - self.leaves]

    def joins(self, node: WordNode) -> bool:
        """Whether its words stand side by side."""
        return self.spans[node.x].bits <= node.shift

    def level(self, node: WordNode) -> int:
        """One more than its terms' highest, where they are added."""
        return max(self.spans[node.x].level, self.spans[node.y].level) + (not self.joins(node))

    def adder_bits(self, node: WordNode) -> tuple[int, int]:
        """Bits that its operands have above the lowest ones of x: the larger and the smaller number."""
        x, y = self.spans[node.x], self.spans[node.y]
        most = self._most.bit_length() - node.shift if x.modular or y.modular else x.bits + y.bits
        own = min(max(0, x.bits - node.shift), most), min(y.bits, most)
        return max(own), min(own)

    def reads_carry(self, number: int) -> bool:
        """Whether the carry out of a node is a bit of it."""
        node = self.node(number)
        return self.spans[number].bits > self.adder_bits(node)[0] + node.shift

    def live(self, roots: Iterable[Term | None]) -> list[int]:
        """The nodes that the roots need, operands first."""
        found: set[int] = set()
        waiting = [root.number for root in roots if root is not None]
        while waiting:
            number = waiting.pop()
            if number >= self.leaves and number not in found:
                found.add(number)
                waiting += self.node(number)[:2]
        return sorted(found)

    def cells(self, roots: Iterable[Term | None]) -> int:
        """Cells of the nodes that the roots need: a chain reads one node's carry where it hands in the next
        one's."""
        slots = reads = injects = 0
        for number in self.live(roots):
            node = self.node(number)
            if self.joins(node):
                continue
            slots += self.adder_bits(node)[0]
            reads += self.reads_carry(number)
            injects += node.minus
        return slots + max(reads, injects)

    def values(self, roots: Sequence[Term | None], leaves: np.ndarray) -> np.ndarray:
        """What the roots are, of values of the leaves: int64 (roots, n) of int64 (leaves, n), modulo 2^64."""

        def times(word: np.ndarray, shift: int, minus: bool) -> np.ndarray:
            return (-word if minus else word) << shift

        words = list(leaves)
        for node in self.nodes:
            words.append(words[node.x] + times(words[node.y], node.shift, node.minus))
        none = np.zeros_like(leaves[0])
        found = [
            none if root is None else times(words[root.number], root.shift, root.minus) for root in roots
        ]
        return np.array(found).reshape(-1, leaves.shape[1])
