"""AND (or XNOR) of two words and the count of its ones: the paper's Eq. 1 for one pair of planes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError

from ..config.ranges import PIPELINES, STRUCTURES
from ..fabric.families import find_fabric
from ..fabric.tree import Operand, count_portable, tree_levels

# Takes the values that leave a level; returns them named, or as registers.
Stage = Callable[[list[Value]], list[Value]]


def _halving(terms: list[Value], stage: Stage) -> Value:
    """Sum of `terms` by a binary tree, `stage(values)` after each level."""
    while len(terms) > 1:
        pairs = [terms[i] + terms[i + 1] for i in range(0, len(terms) - 1, 2)]
        terms = stage(pairs + terms[len(pairs) * 2 :])
    return terms[0]


def _thirds(vector: Value) -> tuple[Value, ...]:
    """Splits a vector into three equal parts and what is left over."""
    third = len(vector) // 3
    return (*(vector[i * third : (i + 1) * third] for i in range(3)), vector[3 * third :])


def _compress(bits: Value, stage: Stage) -> Value:
    """Carry-save reduction: per weight, a vector of bits of which a third each is added by full
    adders at once, until at most two bits per weight are left for one carry-propagate addition.

    Whole vectors instead of single bits keep the Verilog short, and fast to simulate.
    """
    columns = {0: bits}
    while any(len(vector) > 2 for vector in columns.values()):
        reduced: dict[int, Value] = {}
        for weight, vector in sorted(columns.items()):
            a, b, c, rest = _thirds(vector)
            if len(a):
                keep = Cat(a ^ b ^ c, rest)
                carry = (a & b) | (c & (a ^ b))
                reduced[weight + 1] = carry
            else:
                keep = rest
            reduced[weight] = Cat(reduced.get(weight, Const(0, 0)), keep)
        columns = dict(zip(reduced, stage(list(reduced.values())), strict=True))
    rows = [
        Cat(vector[row] if row < len(vector) else Const(0, 1) for _, vector in sorted(columns.items()))
        for row in range(2)
    ]
    return rows[0] + rows[1]


def _build(structure: str, product: Value, stage: Stage) -> Value:
    return _compress(product, stage) if structure == "compress" else _halving(list(product), stage)


def levels_per_register(pipeline: str) -> int:
    """Levels between registers, 0 without registers."""
    return PIPELINES.index(pipeline)


def popcount_latency(*, lanes: int, structure: str, pipeline: str) -> int:
    """Cycles from operands to count: 0 with pipeline ``"none"``, with ``"level"`` one per level,
    with ``"level2"`` one per two levels and so on, rounded down."""
    every = levels_per_register(pipeline)
    if not every:
        return 0
    if structure == "mapped":
        return tree_levels(lanes) // every
    levels = []

    def count(values: list[Value]) -> list[Value]:
        levels.append(len(values))
        return values

    _build(structure, Const(0, lanes), count)
    return len(levels) // every


class AndPopcount(wiring.Component):
    """``o = number of lanes where a AND w`` (XNOR with `xnor`).

    Ports: `a`, `w` (`lanes` bits), `o` (enough bits for `lanes`). Latency:
    :func:`popcount_latency`. `structure` is ``"compress"`` (3:2 compressors), ``"sum"`` (binary
    adder tree) or ``"mapped"``: the tree of :mod:`.tree`, made of the fabric's own cells
    when elaborated for a platform with a `fabric` (:mod:`.families`), of additions for any other.

    Raises :class:`InputError` for `lanes`, a `structure` or a `pipeline` that is not accepted.
    """

    def __init__(
        self, *, lanes: int, structure: str = "compress", pipeline: str = "none", xnor: bool = False
    ) -> None:
        if lanes < 1:
            raise InputError(f"lanes is {lanes}; accepted: at least 1")
        if structure not in STRUCTURES:
            raise InputError(f"structure is {structure!r}; accepted: {', '.join(STRUCTURES)}")
        if pipeline not in PIPELINES:
            raise InputError(f"pipeline is {pipeline!r}; accepted: {', '.join(PIPELINES)}")
        self._lanes, self._structure, self._pipeline, self._xnor = lanes, structure, pipeline, xnor
        super().__init__({"a": In(lanes), "w": In(lanes), "o": Out(lanes.bit_length())})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        every = levels_per_register(self._pipeline)
        if self._structure == "mapped":
            pairs = zip(self.a, self.w, strict=True)
            lanes = [Operand.product(a, w, xnor=self._xnor) for a, w in pairs]
            fabric = find_fabric(platform)
            bits = (fabric.count if fabric else count_portable)(m, lanes, every)
            m.d.comb += self.o.eq(Cat(bit.value() for bit in bits))
            return m
        product = Signal(self._lanes)
        m.d.comb += product.eq(~(self.a ^ self.w) if self._xnor else self.a & self.w)
        level = 0

        def name(values: list[Value]) -> list[Signal]:
            """Gives each level's values a signal, clocked where the structure has a register."""
            nonlocal level
            level += 1
            named = [Signal.like(value, name=f"level_{len(value)}", reset_less=True) for value in values]
            for signal, value in zip(named, values, strict=True):
                domain = m.d.sync if every and level % every == 0 else m.d.comb
                domain += signal.eq(value)
            return named

        m.d.comb += self.o.eq(_build(self._structure, product, name))
        return m
