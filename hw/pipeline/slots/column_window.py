"""The column of pixels that a slot completes, and in which columns of a window it counts."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import Member, Out

from ..kernel.columns import Columns
from .position import Position
from .raster import Raster
from .window import Window


class ColumnWindow(Window):
    """A :class:`.Window` that shows one column: `x` has the codes of a window's rows, of all channels, in the
    column of the slot. A slot may come every cycle.

    `inside`: for each column of the window whether this one counts there; anything where the window does not.
    """

    def __init__(self, raster: Raster, channels: int, bits: int, *, signed: bool = False) -> None:
        super().__init__(raster, channels, bits, digit_bits=bits, signed=signed)

    @property
    def latency(self) -> int:
        """The register of the column."""
        return 1

    def _ports(self) -> dict[str, Member]:
        rows, columns = self.raster.geometry.kernel
        return super()._ports() | {"x": Out(rows * self.channels * self.bits), "inside": Out(columns)}

    def _columns(
        self,
        m: Module,
        step: Value,
        first_digit: Value,
        entering: Value,
        outside: Value,
        position: Position,
    ) -> list[Value]:
        register = Signal(len(entering), name="column", reset_less=True)
        # Read in the next cycle or not at all, so it need not wait for a slot.
        m.d.sync += register.eq(Mux(outside, self._blank(first_digit), entering))
        return [register]

    def _taps(
        self, m: Module, step: Value, first_digit: Value, rows: list[Value], position: Position
    ) -> list[Value]:
        columns, place = self.raster.shape[1], position.column
        inside: list[Value] = []
        for first in _firsts(self.raster):
            behind = place >= first if first > 0 else Const(1, 1)
            inside.append(behind & (place < columns + first) if first < 0 else behind)
        m.d.sync += self.inside.eq(Cat(inside))
        return super()._taps(m, step, first_digit, rows, position)


def _firsts(raster: Raster) -> list[int]:
    """For each column of the window, where it lies in the first window."""
    geometry = raster.geometry
    return [tap * geometry.dilation[1] - geometry.padding[1] for tap in range(geometry.kernel[1])]


def columns_of(raster: Raster, outside: int) -> Columns:
    """How the columns of windows come; `outside`: the code of pixels outside of the map."""
    geometry, columns = raster.geometry, raster.shape[1]
    last = (raster.outputs[1] - 1) * geometry.stride[1]
    return Columns(
        gated=[first < 0 or first + last >= columns for first in _firsts(raster)],
        dilation=geometry.dilation[1],
        outside=outside,
        # The first row of windows is complete in the first row of slots, and the first window begins before.
        clears=geometry.padding[1] > 0 and raster.lead_place[0] == 0,
    )
