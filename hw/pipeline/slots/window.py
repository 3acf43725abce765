"""Windows over a stream of slots: rows in a line buffer, columns in registers.

The line buffer holds, in a word for each column, the pixels above it. A pixel that comes shifts through
registers together with those above; a tap shows it as many pixels later as its column lies to the left.
Pixels outside of the map are shown as zeros: registers are cleared where their pixel enters or wraps around
the end of a row. That costs no table, and no slot.
"""

from __future__ import annotations

from typing import Any

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Member, Out

from ...lib.delay import delayed
from .memories import ram_style
from .position import Position
from .raster import Raster
from .slot import slot_signature


class Window(wiring.Component):
    """All pixels of a window at once, for slots whose words have `channels` codes of `bits` bits.

    With `steps` above 1 a slot takes as many cycles: its codes leave in digits of `digit_bits` bits, the
    highest first; no slot may come before. signed: codes are two's complement, and leave greater by
    2^(bits - 1), as what is outside of the map does.

    Ports: `i`, the slots; `x`, the digits of all pixels of the window (rows, columns, channels), the first
    one's lowest; `step`, whether they are there, `first_digit`; `emitted` with the last digit of a window
    that counts, and `empty`, as of :class:`.Position`; `restart`. What a slot completes is there
    :attr:`latency` cycles after its last digit.
    """

    def __init__(
        self, raster: Raster, channels: int, bits: int, *, digit_bits: int, signed: bool = False
    ) -> None:
        self.raster, self.channels, self.bits, self.digit_bits = raster, channels, bits, digit_bits
        self.steps, self._signed = -(-bits // digit_bits), signed
        super().__init__(self._ports())

    @property
    def latency(self) -> int:
        """None where nothing is kept: a pixel alone, all digits at once."""
        return 0 if self.raster.pixelwise and self.steps == 1 else 1

    def _ports(self) -> dict[str, Member]:
        """The signature."""
        taps = self.raster.geometry.kernel[0] * self.raster.geometry.kernel[1]
        flags = ("step", "first_digit", "emitted", "empty", "restart")
        return {
            "i": In(slot_signature(self.channels * self.bits)),
            "x": Out(taps * self.channels * self.digit_bits),
        } | {name: Out(1) for name in flags}

    def elaborate(self, platform: Any) -> Module:
        m, raster = Module(), self.raster
        m.submodules.position = position = Position(raster)
        step, digit, word = self._digits(m)
        # A restart comes when the slot before it is done.
        restart = delayed(m, self.i.restart, self.steps - 1, "restart")
        last, blank = step & (digit == self.steps - 1), self.i.blank
        if self.steps > 1:
            held = Signal(name="blank")
            m.d.sync += held.eq(Mux(self.i.valid, self.i.blank, held))
            blank = held
        m.d.comb += [position.moves.eq(last), position.back.eq(restart), position.blank.eq(blank)]
        rows = self._rows(m, step, restart, word)
        taps = self._taps(m, step, digit == 0, rows, position) if self.latency else rows
        m.d.comb += self.x.eq(Cat(taps))
        domain = m.d.sync if self.latency else m.d.comb
        domain += [
            self.step.eq(step),
            self.first_digit.eq(step & (digit == 0)),
            self.emitted.eq(last & position.emitted),
            self.empty.eq(position.empty),
            self.restart.eq(restart),
        ]
        return m

    def _digits(self, m: Module) -> tuple[Value, Value, Value]:
        """(whether there is a digit, its number, the digit of all channels)."""
        bits, size, steps = self.bits, self.digit_bits, self.steps
        codes = [self.i.word[channel * bits : (channel + 1) * bits] for channel in range(self.channels)]
        if self._signed:
            codes = [Cat(code[:-1], ~code[-1]) for code in codes]
        # Filled up in front, so that all digits are of one size.
        parts = [
            Cat(Cat(code, Const(0, steps * size - bits))[at : at + size] for code in codes)
            for at in range((steps - 1) * size, -1, -size)
        ]
        if steps == 1:
            return self.i.valid, Const(0, 1), parts[0]
        digit, rest = Signal(range(steps)), Signal(sum(map(len, parts[1:])))
        width = len(parts[0])
        step = self.i.valid | (digit != 0)
        with m.If(self.i.valid):
            m.d.sync += [digit.eq(1), rest.eq(Cat(parts[1:]))]
        with m.Elif(digit != 0):
            m.d.sync += [digit.eq(Mux(digit == steps - 1, 0, digit + 1)), rest.eq(rest[width:])]
        number = Mux(self.i.valid, 0, digit)
        return step, number, Mux(self.i.valid, parts[0], rest[:width])

    def _rows(self, m: Module, step: Value, restart: Value, word: Value) -> list[Value]:
        """The digit that comes and those of the rows above it, the nearest first."""
        above, width = self.raster.geometry.reach[0] - 1, len(word)
        if not above:
            return [word]
        depth = self.raster.shape[1] * self.steps
        line = Signal(above * width, name="line")
        rows = [line[at * width : (at + 1) * width] for at in range(above)]
        new = Cat(word, *rows[:-1])
        if depth <= 2:
            behind = Signal(above * width, name="line_behind") if depth == 2 else new
            with m.If(step):
                m.d.sync += [line.eq(behind), *([behind.eq(new)] if depth == 2 else [])]
            return [word, *rows]
        style = ram_style(above * width, depth)
        m.submodules.lines = lines = Memory(shape=above * width, depth=depth, init=[], attrs=style)
        write, read = lines.write_port(), lines.read_port()
        # Read two places ahead, so that the memory has a register behind it.
        place, ahead, beyond = (
            Signal(range(depth), name=f"line_{name}", init=number)
            for number, name in enumerate(("place", "ahead", "beyond"))
        )
        with m.If(restart):
            m.d.sync += [place.eq(0), ahead.eq(1), beyond.eq(2)]
        with m.Elif(step):
            m.d.sync += [
                place.eq(ahead),
                ahead.eq(beyond),
                beyond.eq(Mux(beyond == depth - 1, 0, beyond + 1)),
                line.eq(read.data),
            ]
        m.d.comb += [
            read.addr.eq(Mux(step, beyond, ahead)),
            write.en.eq(step),
            write.addr.eq(place),
            write.data.eq(new),
        ]
        return [word, *rows]

    def _taps(
        self, m: Module, step: Value, first_digit: Value, rows: list[Value], position: Position
    ) -> list[Value]:
        """The pixels of the window, rows and columns as of the kernel."""
        geometry = self.raster.geometry
        taps: list[Value] = []
        for tap in range(geometry.kernel[0]):
            back = geometry.reach[0] - 1 - tap * geometry.dilation[0]
            outside = self._outside_rows(position, back)
            taps += self._columns(m, step, first_digit, rows[back], outside, position)
        return taps

    def _outside_rows(self, position: Position, back: int) -> Value:
        """Whether the pixel this many rows above the slot lies outside of the window's map."""
        rows, lead = self.raster.shape[0], self.raster.lead_place[0]
        # Before the lead slots complete windows of the image before, for which they are rows of the padding.
        inside = [-rows <= row - back < 0 if row < lead else row >= back for row in range(rows)]
        return _choose(position.row, [not value for value in inside])

    def _columns(
        self,
        m: Module,
        step: Value,
        first_digit: Value,
        entering: Value,
        outside: Value,
        position: Position,
    ) -> list[Value]:
        """The pixels of a row of the window, the leftmost first."""
        geometry, columns = self.raster.geometry, self.raster.shape[1]
        (_, left, _, right), reach = geometry.padding, geometry.reach[1]
        blank = self._blank(first_digit)
        shown: list[Value] = []
        source, empty = entering, outside
        for place in range(reach):
            # Of the window's columns this one; negative padding has none outside.
            column = reach - 1 - place
            before = Const(0, 1) if column >= left else position.x < left - column
            behind = Const(0, 1) if place >= right else position.x >= columns + left - column
            register = Signal(len(entering), name=f"column_{place}", reset_less=True)
            with m.If(step):
                m.d.sync += register.eq(Mux(empty | before, blank, source))
            tap = register
            if place < right:
                tap = Signal(len(entering), name=f"column_{place}_masked", reset_less=True)
                with m.If(step):
                    m.d.sync += tap.eq(Mux(empty | before | behind, blank, source))
            shown.append(tap)
            source, empty = register, Const(0, 1)
            for digit in range(self.steps - 1 if place < reach - 1 else 0):
                later = Signal(len(entering), name=f"column_{place}_{digit}", reset_less=True)
                with m.If(step):
                    m.d.sync += later.eq(source)
                source = later
        return [shown[reach - 1 - tap * geometry.dilation[1]] for tap in range(geometry.kernel[1])]

    def _blank(self, first_digit: Value) -> Value:
        """The digits of a pixel outside of the map."""
        if not self._signed:
            return Const(0, self.channels * self.digit_bits)
        top = self.bits - 1 - (self.steps - 1) * self.digit_bits
        bits = [Const(0, 1)] * self.digit_bits
        bits[top] = first_digit
        return Cat(*bits * self.channels)


def _choose(number: Value, flags: list[bool]) -> Value:
    """The flag of a number."""
    if len(set(flags)) == 1:
        return Const(int(flags[0]), 1)
    return Array(Const(int(flag), 1) for flag in flags)[number]
