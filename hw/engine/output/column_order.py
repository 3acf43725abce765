"""The order in which the codes of several columns are stored."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from .drain import group_layout


class ColumnOrder(wiring.Component):
    """Puts the codes of several columns into storage order: all channels of one pixel, then those of
    the next. Two buffers: one fills while the other is passed on.

    Ports: `valid`, `codes`, `group` in; with a set's last group, whether it is valid or not, `set_ends`
    and `columns`, how many pixels the set leaves after pooling; `o_valid`, `o_codes`, `o_count`,
    `o_last` out. The groups of a set leave one a cycle.

    Latency: four cycles from `set_ends` to the set's first group, where none of a set before is left.
    """

    def __init__(self, config: EngineConfig, *, code_bits: int) -> None:
        self._config = config
        codes = config.total_quant * code_bits
        super().__init__(
            {
                "valid": In(1),
                "codes": In(codes),
                "group": In(group_layout(config)),
                "set_ends": In(1),
                "columns": In(range(config.cols + 1)),
                "o_valid": Out(1),
                "o_codes": Out(codes),
                "o_count": Out(config.total_quant.bit_length()),
                "o_last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        word = data.StructLayout({"codes": len(self.codes), "count": len(self.o_count)})
        place = data.StructLayout(
            {
                "index": (config.pool_depth - 1).bit_length(),
                "column": (config.cols - 1).bit_length(),
                "buffer": 1,
            }
        )
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
        ]
        m.d.sync += [
            reading.eq(current.valid),
            ends_layer.eq(ends & current.ends_layer),
            # A block RAM is slow to answer: nothing but a register is behind it.
            self.o_valid.eq(reading),
            self.o_codes.eq(read.data.codes),
            self.o_count.eq(read.data.count),
            self.o_last.eq(ends_layer),
        ]
        with m.If(self.set_ends & (self.columns != 0)):
            m.d.sync += [
                buffer.eq(~buffer),
                waiting.valid.eq(1),
                waiting.last.index.eq(self.group.index),
                waiting.last.column.eq(self.columns - 1),
                waiting.last.buffer.eq(buffer),
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
