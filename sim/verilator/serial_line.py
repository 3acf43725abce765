"""A board's core, compiled from its Verilog, behind the interface of a serial port, down to the pins."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from dorefa.hw.shell.board_core import BoardCore
from dorefa.hw.shell.stream_board import StreamBoard
from dorefa.hw.shell.uart import FRAME_BITS
from dorefa.hw.verilog import export

from . import build as model
from .model_process import ModelProcess, model_process

_SEND, _BREAK, _READ, _WAITING = 1, 2, 3, 4
_BREAK_BITS = 3 * FRAME_BITS + 1


class CompiledPort:
    """A serial port whose other end is a compiled board, see :func:`compiled_port`: what
    :class:`~dorefa.hw.shell.driver.Board` and :class:`~dorefa.hw.shell.training_board.TrainingBoard` need of
    pyserial. Every method raises :class:`SimulationError` where the model ends."""

    def __init__(self, process: ModelProcess, divisor: int, timeout: int) -> None:
        self._process = process
        self._divisor = divisor
        self._timeout = timeout

    def write(self, data: bytes) -> None:
        """Sends bytes; they have passed the line when it returns."""
        self._process.send(struct.pack("<QQ", _SEND, len(data)), data)
        self._process.numbers(1, len(data) * FRAME_BITS * self._divisor)

    def read(self, count: int) -> bytes:
        """`count` bytes, fewer where none came for `timeout` cycles."""
        return self._read(count, self._timeout)

    @property
    def in_waiting(self) -> int:
        """How many bytes have come."""
        self._process.send(struct.pack("<Q", _WAITING))
        return self._process.numbers(1, 0)[0]

    def send_break(self) -> None:
        """Holds the line low for longer than a byte."""
        self._process.send(struct.pack("<Q", _BREAK))
        self._process.numbers(1, _BREAK_BITS * self._divisor)

    def reset_input_buffer(self) -> None:
        """Drops what has come in, and what is under way."""
        while self._read(1 << 16, 2 * FRAME_BITS * self._divisor):
            pass

    def _read(self, count: int, cycles: int) -> bytes:
        self._process.send(struct.pack("<3Q", _READ, count, cycles))
        (found,) = self._process.numbers(1, (count + 1) * cycles)
        return self._process.receive(found, 0)


@contextmanager
def compiled_port(
    core: BoardCore | StreamBoard,
    *,
    divisor: int,
    timeout: int,
    cycles: int,
    seed: int = 1,
    verilog: str | None = None,
) -> Iterator[CompiledPort]:
    """A :class:`CompiledPort` with this core, after reset; its process is gone when the block ends.

    divisor: clock cycles a bit of this side; timeout: cycles for which :meth:`CompiledPort.read` waits for a
    byte; cycles: how many will be simulated, about (:func:`.build.build`); seed: of uninitialized memory;
    verilog: what is simulated instead of the core's own, as its netlist, with :data:`.export.MODULE` as its
    top. Raises what :func:`.build.build` raises, and :class:`SimulationError` where the process does not
    start.
    """
    if verilog is None:
        verilog = export.export(core, name=export.MODULE, summary=core.summary)
    executable = model.build(verilog, {}, cycles=cycles, main=model.LINE)
    # Verilator takes its seed as a positive 31-bit number.
    with model_process(executable, [str(1 + seed % 0x7FFFFFFE), str(divisor)]) as process:
        yield CompiledPort(process, divisor, timeout)
