"""The way back: what is under way ends, at the host's wish or because of an error."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Recovery(wiring.Component):
    """Resets everything but registers and memories.

    Ports: `wish`, as long as the host wants it; `error`, a pulse; `busy`, an image is computed; `stop`, the
    reset of all but the output streams; `stopped`, whether these have ended; `answer`, in the first cycle of
    `stop`, whether an image that was accepted is owed a packet.

    Latency: `stop` is high from the cycle behind `wish` or `error` on until all output streams have `stopped`
    and the wish is gone.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "wish": In(1),
                "error": In(1),
                "busy": In(1),
                "stopped": In(1),
                "stop": Out(1),
                "answer": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        owes = Signal()
        m.d.sync += owes.eq(self.error & ~self.stop)
        m.d.comb += self.answer.eq(self.stop & owes & self.busy)
        with m.If(self.wish | self.error):
            m.d.sync += self.stop.eq(1)
        with m.Elif(self.stopped):
            m.d.sync += self.stop.eq(0)
        return m
