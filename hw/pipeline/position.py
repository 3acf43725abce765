"""Where in its image a slot is, and the window that it completes."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .raster import Raster


class _Place:
    """Row and column of a raster: `now`, of the slot that is there, and held until the next one."""

    def __init__(self, m: Module, shape: tuple[int, int], slot: Value, restart: Value, name: str) -> None:
        rows, columns = shape
        before = [Signal(range(size), name=f"{name}_{axis}") for size, axis in ((rows, "y"), (columns, "x"))]
        self.row, self.column = (Signal.like(signal, name=f"{signal.name}_now") for signal in before)
        row, column = before
        ends = column == columns - 1
        last = row == rows - 1
        self.wraps = ends & last
        with m.If(~slot):
            m.d.comb += [self.row.eq(row), self.column.eq(column)]
        with m.Elif(restart):
            m.d.comb += [self.row.eq(0), self.column.eq(0)]
        with m.Else():
            m.d.comb += self.column.eq(Mux(ends, 0, column + 1))
            m.d.comb += self.row.eq(Mux(ends, Mux(last, 0, row + 1), row))
        m.d.sync += [row.eq(self.row), column.eq(self.column)]


def _strided(m: Module, slot: Value, restart: Value, advance: Value, stride: int, name: str) -> Value:
    """Whether a number that starts at 0 with `restart` and counts with `advance` divides by the stride."""
    if stride == 1:
        return Signal(name=f"{name}_always", init=1)
    phase, now = (Signal(range(stride), name=f"{name}_phase{part}") for part in ("", "_now"))
    m.d.comb += now.eq(phase)
    with m.If(slot & restart):
        m.d.comb += now.eq(0)
    with m.Elif(slot & advance):
        m.d.comb += now.eq(Mux(phase == stride - 1, 0, phase + 1))
    m.d.sync += phase.eq(now)
    return now == 0


class Position(wiring.Component):
    """Counts slots, and windows :attr:`.Raster.lead` slots behind them.

    Ports: `slot`, with its `first` and `blank`. From then on until the next slot: its `row`; the column `x`
    of the window that it completes, without strides; `emitted`, whether the strides take this window and its
    image has begun; `empty`, whether that is blank; where it `tells_first`, `begins`, whether the window is
    the first one of its image.
    """

    def __init__(self, raster: Raster, *, tells_first: bool = True) -> None:
        self._raster, self._tells_first = raster, tells_first
        rows, columns = raster.shape
        names = ("emitted", "empty", *(("begins",) if tells_first else ()))
        flags = {name: Out(1) for name in names}
        super().__init__(
            {name: In(1) for name in ("slot", "first", "blank")}
            | {"row": Out(range(rows)), "x": Out(range(columns))}
            | flags
        )

    def elaborate(self, platform: Any) -> Module:
        m, raster = Module(), self._raster
        place = _Place(m, raster.shape, self.slot, self.first, "slot")
        lead_row, lead_column = raster.lead_place
        starts = Signal()
        m.d.comb += starts.eq((place.row == lead_row) & (place.column == lead_column))
        window = _Place(m, raster.shape, self.slot, starts, "window")
        running, runs = Signal(), Signal()
        blank, is_blank = Signal(), Signal()
        m.d.comb += [runs.eq(running), is_blank.eq(blank)]
        with m.If(self.slot & starts):
            m.d.comb += [runs.eq(1), is_blank.eq(self.blank)]
        with m.Elif(self.slot & window.wraps):
            m.d.comb += runs.eq(0)
        m.d.sync += [running.eq(runs), blank.eq(is_blank)]
        (stride_y, stride_x), (count_y, count_x) = raster.geometry.stride, raster.outputs
        new_row = window.column == 0
        taken = [
            _strided(m, self.slot, starts, new_row, stride_y, "y"),
            _strided(m, self.slot, starts | new_row, self.slot, stride_x, "x"),
            window.row <= (count_y - 1) * stride_y,
            window.column <= (count_x - 1) * stride_x,
        ]
        m.d.comb += [
            self.row.eq(place.row),
            self.x.eq(window.column),
            self.emitted.eq(runs & taken[0] & taken[1] & taken[2] & taken[3]),
            self.empty.eq(is_blank),
        ]
        if self._tells_first:
            m.d.comb += self.begins.eq((window.row == 0) & (window.column == 0))
        return m
