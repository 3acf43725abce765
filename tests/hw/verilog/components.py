# amaranth: UnusedElaboratable=no
"""Small components whose RTLIL and Verilog can be read at a glance."""

from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Leaf(wiring.Component):
    a: In(4)
    b: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.b.eq(self.a + 1)
        return m


class Tree(wiring.Component):
    """Two levels of instances of `Leaf`, and a memory under a name with contents `init` and `attributes`."""

    def __init__(self, init=(), attributes=None):
        self._init, self._attributes = init, attributes
        super().__init__({"a": In(4), "b": Out(4)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.table = memory = Memory(shape=4, depth=4, init=self._init, attrs=self._attributes)
        read = memory.read_port()
        value = self.a
        for number in range(3):
            m.submodules[f"leaf{number}"] = leaf = Leaf()
            m.d.comb += leaf.a.eq(value)
            value = leaf.b
        m.d.comb += [read.addr.eq(value), read.en.eq(1), self.b.eq(read.data)]
        return m
