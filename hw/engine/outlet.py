"""The end of an output stream that keeps its protocol when the engine behind it is reset."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

# Cycles of reset until nothing of what is behind the outlet changes any more.
_SETTLED = 2


class Outlet(wiring.Component):
    """Passes beats of `layout` on. When `stop` is high, a beat that waits is left there until it is taken,
    then what makes them is reset; a packet that is open ends with one more beat: `last`, of fields that the
    layout has `error`, and nothing of `keep`.

    Ports: `i`, `o`; `stop`, until `stopped`; `answer`, with the first cycle of `stop`: there must be a
    packet, also where none is open; `reset`, for what makes the beats; `stopped`, while nothing is left to
    do.

    Latency: none.
    """

    def __init__(self, layout: data.StructLayout) -> None:
        self._fields = dict(layout.members)
        super().__init__(
            {
                "i": In(stream.Signature(layout)),
                "o": Out(stream.Signature(layout)),
                "stop": In(1),
                "answer": In(1),
                "reset": Out(1),
                "stopped": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        i, o = self.i, self.o
        # A packet is open, or wanted; the stream is cut off.
        open_, cut = Signal(), Signal()
        settles, settled = Signal(range(_SETTLED + 1)), Signal()
        with m.If(~cut):
            m.d.sync += settles.eq(0)
        with m.Elif(~settled):
            m.d.sync += settles.eq(settles + 1)
        m.d.comb += [
            settled.eq(settles == _SETTLED),
            i.ready.eq(o.ready & ~cut),
            o.valid.eq(Mux(cut, settled & open_, i.valid)),
            self.reset.eq(cut),
            self.stopped.eq(settled & ~open_),
        ]
        ends: dict[str, Value] = {"last": i.payload.last | cut}
        if "error" in self._fields:
            ends["error"] = cut
        if "keep" in self._fields:
            ends["keep"] = i.payload.keep & ~cut.replicate(len(i.payload.keep))
        m.d.comb += [o.payload[name].eq(ends.get(name, i.payload[name])) for name in self._fields]
        with m.If(o.valid & o.ready):
            m.d.sync += open_.eq(~o.payload.last)
        with m.If(self.stop & self.answer):
            m.d.sync += open_.eq(1)
        with m.If(~self.stop):
            m.d.sync += cut.eq(0)
        with m.Elif(~o.valid | o.ready):
            m.d.sync += cut.eq(1)
        return m
