"""Bit dot product with shift-accumulate: one row and column of the array."""

from __future__ import annotations

from functools import partial
from typing import Any

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..fabric.chains import Chains
from ..fabric.families import find_fabric
from ..fabric.tree import ZERO, Operand
from ..lib.delay import delayed
from .popcount import AndPopcount, popcount_latency


def step_layout() -> data.StructLayout:
    """What the array does with the count of one step.

    `enable` marks a step; `clear` starts a new sum, `shift` doubles the sum first (the first step
    of a lower significance), `negate` subtracts the count (top plane of two's complement weights).
    """
    return data.StructLayout({"enable": 1, "clear": 1, "shift": 1, "negate": 1})


def _counted(lanes: int, structure: str) -> int:
    """Lanes that the popcount counts: a mapped accumulator takes one as its carry-in."""
    return lanes - 1 if structure == "mapped" and lanes > 1 else lanes


def dot_latency(*, lanes: int, structure: str, pipeline: str) -> int:
    """Cycles from operands to the sum: the popcount's, its output register, the accumulator."""
    counted = _counted(lanes, structure)
    return popcount_latency(lanes=counted, structure=structure, pipeline=pipeline) + 2


class DotUnit(wiring.Component):
    """``acc = (clear ? 0 : shift ? 2 acc : acc) +- popcount(a, w)`` once per enabled step (Eq. 3).

    Plane pairs arrive from the highest significance down, so no barrel shifter is needed.

    Ports: `a`, `w` (`lanes` bits) and, :func:`dot_latency` - 1 cycles later, the `step` that belongs
    to them; `acc` (signed, `acc_bits`) holds the sum :func:`dot_latency` cycles after `a` and `w`.
    `structure` as for :class:`.popcount.AndPopcount`.
    """

    def __init__(
        self,
        *,
        lanes: int,
        acc_bits: int,
        structure: str = "compress",
        pipeline: str = "none",
        xnor: bool = False,
        signed_planes: bool = False,
    ) -> None:
        counted = _counted(lanes, structure)
        self._popcount = partial(
            AndPopcount, lanes=counted, structure=structure, pipeline=pipeline, xnor=xnor
        )
        self._count_latency = popcount_latency(lanes=counted, structure=structure, pipeline=pipeline) + 1
        self._xnor, self._signed_planes = xnor, signed_planes
        super().__init__(
            {
                "a": In(lanes),
                "w": In(lanes),
                "step": In(step_layout()),
                "acc": Out(signed(acc_bits)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.popcount = popcount = self._popcount()
        # A sum begins with `clear`: nothing here needs a reset.
        count = Signal.like(popcount.o, reset_less=True)
        acc = Signal.like(self.acc, reset_less=True)
        base = Signal.like(self.acc)
        counted, lanes = len(popcount.a), len(self.a)
        m.d.comb += [
            popcount.a.eq(self.a),
            popcount.w.eq(self.w),
            self.acc.eq(acc),
            base.eq(Mux(self.step.clear, 0, Mux(self.step.shift, self.acc << 1, self.acc))),
        ]
        m.d.sync += count.eq(popcount.o)
        carry = Const(0, 1)
        if counted < lanes:
            product = Operand.product(self.a[counted], self.w[counted], xnor=self._xnor).value()
            carry = delayed(m, product, self._count_latency, "last_product", reset_less=True)
        fabric = find_fabric(platform)
        if fabric and fabric.chains and counted < lanes:
            total = self._add_mapped(m, fabric.chains, base, count, carry)
        elif self._signed_planes:
            total = Mux(self.step.negate, base - (count + carry), base + (count + carry))
        else:
            total = base + count + carry
        with m.If(self.step.enable):
            m.d.sync += acc.eq(total)
        return m

    def _add_mapped(self, m: Module, chains: Chains, base: Signal, count: Signal, carry: Value) -> Signal:
        """``base + count + carry`` or, to negate, ``base + ~count + ~carry``, in one carry chain."""
        step = self.step

        def added(bit: Value) -> Operand:
            if not self._signed_planes:
                return Operand.bit(bit)
            return Operand((bit, step.negate), 0b0110)

        x = [added(bit) for bit in count]
        y = [Operand.bit(bit) for bit in base]
        for place in range(len(count), len(base)):
            x.append(Operand.bit(step.negate) if self._signed_planes else ZERO)
            if not self._signed_planes and chains.absorbs >= 4:
                # Where nothing is added, the slot makes base by itself.
                pins = (self.acc[place], self.acc[place - 1], step.clear, step.shift)
                table = sum(((row >> (row >> 3)) & 1) << row for row in range(16) if not row & 4)
                y[place] = Operand(pins, table)
        total = Signal.like(base)
        chains.add(m, x, y, added(carry), list(total), "accumulate")
        return total
