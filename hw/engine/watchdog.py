"""Turns waiting for ever into an error."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Watchdog(wiring.Component):
    """Counts cycles in which nothing moves.

    Ports: `limit`, so many may follow each other, 0 for any number; `watched`, while something is waited for;
    `moved`, something moves in this cycle; `timeout` pulses when the limit is reached, and the count begins
    again.

    Latency: `timeout` is high in the cycle behind the `limit`-th one without a move.
    """

    def __init__(self) -> None:
        super().__init__({"limit": In(32), "watched": In(1), "moved": In(1), "timeout": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        count = Signal(32)
        m.d.comb += self.timeout.eq((count >= self.limit) & (self.limit != 0))
        with m.If(self.moved | ~self.watched | self.timeout):
            m.d.sync += count.eq(0)
        with m.Else():
            m.d.sync += count.eq(count + 1)
        return m
