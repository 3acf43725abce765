"""A UART: one start bit, eight data bits, lowest first, no parity, one stop bit (8N1)."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError

# Bit times of a byte on the line.
FRAME_BITS = 10
# Fewer cycles a bit leave the receiver's sample too far from the middle of the bit.
_LEAST_DIVISOR = 4
# Of a bit time, over a frame: what the other side's receiver tolerates, shared by both sides.
_PERCENT_OFF = 2


def baud_divisor(clock_hz: float, baud: int) -> int:
    """Clock cycles per bit, both rates in Hz.

    Raises :class:`InputError` where the clock cannot make the rate within 2 %.
    """
    if not isinstance(baud, int) or baud < 1:
        raise InputError(f"baud is {baud!r}; accepted: a positive integer")
    divisor = int(clock_hz / baud + 0.5)
    if divisor < _LEAST_DIVISOR:
        raise InputError(
            f"baud is {baud} at a clock of {clock_hz / 1e6:g} MHz; accepted: at most "
            f"{int(clock_hz) // _LEAST_DIVISOR} ({_LEAST_DIVISOR} cycles a bit)"
        )
    if abs(clock_hz - divisor * baud) * 100 > _PERCENT_OFF * divisor * baud:
        raise InputError(
            f"baud is {baud} at a clock of {clock_hz / 1e6:g} MHz; accepted: a rate that the clock makes "
            f"within {_PERCENT_OFF} %, as {int(clock_hz) // divisor}"
        )
    return divisor


class UartReceiver(wiring.Component):
    """Bytes from a serial line, sampled in the middle of each bit of `divisor` cycles.

    Ports: `rx`, the line (asynchronous, idle high); `data`, a byte in the cycle of `valid`, a pulse half
    a bit before its stop bit ends; `broken`, a pulse instead of it where the stop bit is low, as in a
    break. The next byte is then looked for once the line has been high.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"rx": In(1), "data": Out(8), "valid": Out(1), "broken": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.line = FFSynchronizer(self.rx, line, init=1)
        wait = Signal(range(self._divisor))
        left = Signal(range(FRAME_BITS + 1))
        armed = Signal()
        m.d.comb += [
            self.valid.eq((left == 1) & (wait == 0) & line),
            self.broken.eq((left == 1) & (wait == 0) & ~line),
        ]
        with m.If(left == 0):
            # Only a falling edge starts a byte.
            m.d.sync += armed.eq(line)
            with m.If(armed & ~line):
                m.d.sync += [left.eq(FRAME_BITS), wait.eq(self._divisor // 2 - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [left.eq(left - 1), wait.eq(self._divisor - 1)]
            with m.If(left != 1):
                m.d.sync += self.data.eq(Cat(self.data[1:], line))
            with m.If((left == FRAME_BITS) & line):
                # A pulse shorter than half a bit is noise.
                m.d.sync += left.eq(0)
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a serial line, `divisor` cycles a bit.

    Ports: `i`, stream of bytes, taken when the line is free; `tx`, the line, idle high. A byte occupies
    the line for ``10 * divisor`` cycles.
    """

    def __init__(self, divisor: int) -> None:
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        wait = Signal(range(self._divisor))
        left = Signal(range(FRAME_BITS + 1))
        later = Signal(FRAME_BITS - 1)
        m.d.comb += self.i.ready.eq(left == 0)
        with m.If(left == 0):
            with m.If(self.i.valid):
                m.d.sync += [self.tx.eq(0), later.eq(Cat(self.i.payload, 1))]
                m.d.sync += [left.eq(FRAME_BITS), wait.eq(self._divisor - 1)]
        with m.Elif(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.Else():
            m.d.sync += [left.eq(left - 1), wait.eq(self._divisor - 1)]
            with m.If(left != 1):
                m.d.sync += [self.tx.eq(later[0]), later.eq(later >> 1)]
        return m
