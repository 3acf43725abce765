"""The host's end of a board's line: commands out, answers in."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from dorefa.golden.errors import InputError

from ..interface.pipeline_registers import PIPELINE_REGISTERS
from ..interface.register import Access, Register
from ..interface.registers import BOARD_REGISTERS, REGISTERS
from . import serial_host

# Bytes for which a port waits at once: so few that each takes less than its timeout.
_PIECE = 1024


class Port(Protocol):
    """What :class:`SerialLink` needs of an open serial port, as pyserial's."""

    def write(self, data: bytes) -> object:
        """Sends bytes."""

    def read(self, count: int) -> bytes:
        """`count` bytes, fewer after a timeout."""

    def send_break(self) -> None:
        """Holds the line low for longer than a byte."""

    def reset_input_buffer(self) -> None:
        """Drops what has come in."""


class SerialLink:
    """A board behind an open serial port, which `name` names in messages.

    :meth:`connect` first. Every method raises :class:`InputError` where the board does not answer. `sent` and
    `received` count bytes; `registers`: those of what answers, an engine or a pipeline.
    """

    def __init__(self, port: Port, name: str) -> None:
        self._port = port
        self.name = name
        self.registers = REGISTERS
        self.sent = self.received = 0

    def connect(self) -> None:
        """Ends whatever was under way and checks who answers."""
        with self.guarded():
            self._port.send_break()
            self._port.reset_input_buffer()
        self._require(BOARD_REGISTERS["identity"])
        found = self._require(REGISTERS["identity"], PIPELINE_REGISTERS["identity"])
        self.registers = REGISTERS if found is REGISTERS["identity"] else PIPELINE_REGISTERS
        self._require(self.registers["version"])
        self.clear_errors()

    @property
    def is_pipeline(self) -> bool:
        """Whether a pipeline answers, and no engine."""
        return self.registers is PIPELINE_REGISTERS

    def _require(self, *registers: Register) -> Register:
        """The one of these registers, all constant and at one place, that the board has."""
        found = self.read(registers[0].address)
        for register in registers:
            if found == register.reset_word:
                return register
        accepted = " or ".join(f"{register.reset_word:#x}" for register in registers)
        raise InputError(
            f"{self.name}: word {registers[0].address:#x} is {found:#x}; accepted: {accepted}, as on a board "
            "that `dorefa build` of this release made"
        )

    def read(self, address: int) -> int:
        """The 32-bit word at a word address of the host map, or of the board's own words."""
        self._send(bytes([serial_host.READ]) + struct.pack("<I", address))
        return struct.unpack("<I", self._receive(4))[0]

    def write(self, words: Iterable[tuple[int, int]]) -> None:
        """Writes (word address, 32-bit word) pairs; the board answers nothing."""
        self._send(b"".join(_write_command(*pair) for pair in words))

    def fields(self, register: Register) -> dict[str, int]:
        """The fields of a register that is read now."""
        return register.decode(self.read(register.address))

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Says in one line what the operating system has against the port, as one that was unplugged."""
        try:
            yield
        except OSError as error:
            raise InputError(f"{self.name}: {error}; accepted: a serial port that stays") from None

    def _send(self, data: bytes) -> None:
        with self.guarded():
            self._port.write(data)
        self.sent += len(data)

    def _take(self, count: int) -> bytes:
        """`count` bytes, fewer after a timeout."""
        with self.guarded():
            data = self._port.read(count)
        self.received += len(data)
        return data

    def _receive(self, count: int, answer: bytes = b"") -> bytes:
        """`count` bytes of an answer, as long as some come; it begins with those in `answer`, which are
        here."""
        while len(answer) < count:
            wanted = min(count - len(answer), _PIECE)
            piece = self._take(wanted)
            answer += piece
            if len(piece) < wanted:
                raise InputError(
                    f"{self.name}: {len(answer)} of {count} bytes came in time; accepted: a board that "
                    "`dorefa build` made, programmed, at the rate of its line (--baud)"
                )
        return answer

    def errors(self) -> list[str]:
        """What went wrong on the line, and behind it, since the errors were cleared."""
        found = []
        for register in (BOARD_REGISTERS["errors"], self.registers["status"]):
            seen = self.fields(register)
            events = (field for field in register.fields if field.access is Access.CLEAR)
            found += [field.meaning for field in events if seen[field.name]]
        return found

    def clear_errors(self) -> None:
        """Clears the line's errors and those behind it, as of a dropped image."""
        registers = BOARD_REGISTERS["errors"], self.registers["status"]
        self.write((register.address, register.clear_word) for register in registers)

    def check_errors(self) -> None:
        """Raises :class:`InputError` where the board has seen an error."""
        if found := self.errors():
            raise InputError(
                f"{self.name}: the board saw {found[0]}; accepted: a line at the board's rate "
                "(--baud) without other users"
            )


def _write_command(address: int, word: int) -> bytes:
    """The bytes that write a word of the host map, or of the board's own words."""
    return bytes([serial_host.WRITE]) + struct.pack("<II", address, word)


def packet_command(packet: bytes) -> bytes:
    """The bytes that send a packet to the image port."""
    return bytes([serial_host.IMAGE]) + struct.pack("<I", len(packet)) + packet
