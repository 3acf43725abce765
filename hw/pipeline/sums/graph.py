"""A graph of additions over unsigned leaves, and what it costs in cells of a carry chain.

Leaves are digits of activation codes, of one or two bits. In a chain whose cells have a table in front of
the carry (ECP5), a node adds a pair of leaves beside its other operand for nothing: two one-bit leaves as
their half adder ``(a ^ b, a & b)``, two two-bit leaves as ``(b0, a1 ^ b1, a1 & b1)`` with ``a0`` as the
carry-in. A lone one-bit leaf rides as a carry-in. So a node costs the bits of its operands, and a graph the
bits of its nodes and a slot for each carry that is read or handed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dorefa.golden.errors import InputError

# A leaf or a node by number, or a pair of leaves that a node absorbs.
Operand = int | tuple[int, int]


@dataclass(frozen=True)
class Node:
    """``x + y + carry``; `carry` is a one-bit leaf or None. A pair of two-bit leaves is `y`, and takes the
    carry-in itself."""

    x: Operand
    y: Operand
    carry: int | None = None

    def terms(self) -> Iterator[int]:
        """Leaves and nodes that are added."""
        for operand in (self.x, self.y):
            yield from operand if isinstance(operand, tuple) else (operand,)
        if self.carry is not None:
            yield self.carry


class SumGraph:
    """Nodes over the leaves ``0..leaves - 1``, digits of `leaf_bits` bits; nodes are numbered after them.

    `absorbs` says whether nodes may have pairs and carry-ins (leaves of one or two bits). Equal nodes are
    one.
    """

    def __init__(self, leaves: int, leaf_bits: int, *, absorbs: bool) -> None:
        if absorbs and leaf_bits not in (1, 2):
            raise InputError(f"leaf_bits is {leaf_bits}; accepted where pairs are absorbed: 1, 2")
        self.leaves, self.leaf_bits, self.absorbs = leaves, leaf_bits, absorbs
        self.nodes: list[Node] = []
        # The largest value of each leaf and node.
        self.bounds = [(1 << leaf_bits) - 1] * leaves
        self._known: dict[Node, int] = {}

    def add(self, x: Operand, y: Operand, carry: int | None = None) -> int:
        """The number of the node ``x + y + carry``."""
        node = Node(x, y, carry)
        number = self._known.get(node)
        if number is None:
            number = self._known[node] = len(self.bounds)
            self.nodes.append(node)
            self.bounds.append(sum(self.bounds[term] for term in node.terms()))
        return number

    def is_leaf(self, term: int) -> bool:
        """Whether a number is a leaf's."""
        return term < self.leaves

    def width(self, term: int) -> int:
        """Bits of a leaf or node."""
        return self.bounds[term].bit_length()

    def node(self, number: int) -> Node:
        """The node of this number."""
        return self.nodes[number - self.leaves]

    def operand_bits(self, operand: Operand) -> int:
        """Slots that an operand takes."""
        return self.leaf_bits + 1 if isinstance(operand, tuple) else self.width(operand)

    def adder_bits(self, number: int) -> int:
        """Slots in which a node adds."""
        node = self.node(number)
        return max(self.operand_bits(node.x), self.operand_bits(node.y))

    def takes_carry(self, number: int) -> bool:
        """Whether a bit is handed to a node as its carry-in."""
        node = self.node(number)
        return node.carry is not None or (self.leaf_bits == 2 and isinstance(node.y, tuple))

    def reads_carry(self, number: int) -> bool:
        """Whether the carry out of a node is a bit of it."""
        return self.width(number) > self.adder_bits(number)

    def live(self, roots: Iterable[int | None]) -> list[int]:
        """The nodes that the roots need, operands first."""
        found: set[int] = set()
        waiting = [root for root in roots if root is not None]
        while waiting:
            term = waiting.pop()
            if not self.is_leaf(term) and term not in found:
                found.add(term)
                waiting += self.node(term).terms()
        return sorted(found)

    def cells(self, roots: Iterable[int | None]) -> int:
        """Cells of the nodes that the roots need: a chain reads one node's carry where it hands in the
        next one's."""
        slots = reads = injects = 0
        for number in self.live(roots):
            slots += self.adder_bits(number)
            reads += self.reads_carry(number)
            injects += self.takes_carry(number)
        return slots + max(reads, injects)

    def levels(self, roots: Iterable[int | None]) -> dict[int, int]:
        """The level of each node that the roots need: one more than its highest operand's, 0 of leaves."""
        found: dict[int, int] = {}
        for number in self.live(roots):
            found[number] = 1 + max(found.get(term, 0) for term in self.node(number).terms())
        return found

    def values(self, roots: Iterable[int | None], leaves: np.ndarray) -> np.ndarray:
        """What the roots are, of values of the leaves: int64 (roots, n) of int64 (leaves, n), modulo 2^64."""
        roots, known = list(roots), dict(enumerate(leaves))
        for number in self.live(roots):
            known[number] = np.sum([known[term] for term in self.node(number).terms()], axis=0)
        none = np.zeros_like(leaves[0])
        return np.array([none if root is None else known[root] for root in roots]).reshape(
            -1, leaves.shape[1]
        )
