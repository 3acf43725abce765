"""What an array sends behind the slots of a map, so that the stages behind it come to the map's end."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..slots.slot import slot_signature


class Flush(wiring.Component):
    """Passes the `slots` of a map on, then `count` blank ones, each `pace` cycles behind the one before, and
    `settle` cycles behind the last one a restart. Ports: `i` and `o`, slots of `bits` bits."""

    def __init__(self, *, slots: int, bits: int, count: int, pace: int, settle: int) -> None:
        self._slots, self._count, self._pace, self._settle = slots, count, pace, settle
        super().__init__({"i": In(slot_signature(bits)), "o": Out(slot_signature(bits))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        seen, left = Signal(range(self._slots)), Signal(range(self._count + 1))
        waits, restarts, push = Signal(range(max(self._pace, self._settle))), Signal(), Signal()
        m.d.comb += [
            push.eq((waits == 0) & (left != 0)),
            self.o.valid.eq(self.i.valid | push),
            self.o.blank.eq(push),
            self.o.word.eq(self.i.word),
            self.o.restart.eq(restarts & (waits == 0)),
        ]
        with m.If(waits != 0):
            m.d.sync += waits.eq(waits - 1)
        with m.If(self.i.valid):
            m.d.sync += seen.eq(seen + 1)
            with m.If(seen == self._slots - 1):
                m.d.sync += [seen.eq(0), left.eq(self._count), waits.eq(self._pace - 1)]
        with m.If(push):
            m.d.sync += [left.eq(left - 1), waits.eq(self._pace - 1)]
            with m.If(left == 1):
                m.d.sync += [restarts.eq(1), waits.eq(self._settle - 1)]
        with m.If(self.o.restart):
            m.d.sync += restarts.eq(0)
        return m
