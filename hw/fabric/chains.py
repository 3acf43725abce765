"""Carry chains: the tree's levels as slots that a fabric turns into cells.

A slot adds two bits and the carry, ``s = x ^ y ^ carry``, and hands the carry on; or it injects a
bit as the next slot's carry and shows the carry it received. Nodes of one level follow each other
in one chain: the slot that injects a node's product reads out the count before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import Module, Signal

from .tree import ZERO, Operand, count_tree


@dataclass(frozen=True)
class Slot:
    """One bit position: `x` + `y`, or with `inject` the next slot's carry `x`; `out` is the sum,
    with `inject` the carry before (None where nothing is to be read)."""

    x: Operand
    y: Operand
    out: Signal | None
    inject: bool = False


@dataclass(frozen=True)
class Chains:
    """How one family makes carry chains.

    `emit(m, slots, name)` adds the cells of a chain. `inverts(x, y)` says whether a slot can add
    these operands only as complements; the node's result is then complemented. Chains end after at
    most `slots` slots, `fast_slots` where every level has a register: timing analysis follows carries
    from node to node that never ripple. `absorbs` is how many pins an operand may have that is added
    to 0; it must be 0 where its first two are.
    """

    emit: Callable[[Module, list[Slot], str], None]
    slots: int
    fast_slots: int
    absorbs: int
    inverts: Callable[[Operand, Operand], bool] = lambda x, y: False

    def add(
        self,
        m: Module,
        x: list[Operand],
        y: list[Operand],
        carry: Operand,
        total: list[Signal],
        name: str,
    ) -> None:
        """``total = x + y + carry``, lists of operands and signals by weight, of one length."""
        slots = [Slot(carry, ZERO, None, inject=True)]
        slots += [Slot(*bits) for bits in zip(x, y, total, strict=True)]
        self.emit(m, slots, name)

    def count(self, m: Module, lanes: list[Operand], every: int, first_level: int = 1) -> list[Operand]:
        """:func:`..fabric.tree.count_tree` in chains."""
        slots = self.fast_slots if every == 1 else self.slots

        def add_level(m, level, terms):
            return self._add_level(m, level, terms, slots)

        return count_tree(m, lanes, every=every, add_level=add_level, first_level=first_level)

    def _add_level(self, m, level, terms, most):
        groups, used = [[]], 1
        for term in terms:
            needed = 1 + len(term[0])
            if groups[-1] and used + needed > most:
                groups.append([])
                used = 1
            groups[-1].append(term)
            used += needed
        results = []
        for number, group in enumerate(groups):
            slots, sums = self._slots(group, level)
            self.emit(m, slots, f"chain_{level}_{number}")
            results += sums
        return results

    def _slots(self, terms, level):
        """Slots of one chain, and the results of its nodes."""
        slots, results, carry = [], [], None
        for left, right, product in terms:
            right = right + [ZERO] * (len(left) - len(right))
            inverted = any(map(self.inverts, left, right))
            if inverted:
                # A full adder of complements makes the complements of its sum and carry.
                left, right, product = [~bit for bit in left], [~bit for bit in right], ~product
            slots.append(Slot(product, ZERO, carry, inject=True))
            carry = Signal(name=f"carry_{level}")
            sums = [Signal(name=f"sum_{level}") for _ in left]
            slots += [Slot(x, y, out) for x, y, out in zip(left, right, sums, strict=True)]
            results.append([Operand.bit(bit, inverted=inverted) for bit in (*sums, carry)])
        slots.append(Slot(ZERO, ZERO, carry, inject=True))
        return slots, results
