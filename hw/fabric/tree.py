"""The tree ``left + right + product``: how lanes are counted when a carry-in takes one of them.

An adder of two k-bit counts has a carry-in that costs nothing. Given a product of its own, a node
over ``n`` lanes is ``left (n // 2 lanes) + right + one product``, and nothing but one-bit products
and such nodes is left over, whatever ``n``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import Cat, Const, Module, Signal, Value


@dataclass(frozen=True)
class Operand:
    """One bit as a function of a few signals, so that a fabric can absorb it in a table.

    `table` bit ``p0 + 2 p1 + ...`` is the value for the pins' values ``p0``, ``p1``, ...; a constant
    has no pins and its value in bit 0. Lanes have two pins, everything in a tree above them one.
    """

    pins: tuple[Value, ...]
    table: int

    @classmethod
    def bit(cls, signal: Value, *, inverted: bool = False) -> Operand:
        """A signal, or its complement."""
        return cls((signal,), 0b01 if inverted else 0b10)

    @classmethod
    def product(cls, a: Value, w: Value, *, xnor: bool) -> Operand:
        """One lane: AND, or XNOR."""
        return cls((a, w), 0b1001 if xnor else 0b1000)

    def __invert__(self) -> Operand:
        return Operand(self.pins, self.table ^ ((1 << (1 << len(self.pins))) - 1))

    def at(self, *values: int) -> int:
        """The value, 0 or 1, for the values of the pins."""
        return (self.table >> sum(value << pin for pin, value in enumerate(values))) & 1

    def value(self) -> Value:
        """As an Amaranth expression."""
        if len(self.pins) == 2:
            a, w = self.pins
            values = {0b1000: a & w, 0b1001: ~(a ^ w), 0b0111: ~(a & w), 0b0110: a ^ w, 0b1110: a | w}
            values |= {0b1011: a | ~w, 0b0100: ~a & w}
            return values[self.table]
        if not self.pins:
            return Const(self.table, 1)
        return self.pins[0] if self.table == 0b10 else ~self.pins[0]


ZERO = Operand((), 0)


@dataclass(frozen=True, eq=False)
class Node:
    """``left + right + lane`` of level 1 upwards; `left` and `right` are nodes or lane numbers,
    `right` is None where two lanes are left."""

    left: Node | int
    right: Node | int | None
    lane: int
    level: int


def plan(lanes: int) -> list[list[Node]]:
    """Nodes by level, the lowest first; the last level holds the root alone. No level for one lane.

    A node over ``n`` lanes is on level ``floor(log2 n)`` and makes one bit more than that.
    """
    levels: list[list[Node]] = [[] for _ in range(tree_levels(lanes))]

    def build(first, count):
        if count <= 1:
            return first if count else None
        half = count // 2
        node = Node(
            left=build(first, half),
            right=build(first + half, count - 1 - half),
            lane=first + count - 1,
            level=tree_levels(count),
        )
        levels[node.level - 1].append(node)
        return node

    build(0, lanes)
    return levels


def tree_levels(lanes: int) -> int:
    """Levels of the tree over `lanes` lanes."""
    return lanes.bit_length() - 1


def registered(m: Module, operand: Operand, stages: int, name: str) -> Operand:
    """`operand` as it was `stages` cycles ago, every pin delayed."""
    pins = operand.pins
    for _ in range(stages):
        later = tuple(Signal(name=name, reset_less=True) for _ in pins)
        m.d.sync += [register.eq(pin) for register, pin in zip(later, pins, strict=True)]
        pins = later
    return Operand(pins, operand.table)


def count_tree(
    m: Module,
    lanes: list[Operand],
    *,
    every: int,
    add_level: Callable[[Module, int, list[tuple]], list[list[Operand]]],
    first_level: int = 1,
) -> list[Operand]:
    """The number of ones among `lanes` (operands): operands by weight, the lowest first.

    `add_level(m, level, [(left, right, product), ...])` adds one level's nodes; `left` and `right`
    are lists of operands by weight, and so are the results, one for each node and one bit longer
    than `left`. After each level whose number, counted from `first_level`, divides by `every` there
    is a register (no registers at all with 0), so the latency is that of the whole levels.
    """

    def stage(level):
        level += first_level - 1
        return level // every - (first_level - 1) // every if every else 0

    def fetch(value, level):
        """Operands of a node or lane, as old as the inputs of `level`."""
        if value is None:
            return []
        bits, at = ([lanes[value]], 0) if isinstance(value, int) else (results[value], value.level)
        late = stage(level - 1) - stage(at)
        return [registered(m, bit, late, f"level_{level}_late") for bit in bits]

    results: dict[Node, list[Operand]] = {}
    levels = plan(len(lanes))
    for level, nodes in enumerate(levels, 1):
        terms = [
            (fetch(node.left, level), fetch(node.right, level), fetch(node.lane, level)[0]) for node in nodes
        ]
        for node, bits in zip(nodes, add_level(m, level, terms), strict=True):
            late = stage(level) - stage(level - 1)
            results[node] = [registered(m, bit, late, f"level_{level}") for bit in bits]
    return results[levels[-1][0]] if levels else [lanes[0]]


def count_portable(m: Module, lanes: list[Operand], every: int) -> list[Operand]:
    """:func:`count_tree` in plain additions: for simulators, and fabrics without a form of their own."""
    return count_tree(m, lanes, every=every, add_level=_add_portable)


def _add_portable(m, level, terms):
    sums = []
    for left, right, product in terms:
        total = Signal(len(left) + 1, name=f"sum_{level}")
        words = [Cat(operand.value() for operand in word) for word in (left, right) if word]
        m.d.comb += total.eq(sum(words) + product.value())
        sums.append([Operand.bit(bit) for bit in total])
    return sums
