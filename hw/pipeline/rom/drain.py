"""Codes of an array's sums, one output a cycle through the same comparators."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dorefa.golden.lowering.integer_network import IntegerLayer

from ...lib.delay import delayed
from ..kernel.multiple import multiple
from ..kernel.thresholds import count_reached
from ..slots.layer import stored_bits
from .sizes import RomSizes

# Tables of thresholds from this size on are block RAMs, as Yosys would choose.
TABLE_BITS = 2048


def _count_bits(layer: IntegerLayer) -> int:
    """Bits of a pooled count, or of a sum."""
    if layer.pool is not None and layer.pool.kind == "average_codes":
        return (((1 << (layer.code_bits or 1)) - 1) * layer.pool.area).bit_length()
    return layer.code_bits or stored_bits(layer)


class RomDrain(wiring.Component):
    """Takes the sums of `rows` outputs at a time, at least as many cycles apart, with what the last turn of a
    group of channels has in front.

    Ports: `load` with `sums` and `total`; `valid` and `word`: once a pixel the pooled counts of all channels,
    of :attr:`bits` each, or channel by channel sums where they are a result, the last ones :attr:`latency`
    cycles behind the last `load` of a pixel.
    """

    def __init__(self, sizes: RomSizes) -> None:
        self._sizes, layer = sizes, sizes.layer
        self.bits = _count_bits(layer)
        super().__init__(
            {
                "load": In(1),
                "sums": In(sizes.rows * sizes.sum_bits),
                "total": In(sizes.total_bits),
                "valid": Out(1),
                "word": Out((1 if layer.is_result else layer.out_channels) * self.bits),
            }
        )

    @property
    def latency(self) -> int:
        """Cycles from the last `load` to the slot."""
        return self._sizes.last_rows + self._late + (0 if self._sizes.layer.is_result else 1)

    @property
    def _late(self) -> int:
        """Cycles from a sum in front to its number."""
        return 3 if self._sizes.layer.is_result else 4

    def elaborate(self, platform: Any) -> Module:
        m, sizes = Module(), self._sizes
        channels, size = sizes.layer.out_channels, sizes.sum_bits
        held, total = Signal.like(self.sums, reset_less=True), Signal.like(self.total, reset_less=True)
        left, channel = Signal(range(sizes.rows + 1)), Signal(range(channels))
        moves, ends = left != 0, channel == channels - 1
        with m.If(self.load):
            m.d.sync += [held.eq(self.sums), total.eq(self.total), left.eq(self._rows(m))]
        with m.Elif(moves):
            m.d.sync += [held.eq(held[size:]), left.eq(left - 1)]
        with m.If(moves):
            m.d.sync += channel.eq(Mux(ends, 0, channel + 1))
        scaled, less, value = (
            Signal(signed(sizes.value_bits), name=name, reset_less=True)
            for name in ("scaled", "less", "value")
        )
        m.d.sync += [
            scaled.eq(multiple(held[:size], sizes.step)),
            less.eq(multiple(total, abs(sizes.low))),
            value.eq(scaled - less if sizes.low < 0 else scaled + less),
        ]
        number = Signal(self.bits, name="number", reset_less=True)
        m.d.sync += number.eq(self._number(m, channel, value))
        moved = delayed(m, moves, self._late, "moved")
        if sizes.layer.is_result:
            m.d.comb += [self.word.eq(number), self.valid.eq(moved)]
            return m
        first, last = self._pooled(m, moves & ends)
        joined = self._joined(number, delayed(m, first, self._late, "first"))
        with m.If(moved):
            m.d.sync += self.word.eq(Cat(self.word, joined)[self.bits :])
        m.d.sync += self.valid.eq(delayed(m, moves & ends & last, self._late, "ended"))
        return m

    def _rows(self, m: Module) -> Value:
        """Outputs of the turn whose sums come."""
        sizes = self._sizes
        if sizes.last_rows == sizes.rows:
            return Const(sizes.rows)
        turn = Signal(range(sizes.row_groups))
        last = turn == sizes.row_groups - 1
        with m.If(self.load):
            m.d.sync += turn.eq(Mux(last, 0, turn + 1))
        return Mux(last, sizes.last_rows, sizes.rows)

    def _pooled(self, m: Module, ends: Value) -> tuple[Value, Value]:
        """Whether the window is the first and the last one of its pixel; `ends`: it is done."""
        rows, columns = self._sizes.pooled
        if rows * columns == 1:
            return Const(1, 1), Const(1, 1)
        window = Signal(range(rows * columns))
        last = window == rows * columns - 1
        with m.If(ends):
            m.d.sync += window.eq(Mux(last, 0, window + 1))
        return window == 0, last

    def _joined(self, number: Signal, first: Value) -> Value:
        """With what the windows before have of the channel: it has gone round, and is in front."""
        pool, before = self._sizes.layer.pool, self.word[: self.bits]
        if pool is None:
            return number
        both = Mux(before > number, before, number) if pool.kind == "max" else before + number
        return Mux(first, number, both)[: self.bits]

    def _number(self, m: Module, channel: Signal, value: Signal) -> Value:
        """The count of a channel, a cycle behind its value, or its sum; values come two behind it."""
        layer, offsets = self._sizes.layer, self._sizes.offsets
        if layer.thresholds is None:
            if not offsets.any():
                return value
            (offset,) = self._table(m, channel, offsets[:, None])
            return value - offset
        low, high = self._sizes.value_bounds
        bounds = np.clip(layer.thresholds + offsets[:, None], low, high + 1)
        turns = layer.inverted.any()
        if turns:
            bounds = np.concatenate([bounds, layer.inverted[:, None]], axis=1)
        table = self._table(m, channel, bounds)
        reached = Signal(layer.thresholds.shape[1], reset_less=True)
        m.d.sync += reached.eq(Cat(value >= bound for bound in table[: len(reached)]))
        count = count_reached(list(reached))
        if not turns:
            return count
        return count ^ delayed(m, table[-1][0], 1, "inverted", reset_less=True).replicate(len(count))

    def _table(self, m: Module, channel: Signal, numbers: np.ndarray) -> list[Value]:
        """The numbers of a channel, int (channels, numbers), two cycles later."""
        size = self._sizes.value_bits
        shape = numbers.shape[1] * size
        words = [
            sum((int(number) % (1 << size)) << (size * place) for place, number in enumerate(row))
            for row in numbers
        ]
        block = {"rom_style": "block"} if shape * len(words) >= TABLE_BITS else {}
        m.submodules.table = table = Memory(shape=shape, depth=len(words), init=words, attrs=block)
        read = table.read_port()
        word = Signal(shape, reset_less=True)
        m.d.comb += read.addr.eq(channel)
        m.d.sync += word.eq(read.data)
        return [word[at : at + size].as_signed() for at in range(0, shape, size)]
