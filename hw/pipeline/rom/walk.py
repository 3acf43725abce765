"""The steps of an array: which word of the map, and of the weights, comes when."""

from __future__ import annotations

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...lib.delay import delayed
from ..kernel.multiple import multiple
from .sizes import RomSizes


class Walk(wiring.Component):
    """Steps through all windows of a map, a step a cycle, once for each `start`.

    Maps start at least as many cycles apart as one takes. Ports, from :attr:`latency` cycles after `start`
    on: `address` of a word of the map and whether it is `inside`, `weight`, the address of the weights,
    `first` and `last`, whether the step begins and ends the sums of outputs.
    """

    latency = 4

    def __init__(self, sizes: RomSizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "start": In(1),
                "address": Out(range(2 * sizes.map_words)),
                "inside": Out(1),
                "weight": Out(range(sizes.window_steps)),
                "first": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m, sizes = Module(), self._sizes
        running, bank, weight = Signal(), Signal(), Signal.like(self.weight)
        height, width = sizes.values.shape[1:3]
        value, ends = _nested(
            m,
            running,
            {
                "chunk": sizes.chunks,
                "tap_x": width,
                "tap_y": height,
                "turn": sizes.row_groups,
                "group": sizes.layer.groups,
                "pooled_x": sizes.pooled[1],
                "pooled_y": sizes.pooled[0],
                "x": sizes.outputs[1],
                "y": sizes.outputs[0],
            },
        )
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.Elif(ends["y"]):
            m.d.sync += running.eq(0)
        with m.If(ends["y"]):
            m.d.sync += bank.eq(~bank)
        with m.If(running):
            m.d.sync += weight.eq(Mux(ends["group"], 0, weight + 1))
        row, inside_rows = self._place(m, 0, value["y"], value["pooled_y"], value["tap_y"])
        column, inside_columns = self._place(m, 1, value["x"], value["pooled_x"], value["tap_x"])
        inside, word, base = Signal(), Signal(range(sizes.words)), Signal(range(sizes.map_words + 1))
        pixel, first_word = Signal(range(sizes.shape[0] * sizes.shape[1])), Signal.like(self.address)
        m.d.sync += [
            word.eq(multiple(value["group"], sizes.chunks) + value["chunk"]),
            base.eq(Mux(bank, sizes.map_words, 0)),
            pixel.eq(multiple(row, sizes.shape[1]) + column),
            inside.eq(inside_rows & inside_columns),
            first_word.eq(base + word),
            self.address.eq(multiple(pixel, sizes.words) + first_word),
            self.inside.eq(inside),
        ]
        begins = running & (value["chunk"] == 0) & (value["tap_x"] == 0) & (value["tap_y"] == 0)
        for name, flag in (("weight", weight), ("first", begins), ("last", ends["tap_y"])):
            m.d.comb += getattr(self, name).eq(delayed(m, flag, self.latency - 1, name))
        return m

    def _place(self, m: Module, axis: int, pixel: Value, pooled: Value, tap: Value) -> tuple[Value, Value]:
        """(row or column of the map, whether there is one), a cycle later."""
        sizes, geometry, pool = self._sizes, self._sizes.raster.geometry, self._sizes.layer.pool
        apart = 1 if pool is None else pool.stride[axis]
        stride, dilation, before = geometry.stride[axis], geometry.dilation[axis], geometry.padding[axis]
        size, taps = sizes.shape[axis], sizes.values.shape[1 + axis]
        window = (sizes.outputs[axis] - 1) * apart + sizes.pooled[axis] - 1
        last = window * stride + (taps - 1) * dilation - before
        place = Signal(
            signed(max(last, before, size).bit_length() + 1), name="row" if axis == 0 else "column"
        )
        m.d.sync += place.eq(
            multiple(multiple(pixel, apart) + pooled, stride) + multiple(tap, dilation) - before
        )
        inside: Value = Const(1, 1)
        if before > 0:
            inside = inside & (place >= 0)
        if last >= size:
            inside = inside & (place < size)
        return place, inside


def _nested(m: Module, moves: Value, counts: dict[str, int]) -> tuple[dict[str, Value], dict[str, Value]]:
    """Counters, the innermost first, and whether each and all those within it end with this cycle."""
    values: dict[str, Value] = {}
    ends: dict[str, Value] = {}
    for name, count in counts.items():
        values[name] = Const(0, 1)
        if count > 1:
            # Whether it is the last one is a register: the chain of them is long enough.
            value, at_end = Signal(range(count), name=name), Signal(name=f"{name}_at_end")
            with m.If(moves):
                m.d.sync += [value.eq(Mux(at_end, 0, value + 1)), at_end.eq(value == count - 2)]
            values[name], moves = value, moves & at_end
        ends[name] = moves
    return values, ends
