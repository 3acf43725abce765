"""Where in its image a slot is, and the window that it completes."""

from __future__ import annotations

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .raster import Raster


class _Place:
    """Row and column of a raster that advances, from a first place on."""

    def __init__(self, m: Module, raster: Raster, first: int, moves: Value, back: Value, name: str) -> None:
        shape, self._m, self._moves, self._back, self._name = raster.shape, m, moves, back, name
        places = divmod(first, shape[1])
        self.row, self.column = (
            Signal(range(size), name=f"{name}_{axis}", init=place)
            for size, axis, place in zip(shape, "yx", places, strict=True)
        )
        self.ends = self.column == shape[1] - 1
        self.last = self.row == shape[0] - 1
        with m.If(back):
            m.d.sync += [self.row.eq(places[0]), self.column.eq(places[1])]
        with m.Elif(moves):
            m.d.sync += self.column.eq(Mux(self.ends, 0, self.column + 1))
            with m.If(self.ends):
                m.d.sync += self.row.eq(Mux(self.last, 0, self.row + 1))

    def strided(self, moves: Value, wraps: Value, stride: int, axis: str) -> Value:
        """Whether the row or column divides by the stride, from the first one that wraps on."""
        if stride == 1:
            return Const(1, 1)
        m, phase = self._m, Signal(range(stride), name=f"{self._name}_{axis}_phase")
        with m.If(self._back):
            m.d.sync += phase.eq(0)
        with m.Elif(self._moves & moves):
            m.d.sync += phase.eq(Mux(wraps | (phase == stride - 1), 0, phase + 1))
        return phase == 0


def _at_most(value: Value, limit: int) -> Value:
    """Whether a value is at most `limit`; no comparison where it always is, which lint would find."""
    return Const(1, 1) if limit >= (1 << len(value)) - 1 else value <= limit


class Position(wiring.Component):
    """Counts slots, and windows :attr:`.Raster.lead` slots behind them.

    Ports: of the slot that is next, its `row` and `column`; the column `x` of the window that it completes,
    without strides; whether the window is `emitted`, one that the strides take, of an image that has begun,
    and whether this is `empty`: one that began with `blank`. `moves`: the slot is done. `back`: to the place
    before an image.
    """

    def __init__(self, raster: Raster) -> None:
        self._raster = raster
        rows, columns = raster.shape
        super().__init__(
            {name: In(1) for name in ("moves", "back", "blank")}
            | {"row": Out(range(rows)), "column": Out(range(columns)), "x": Out(range(columns))}
            | {"emitted": Out(1), "empty": Out(1)}
        )

    def elaborate(self, platform: Any) -> Module:
        m, raster = Module(), self._raster
        slot = _Place(m, raster, 0, self.moves, self.back, "slot")
        window = _Place(m, raster, -raster.lead % raster.slots, self.moves, self.back, "window")
        begins, begun, was_blank = Signal(), Signal(), Signal()
        m.d.comb += [
            begins.eq((window.row == 0) & (window.column == 0)),
            self.empty.eq(Mux(begins, self.blank, was_blank)),
        ]
        with m.If(self.back):
            m.d.sync += begun.eq(0)
        with m.Elif(self.moves & begins):
            m.d.sync += [begun.eq(1), was_blank.eq(self.blank)]
        (stride_y, stride_x), (count_y, count_x) = raster.geometry.stride, raster.outputs
        m.d.comb += [
            self.row.eq(slot.row),
            self.column.eq(slot.column),
            self.x.eq(window.column),
            self.emitted.eq(
                (begun | begins)
                & window.strided(window.ends, window.last, stride_y, "y")
                & window.strided(Const(1, 1), window.ends, stride_x, "x")
                & _at_most(window.row, (count_y - 1) * stride_y)
                & _at_most(window.column, (count_x - 1) * stride_x)
            ),
        ]
        return m
