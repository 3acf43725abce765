"""The addition of two streams of trunk integers, which come at different times."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...lib.delay import delayed
from ..slots.memories import ram_style
from ..slots.slot import slot_signature
from ..slots.stream import Stream

# Cycles from a slot that is written to the memory to the first one that finds it there.
_WRITE = 2


class TrunkAdder(wiring.Component):
    """The sums of `channels` numbers of two maps, pixel by pixel.

    Pixels of the stream that comes first wait in a memory for those of the other one. Nothing holds either
    up: how many wait at most follows from the slots of their origin that complete them.

    own_bits, added_bits, bits: of a number of the layer, of the trunk and of their sum, two's complement.
    own, added: the two streams, which have the same origin. Ports: slots `own` and `added`, and `o`, which
    has those of the later one.
    """

    def __init__(
        self, channels: int, own_bits: int, added_bits: int, bits: int, own: Stream, added: Stream
    ) -> None:
        self._channels, self._own_bits, self._added_bits, self._bits = channels, own_bits, added_bits, bits
        self._own, self._added = own, added
        super().__init__(
            {
                "own": In(slot_signature(channels * own_bits)),
                "added": In(slot_signature(channels * added_bits)),
                "o": Out(slot_signature(channels * bits)),
            }
        )

    @property
    def problem(self) -> str | None:
        """Why neither stream can wait for the other one, None where one can."""
        behind = self._own.causes - self._added.causes
        if behind.min() < 0 < behind.max():
            return (
                "some pixels of its sums are complete before, others behind those of the trunk that it adds"
            )
        return None

    @property
    def own_waits(self) -> bool:
        """Whether it is the layer's numbers that wait."""
        behind = self._own.causes - self._added.causes
        return bool(behind.min() < 0) or (not behind.any() and self._own.delay < self._added.delay)

    @property
    def _early(self) -> Stream:
        return self._own if self.own_waits else self._added

    @property
    def _late(self) -> Stream:
        return self._added if self.own_waits else self._own

    @property
    def held(self) -> int:
        """Cycles by which the later slots come later still, to find the others in the memory."""
        apart = int((self._late.causes - self._early.causes).min()) * self._late.pace
        return max(0, _WRITE - (apart + self._late.delay - self._early.delay))

    @property
    def depth(self) -> int:
        """Pixels in the memory at most."""
        early, late = self._early, self._late
        pixels, cycles = late.pixels, late.delay + self.held - early.delay
        # Slots of the origin that the early stream is ahead, apart from those that complete pixels.
        ahead = max(0, -(-cycles // late.pace))
        last = int(late.causes[-1])
        images = pixels * np.arange(2 + (last + ahead) // pixels)[:, None]
        slots = np.arange(last, last + pixels)
        written = np.searchsorted((early.causes + images).ravel(), slots + ahead, side="right")
        read = np.searchsorted((late.causes + images).ravel(), slots, side="right")
        return max(1, int((written - read).max()))

    @property
    def width(self) -> int:
        """Bits of a word of the memory."""
        return self._channels * (self._own_bits if self.own_waits else self._added_bits)

    @property
    def latency(self) -> int:
        """Cycles from a slot of the later stream to the sum."""
        return self.held + 2

    @property
    def passed(self) -> Stream:
        """What leaves."""
        return self._late.later(self.latency)

    @property
    def cells(self) -> int:
        """Cells of the additions and of the memory's counters on ECP5, more or less."""
        return self._channels * self._bits + 4 * (self.depth - 1).bit_length()

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        early, late = (self.own, self.added) if self.own_waits else (self.added, self.own)
        late_word = delayed(m, late.word, self.held + 1, "word", reset_less=True)
        flags = {
            name: delayed(m, getattr(late, name), self.held, name) for name in ("valid", "blank", "restart")
        }
        # What has no pixel does not wait, so nothing has to start anew.
        kept = self._kept(m, early.valid & ~early.blank, early.word, flags["valid"] & ~flags["blank"])
        own, added = (kept, late_word) if self.own_waits else (late_word, kept)
        m.d.comb += [
            getattr(self.o, name).eq(delayed(m, flag, 2, f"late_{name}")) for name, flag in flags.items()
        ]
        sums = []
        for channel in range(self._channels):
            total = Signal(self._bits, name="total", reset_less=True)
            m.d.sync += total.eq(
                _number(own, channel, self._own_bits) + _number(added, channel, self._added_bits)
            )
            sums.append(total)
        m.d.comb += self.o.word.eq(Cat(sums))
        return m

    def _kept(self, m: Module, write: Value, word: Value, read: Value) -> Value:
        """The first word that waits, a cycle behind the one in which it is `read`."""
        depth, width = self.depth, self.width
        m.submodules.memory = memory = Memory(
            shape=width, depth=depth, init=[], attrs=ram_style(width, depth)
        )
        write_port, read_port = memory.write_port(), memory.read_port()
        last, place = Signal(range(depth), name="last"), Signal(range(depth), name="place")
        following = Mux(place == depth - 1, 0, place + 1)
        with m.If(write):
            m.d.sync += last.eq(Mux(last == depth - 1, 0, last + 1))
        with m.If(read):
            m.d.sync += place.eq(following)
        kept = Signal(width, name="kept", reset_less=True)
        m.d.sync += kept.eq(read_port.data)
        m.d.comb += [
            write_port.en.eq(write),
            write_port.addr.eq(last),
            write_port.data.eq(word),
            read_port.addr.eq(Mux(read, following, place)),
        ]
        return kept


def _number(word: Value, channel: int, bits: int) -> Value:
    return word[channel * bits : (channel + 1) * bits].as_signed()
