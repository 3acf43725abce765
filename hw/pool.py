"""Max pooling of codes, and the order in which they are stored.

Max pooling commutes with a monotone quantizer (the paper's Eq. 15), so it runs on codes.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .drain import group_layout


class MaxPool(wiring.Component):
    """Keeps the largest code of each channel over the positions of a pooling window, which arrive
    one after another; passes the maximum on at the last position.

    Ports: `valid`, `codes`, `group` in; `o_valid`, `o_codes`, `o_group` out, two cycles later.
    """

    def __init__(self, config):
        self._config = config
        codes = config.quant * config.out_bits
        super().__init__(
            {
                "valid": In(1),
                "codes": In(codes),
                "group": In(group_layout(config)),
                "o_valid": Out(1),
                "o_codes": Out(codes),
                "o_group": Out(group_layout(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, bits = self._config, self._config.out_bits
        columns = 1 << (config.cols - 1).bit_length()
        m.submodules.largest = memory = Memory(
            shape=len(self.codes), depth=columns * config.pool_depth, init=[]
        )
        write = memory.write_port()
        # The next position may follow in the next cycle: it must see this one's maximum.
        read = memory.read_port(transparent_for=(write,))
        address = Cat(self.group.column[: (config.cols - 1).bit_length()], self.group.index)
        codes, group, valid = Signal.like(self.codes), Signal.like(self.group), Signal()
        largest = Signal.like(self.codes)
        m.d.sync += [valid.eq(self.valid), codes.eq(self.codes), group.eq(self.group)]
        m.d.comb += [
            read.addr.eq(address),
            read.en.eq(1),
            write.addr.eq(Cat(group.column[: (config.cols - 1).bit_length()], group.index)),
            write.data.eq(largest),
            write.en.eq(valid),
        ]
        for lane in range(config.quant):
            part = slice(lane * bits, (lane + 1) * bits)
            new, old = codes[part], read.data[part]
            m.d.comb += largest[part].eq(Mux(group.pool_first | (new > old), new, old))
        m.d.sync += [
            self.o_valid.eq(valid & group.pool_last),
            self.o_codes.eq(largest),
            self.o_group.eq(group),
        ]
        return m


class ColumnOrder(wiring.Component):
    """Puts the codes of several columns into storage order: all channels of one pixel, then those of
    the next. Two buffers: one fills while the other is passed on.

    Ports: `valid`, `codes`, `group` in; `o_valid`, `o_codes`, `o_count`, `o_last` out. The groups of
    a set leave in a row, the first three cycles after the set's last group came in.
    """

    def __init__(self, config):
        self._config = config
        codes = config.quant * config.out_bits
        super().__init__(
            {
                "valid": In(1),
                "codes": In(codes),
                "group": In(group_layout(config)),
                "o_valid": Out(1),
                "o_codes": Out(codes),
                "o_count": Out(config.quant.bit_length()),
                "o_last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        word = data.StructLayout({"codes": len(self.codes), "count": len(self.o_count)})
        place = data.StructLayout(
            {"index": (config.pool_depth - 1).bit_length(), "column": (config.cols - 1).bit_length(),
             "buffer": 1}
        )  # fmt: skip
        m.submodules.codes = memory = Memory(shape=word, depth=1 << place.size, init=[])
        write, read = memory.write_port(), memory.read_port()
        to, at = Signal(place), Signal(place)
        # What is to be passed on: a set that is complete, and one that became so meanwhile.
        job = data.StructLayout({"valid": 1, "last": place, "ends_layer": 1})
        current, waiting = Signal(job), Signal(job)
        buffer = Signal()
        ends = Signal()
        reading, ends_layer = Signal(), Signal()
        m.d.comb += [
            to.index.eq(self.group.index),
            to.column.eq(self.group.column),
            to.buffer.eq(buffer),
            write.addr.eq(to),
            write.data.codes.eq(self.codes),
            write.data.count.eq(self.group.count),
            write.en.eq(self.valid),
            read.addr.eq(at),
            read.en.eq(1),
            ends.eq(current.valid & (at.as_value() == current.last.as_value())),
            self.o_valid.eq(reading),
            self.o_codes.eq(read.data.codes),
            self.o_count.eq(read.data.count),
            self.o_last.eq(ends_layer),
        ]
        m.d.sync += [reading.eq(current.valid), ends_layer.eq(ends & current.ends_layer)]
        with m.If(self.valid & self.group.ends_set):
            m.d.sync += [
                buffer.eq(~buffer),
                waiting.valid.eq(1),
                waiting.last.eq(to),
                waiting.ends_layer.eq(self.group.ends_layer),
            ]
        with m.Elif(~current.valid | ends):
            m.d.sync += waiting.valid.eq(0)
        with m.If(~current.valid | ends):
            m.d.sync += current.eq(waiting)
            m.d.sync += [at.index.eq(0), at.column.eq(0), at.buffer.eq(waiting.last.buffer)]
        with m.Elif(at.index == current.last.index):
            m.d.sync += [at.index.eq(0), at.column.eq(at.column + 1)]
        with m.Else():
            m.d.sync += at.index.eq(at.index + 1)
        return m
