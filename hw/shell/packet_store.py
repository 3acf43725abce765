"""An image is whole before it goes on: a line is slow and may break, and what is behind it need not care."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


def packet_layout(beat_bytes: int) -> data.StructLayout:
    """A beat as it comes: bytes, lowest first, of which `keep` marks a prefix."""
    return data.StructLayout({"data": 8 * beat_bytes, "keep": beat_bytes, "last": 1})


class PacketStore(wiring.Component):
    """Holds one packet of `beats` beats of `beat_bytes` bytes, in a memory, until it is complete.

    Ports: `i`, beats as they come (:func:`packet_layout`), `ready` low while a packet leaves; `o`, the beats
    of a whole packet, one a cycle where nothing waits, the first of them two cycles after the last one came;
    `wrong`, a pulse where a packet had another length, or a beat that is not whole, and is dropped.
    """

    def __init__(self, *, beats: int, beat_bytes: int) -> None:
        self._beats, self._bits = beats, 8 * beat_bytes
        super().__init__(
            {
                "i": In(stream.Signature(packet_layout(beat_bytes))),
                "o": Out(stream.Signature(data.StructLayout({"data": self._bits, "last": 1}))),
                "wrong": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._bits, depth=self._beats, init=[])
        write, read = memory.write_port(), memory.read_port()
        # Beats that have come, one more of a packet that is too long; those that have left.
        come, left = Signal(range(self._beats + 1)), Signal(range(self._beats))
        whole, takes, fetches, final = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~whole),
            takes.eq(self.i.valid & ~whole),
            write.addr.eq(come),
            write.data.eq(self.i.payload.data),
            write.en.eq(takes & (come != self._beats)),
            final.eq((come == self._beats - 1) & self.i.payload.keep.all()),
            self.wrong.eq(takes & self.i.payload.last & ~final),
            fetches.eq(whole & (~self.o.valid | self.o.ready)),
            read.addr.eq(left),
            read.en.eq(fetches),
            self.o.payload.data.eq(read.data),
        ]
        with m.If(takes & self.i.payload.last):
            m.d.sync += [come.eq(0), whole.eq(final)]
        with m.Elif(takes & (come != self._beats)):
            m.d.sync += come.eq(come + 1)
        ends = left == self._beats - 1
        with m.If(fetches):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.last.eq(ends), left.eq(left + 1)]
            with m.If(ends):
                m.d.sync += [left.eq(0), whole.eq(0)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
