"""The map that an array reads, and the one that comes meanwhile."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..slots.memories import ram_style
from ..slots.slot import slot_signature
from .sizes import RomSizes


class MapBanks(wiring.Component):
    """Writes the pixels of slots word by word, and shows the words of the map before.

    Signed codes leave greater by half their range, as zeros outside of the map do. Ports: `i`, the slots, of
    which those without a pixel are dropped; `full`, in the cycle behind the one that writes the last word of
    a map, :attr:`write_latency` cycles after the slot; `address` of a word, in both banks, and whether it is
    `inside` of the map; `word`, :attr:`latency` cycles later.
    """

    def __init__(self, sizes: RomSizes) -> None:
        self._sizes = sizes
        layer = sizes.layer
        self.write_latency = sizes.words + 1
        # A register behind the memory, and one behind the choice of what is outside.
        self.latency = 3 if self._pads else 2
        super().__init__(
            {
                "i": In(slot_signature(sizes.shape[2] * layer.a_bits)),
                "full": Out(1),
                "address": In(range(2 * sizes.map_words)),
                "inside": In(1),
                "word": Out(sizes.lanes * layer.a_bits),
            }
        )

    @property
    def _pads(self) -> bool:
        return any(value > 0 for value in self._sizes.raster.geometry.padding)

    def elaborate(self, platform: Any) -> Module:
        m, sizes = Module(), self._sizes
        width, depth = len(self.word), 2 * sizes.map_words
        style = ram_style(width, depth)
        m.submodules.memory = memory = Memory(shape=width, depth=depth, init=[], attrs=style)
        write, read = memory.write_port(), memory.read_port()
        place, left = Signal(range(depth)), Signal(range(sizes.words + 1))
        rest = Signal(len(self.i.word), reset_less=True)
        m.d.comb += [write.en.eq(left != 0), write.addr.eq(place), write.data.eq(rest[:width])]
        with m.If(self.i.valid & ~self.i.blank):
            m.d.sync += [rest.eq(self._unsigned()), left.eq(sizes.words)]
        with m.Elif(left != 0):
            m.d.sync += [rest.eq(rest[width:]), left.eq(left - 1)]
        ends = (place == sizes.map_words - 1) | (place == depth - 1)
        m.d.sync += self.full.eq(write.en & ends)
        with m.If(write.en):
            m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))
        word = Signal(width, reset_less=True)
        m.d.comb += read.addr.eq(self.address)
        m.d.sync += word.eq(read.data)
        m.d.comb += self.word.eq(self._masked(m, word))
        return m

    def _unsigned(self) -> Value:
        layer, bits = self._sizes.layer, self._sizes.layer.a_bits
        if not layer.a_signed:
            return self.i.word
        codes = [self.i.word[at : at + bits] for at in range(0, len(self.i.word), bits)]
        return Cat(Cat(code[:-1], ~code[-1]) for code in codes)

    def _masked(self, m: Module, word: Signal) -> Value:
        if not self._pads:
            return word
        sizes = self._sizes
        zero = 1 << (sizes.layer.a_bits - 1) if sizes.layer.a_signed else 0
        inside = Signal(2)
        m.d.sync += inside.eq(Cat(self.inside, inside[0]))
        masked = Signal.like(word)
        zeros = Cat(Const(zero, sizes.layer.a_bits) for _ in range(sizes.lanes))
        m.d.sync += masked.eq(Mux(inside[1], word, zeros))
        return masked
