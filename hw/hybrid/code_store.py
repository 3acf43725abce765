"""A map of codes is whole before the engine takes it, and then comes as fast as its port is wide."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..shell.packet_store import packet_layout


class CodeStore(wiring.Component):
    """Holds one map of `pixels` pixels of `channels` codes of `bits` bits.

    Ports: `valid`, `word`, a pixel, which never waits: the next map comes when `taken`, a pulse, has said
    that this one has left; `o`, beats of `beat_codes` codes, a byte each, as an engine's image port takes
    them (:func:`.streams.image_layout`): one a cycle where nothing waits, the first :attr:`latency` cycles
    after the last pixel came. `channels` is a multiple of `beat_codes`.
    """

    latency = 3

    def __init__(self, *, pixels: int, channels: int, bits: int, beat_codes: int) -> None:
        self._pixels, self._channels, self._bits, self._beat_codes = pixels, channels, bits, beat_codes
        super().__init__(
            {
                "valid": In(1),
                "word": In(channels * bits),
                "o": Out(stream.Signature(packet_layout(beat_codes))),
                "taken": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._channels * self._bits, depth=self._pixels, init=[])
        write, read = memory.write_port(), memory.read_port()
        come, left = Signal(range(self._pixels)), Signal(range(self._pixels))
        whole, fetches, there, final = Signal(), Signal(), Signal(), Signal()
        ends, moves = Signal(), Signal()
        m.d.comb += [
            write.addr.eq(come),
            write.data.eq(self.word),
            write.en.eq(self.valid),
            moves.eq(there & (~self.o.valid | self.o.ready)),
            fetches.eq(whole & (~there | (moves & ends))),
            read.addr.eq(left),
            read.en.eq(fetches),
            self.taken.eq(self.o.valid & self.o.ready & self.o.payload.last),
        ]
        with m.If(self.valid):
            m.d.sync += [come.eq(come + 1), whole.eq(come == self._pixels - 1)]
            with m.If(come == self._pixels - 1):
                m.d.sync += come.eq(0)
        with m.If(fetches):
            m.d.sync += [there.eq(1), left.eq(left + 1), final.eq(left == self._pixels - 1)]
            with m.If(left == self._pixels - 1):
                m.d.sync += [left.eq(0), whole.eq(0)]
        with m.Elif(moves & ends):
            m.d.sync += there.eq(0)
        beats = self._channels // self._beat_codes
        part = Signal(range(beats))
        m.d.comb += ends.eq(part == beats - 1)
        with m.If(moves):
            m.d.sync += part.eq(Mux(ends, 0, part + 1))
        size = self._bits
        codes = read.data.word_select(part, self._beat_codes * size)
        byte = [Cat(codes.word_select(at, size), Const(0, 8 - size)) for at in range(self._beat_codes)]
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [
                self.o.valid.eq(there),
                self.o.payload.data.eq(Cat(byte)),
                self.o.payload.last.eq(final & ends),
            ]
        m.d.comb += self.o.payload.keep.eq(-1)
        return m
