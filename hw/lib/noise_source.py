"""Random bits, the same that golden draws."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.quantizers.gradient import NOISE_BITS
from dorefa.golden.quantizers.noise import DEGREE, TAP

# One XOR makes a bit as long as both bits that it is made of are in the state.
MOST_LANES = (DEGREE - TAP) // NOISE_BITS


class NoiseSource(wiring.Component):
    """A stream of :mod:`dorefa.golden.quantizers.noise`, `lanes` bytes (1 to MOST_LANES) at a time.

    Ports: `load` takes `state`, the first DEGREE bits of a stream, the first one lowest; `step` goes on by
    `lanes` bytes; `o`, the bytes at hand, the first one lowest. Where both come at once, `load` counts.

    Latency: `o` has the stream's first bytes one cycle after `load`, the next ones one after `step`.
    """

    def __init__(self, *, lanes: int) -> None:
        self._bits = NOISE_BITS * lanes
        super().__init__(
            {"load": In(1), "state": In(DEGREE), "step": In(1), "o": Out(self._bits)},
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = Signal(DEGREE, reset_less=True)
        fresh = Cat(bits[place] ^ bits[place + TAP] for place in range(self._bits))
        m.d.comb += self.o.eq(bits)
        with m.If(self.load | self.step):
            m.d.sync += bits.eq(Mux(self.load, self.state, Cat(bits[self._bits :], fresh)))
        return m
