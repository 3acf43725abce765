"""Small components for the proofs' own tests."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Counter(wiring.Component):
    """Counts to `most` and begins again; `late` has no reset."""

    def __init__(self, most=5):
        self._most = most
        super().__init__({"en": In(1), "o": Out(3), "late": Out(3)})

    def elaborate(self, platform):
        m = Module()
        late = Signal(3, reset_less=True)
        wraps = Signal()
        m.d.comb += [wraps.eq(self.o == self._most), self.late.eq(late)]
        m.d.sync += late.eq(self.o)
        with m.If(self.en):
            m.d.sync += self.o.eq(self.o + 1)
            with m.If(wraps):
                m.d.sync += self.o.eq(0)
        return m


class Store(wiring.Component):
    """A memory of two words."""

    def __init__(self):
        super().__init__({"w_en": In(1), "address": In(1), "w_data": In(2), "o": Out(2)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = Memory(shape=2, depth=2, init=[])
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            write.en.eq(self.w_en),
            write.addr.eq(self.address),
            write.data.eq(self.w_data),
            read.addr.eq(self.address),
            read.en.eq(1),
            self.o.eq(read.data),
        ]
        return m
