"""From a stream that may wait to slots that do not."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .slots.slot import slot_signature


class Source(wiring.Component):
    """Makes slots of the pixels of images, `pace` cycles apart or more.

    pixels: of an image; bits: of a pixel; flush: blank slots behind an image which no other follows at once;
    settle: cycles in front of and behind the restart that ends them; results: slots of an image that leave
    the pipeline, of which `room` fit behind it. An image whose `last` comes too early is filled up with
    zeros, and one without it loses what is too much.

    Ports: `pixel`, `valid`, `last`, `ready`; `taken`, a result has left; `o`, slots, out of registers;
    `ends`, an image ends in this cycle, and whether it was of a `wrong` length.
    """

    def __init__(
        self, *, pixels: int, bits: int, pace: int, flush: int, settle: int, results: int, room: int
    ) -> None:
        self._pixels, self._pace, self._flush, self._settle = pixels, pace, flush, settle
        self._results, self._room = results, room
        super().__init__(
            {name: In(1) for name in ("valid", "last", "taken")}
            | {name: Out(1) for name in ("ready", "ends", "wrong")}
            | {"pixel": In(bits), "o": Out(slot_signature(bits))}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        place, waits = Signal(range(self._pixels)), Signal(range(max(self._pace, self._settle)))
        # Registers: whether place is not 0, and the last one; whether waits is not 0.
        inside, at_end, pauses = Signal(), Signal(init=self._pixels == 1), Signal()
        left = Signal(range(self._flush + 1))  # blank slots
        flushing, restarts = Signal(), Signal()
        fills, drops = Signal(), Signal()  # the rest of an image that is too short, too long
        free = Signal(range(self._room + 1), init=self._room)
        room, accepts, takes, pushes, slot, final = (Signal() for _ in range(6))
        # Known a cycle late: an image may have begun meanwhile if it has a single cycle.
        begun = 2 if self._pixels * self._pace == 1 else 1
        m.d.sync += room.eq(free >= begun * self._results)
        m.d.comb += [
            # A flush that has begun is not broken off: the image behind it would lie elsewhere in the raster.
            accepts.eq(~pauses & ~fills & (inside | (~flushing & ~restarts & room))),
            takes.eq(self.valid & accepts & ~drops),
            self.ready.eq(drops | accepts),
            pushes.eq(~pauses & ~inside & ~takes & (left != 0)),
            slot.eq(takes | pushes | (~pauses & fills)),
            final.eq(at_end & slot & ~pushes),
            self.ends.eq(final),
            self.wrong.eq(fills | ~self.last),
        ]
        m.d.sync += [
            self.o.valid.eq(slot),
            self.o.blank.eq(pushes),
            self.o.restart.eq(restarts & ~pauses),
            self.o.word.eq(Mux(fills, 0, self.pixel)),
        ]
        settles = [waits.eq(self._settle - 1), pauses.eq(self._settle > 1)]
        with m.If(slot):
            m.d.sync += [waits.eq(self._pace - 1), pauses.eq(self._pace > 1)]
        with m.Elif(pauses):
            m.d.sync += [waits.eq(waits - 1), pauses.eq(waits != 1)]
        with m.If(pushes):
            m.d.sync += [left.eq(left - 1), flushing.eq(1)]
            with m.If(left == 1):
                m.d.sync += [flushing.eq(0), restarts.eq(1), *settles]
        with m.Elif(final):
            m.d.sync += [place.eq(0), left.eq(self._flush), fills.eq(0), drops.eq(takes & ~self.last)]
            m.d.sync += [inside.eq(0), at_end.eq(self._pixels == 1)]
        with m.Elif(slot):
            m.d.sync += [place.eq(place + 1), fills.eq(fills | (takes & self.last))]
            m.d.sync += [inside.eq(1), at_end.eq(place == self._pixels - 2)]
        with m.If(restarts & ~pauses):
            m.d.sync += [restarts.eq(0), *settles]
        with m.If(drops & self.valid & self.last):
            m.d.sync += drops.eq(0)
        begins = takes & ~inside
        m.d.sync += free.eq(free - begins * self._results + self.taken)
        return m
