"""The steps of an array: which word of the map, and of the weights, comes when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .sizes import RomSizes


class Walk(wiring.Component):
    """Steps through all windows of a map, a step a cycle, once for each `start`.

    Maps start at least as many cycles apart as one takes. Ports, from :attr:`latency` cycles after `start`
    on: `address` of a word of the map and whether it is `inside`, `weight`, the address of the weights,
    `first` and `last`, whether the step begins and ends the sums of outputs.
    """

    latency = 3

    def __init__(self, sizes: RomSizes) -> None:
        self._sizes = sizes
        super().__init__(
            {
                "start": In(1),
                "address": Out(range(2 * sizes.map_words)),
                "inside": Out(1),
                "weight": Out(range(sizes.pace)),
                "first": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m, sizes = Module(), self._sizes
        running, bank, weight = Signal(), Signal(), Signal.like(self.weight)
        height, width = sizes.values.shape[1:3]
        rows, columns = sizes.outputs
        (chunk, tap_x, tap_y, turn, group, x, y), ends = _nested(
            m,
            running,
            {
                "chunk": sizes.chunks,
                "tap_x": width,
                "tap_y": height,
                "turn": sizes.row_groups,
                "group": sizes.layer.groups,
                "x": columns,
                "y": rows,
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
        geometry, (map_rows, map_columns, _) = sizes.raster.geometry, sizes.shape
        axes = (
            ("row", y, tap_y, 0, map_rows, rows, height),
            ("column", x, tap_x, 1, map_columns, columns, width),
        )
        places, inside = [], Const(1, 1)
        for name, window, tap, axis, size, count, taps in axes:
            stride, dilation = geometry.stride[axis], geometry.dilation[axis]
            before = geometry.padding[axis]
            last = (count - 1) * stride + (taps - 1) * dilation - before
            place = Signal(signed(max(last, before, size).bit_length() + 1), name=name)
            m.d.sync += place.eq(window * stride + tap * dilation - before)
            if before > 0:
                inside = inside & (place >= 0)
            if last >= size:
                inside = inside & (place < size)
            places.append(place)
        word, base, address = Signal(range(sizes.words)), Signal(range(2 * sizes.map_words)), self.address
        m.d.sync += [
            word.eq(group * sizes.chunks + chunk),
            base.eq(Mux(bank, sizes.map_words, 0)),
            address.eq(base + (places[0] * map_columns + places[1]) * sizes.words + word),
            self.inside.eq(inside),
        ]
        begins = (chunk == 0) & (tap_x == 0) & (tap_y == 0)
        flags = {"weight": weight, "first": running & begins, "last": ends["tap_y"]}
        for name, value in flags.items():
            late = Signal.like(getattr(self, name), name=f"{name}_late")
            m.d.sync += [late.eq(value), getattr(self, name).eq(late)]
        return m


def _nested(m: Module, moves: Value, counts: dict[str, int]) -> tuple[Sequence[Value], dict[str, Value]]:
    """Counters, the innermost first, and by name whether it and all those within it end with this cycle."""
    values: list[Value] = []
    ends: dict[str, Value] = {}
    for name, count in counts.items():
        if count == 1:
            values.append(Const(0, 1))
        else:
            value, last = Signal(range(count), name=name), Signal(name=f"{name}_ends")
            with m.If(moves):
                m.d.sync += value.eq(Mux(value == count - 1, 0, value + 1))
            m.d.comb += last.eq(moves & (value == count - 1))
            values.append(value)
            moves = last
        ends[name] = moves
    return values, ends
