"""The greatest number of a packet."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...lib.delay import delayed
from .beats import mark_layout


class Greatest(wiring.Component):
    """The greatest of all numbers of a packet, `lanes` of `bits` bits in a beat.

    Ports: `mark` (:func:`.mark_layout`) and `values`, a beat; `o`, which is the greatest of the packet from
    :func:`greatest_latency` cycles after its last beat until a beat of the next one gets there.
    """

    def __init__(self, *, lanes: int, bits: int) -> None:
        self._lanes, self._bits = lanes, bits
        super().__init__({"mark": In(mark_layout(lanes)), "values": In(bits).array(lanes), "o": Out(bits)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        values = []
        for lane in range(self._lanes):
            value = Signal(self._bits, name=f"value_{lane}", reset_less=True)
            m.d.sync += value.eq(Mux(self.mark.count > lane, self.values[lane], 0))
            values.append(value)
        level = 0
        while len(values) > 1:
            greater = []
            for pair in range(len(values) // 2):
                one, other = values[2 * pair : 2 * pair + 2]
                value = Signal(self._bits, name=f"level{level}_{pair}", reset_less=True)
                m.d.sync += value.eq(Mux(one > other, one, other))
                greater.append(value)
            if len(values) % 2:
                greater.append(delayed(m, values[-1], 1, f"level{level}_odd", reset_less=True))
            values, level = greater, level + 1
        cycles = greatest_latency(self._lanes) - 1
        valid = delayed(m, self.mark.valid, cycles, "valid")
        first = delayed(m, self.mark.first, cycles, "first", reset_less=True)
        with m.If(valid & (first | (values[0] > self.o))):
            m.d.sync += self.o.eq(values[0])
        return m


def greatest_latency(lanes: int) -> int:
    """Cycles from a packet's last beat to its greatest number: what counts, a tree, the greatest so far."""
    return 2 + (lanes - 1).bit_length()
