"""Bit dot product with shift-accumulate: one row and column of the array."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .popcount import AndPopcount, popcount_latency


def step_layout():
    """What the array does with the count of one step.

    `enable` marks a step; `clear` starts a new sum, `shift` doubles the sum first (the first step
    of a lower significance), `negate` subtracts the count (top plane of two's complement weights).
    """
    return data.StructLayout({"enable": 1, "clear": 1, "shift": 1, "negate": 1})


def dot_latency(*, lanes, structure, pipeline):
    """Cycles from operands to the sum: the popcount's, its output register, the accumulator."""
    return popcount_latency(lanes=lanes, structure=structure, pipeline=pipeline) + 2


class DotUnit(wiring.Component):
    """``acc = (clear ? 0 : shift ? 2 acc : acc) +- popcount(a, w)`` once per enabled step (Eq. 3).

    Plane pairs arrive from the highest significance down, so no barrel shifter is needed.

    Ports: `a`, `w` (`lanes` bits) and, :func:`dot_latency` - 1 cycles later, the `step` that belongs
    to them; `acc` (signed, `acc_bits`) holds the sum :func:`dot_latency` cycles after `a` and `w`.
    """

    def __init__(self, *, lanes, acc_bits, structure="compress", pipeline="none", xnor=False,
                 signed_planes=False):  # fmt: skip
        self._popcount_parameters = {
            "lanes": lanes, "structure": structure, "pipeline": pipeline, "xnor": xnor
        }  # fmt: skip
        self._signed_planes = signed_planes
        super().__init__(
            {
                "a": In(lanes),
                "w": In(lanes),
                "step": In(step_layout()),
                "acc": Out(signed(acc_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.popcount = popcount = AndPopcount(**self._popcount_parameters)
        count = Signal.like(popcount.o)
        base = Signal.like(self.acc)
        m.d.comb += [
            popcount.a.eq(self.a),
            popcount.w.eq(self.w),
            base.eq(Mux(self.step.clear, 0, Mux(self.step.shift, self.acc << 1, self.acc))),
        ]
        m.d.sync += count.eq(popcount.o)
        with m.If(self.step.enable):
            if self._signed_planes:
                m.d.sync += self.acc.eq(Mux(self.step.negate, base - count, base + count))
            else:
                m.d.sync += self.acc.eq(base + count)
        return m
