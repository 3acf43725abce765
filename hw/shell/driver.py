"""The host's side of a board: loads networks and classifies images over a serial port."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np

from dorefa.golden.errors import InputError

from ..config.engine import EngineConfig
from ..interface.register import Access, Register
from ..interface.registers import BOARD_REGISTERS, REGISTERS, engine_registers
from . import serial_host


class Port(Protocol):
    """What :class:`Board` needs of an open serial port, as pyserial's."""

    def write(self, data: bytes) -> object:
        """Sends bytes."""

    def read(self, count: int) -> bytes:
        """`count` bytes, fewer after a timeout."""

    def send_break(self) -> None:
        """Holds the line low for longer than a byte."""

    def reset_input_buffer(self) -> None:
        """Drops what has come in."""


def _write_command(address: int, word: int) -> bytes:
    """The bytes that write a word of the host map, or of the board's own words."""
    return bytes([serial_host.WRITE]) + struct.pack("<II", address, word)


class Board:
    """A board behind an open serial port, which `name` names in messages.

    :meth:`connect` first. Attributes then: `input_shape` (H, W, C) of the images, `classes`, and
    `result_bytes` of a result. Every method raises :class:`InputError` where the board does not answer.
    """

    input_shape: tuple[int, int, int]
    classes: int
    result_bytes: int

    def __init__(self, port: Port, name: str) -> None:
        self._port = port
        self._name = name

    def connect(self) -> None:
        """Ends whatever was under way, checks who answers and asks for the network's shape."""
        self._port.send_break()
        self._port.reset_input_buffer()
        for register in (BOARD_REGISTERS["identity"], REGISTERS["identity"], REGISTERS["version"]):
            found, expected = self.read(register.address), register.reset_word
            if found != expected:
                raise InputError(
                    f"{self._name}: word {register.address:#x} is {found:#x}; accepted: {expected:#x}, as on "
                    "a board that `dorefa build` of this release made"
                )
        self.clear_errors()
        sizes: dict[str, int] = {}
        for name in ("shape", "channels", "results"):
            sizes |= self._fields(BOARD_REGISTERS[name])
        self.input_shape = (sizes["height"], sizes["width"], sizes["channels"])
        self.result_bytes, self.classes = sizes["result_bytes"], sizes["classes"]

    def read(self, address: int) -> int:
        """The 32-bit word at a word address of the host map, or of the board's own words."""
        self._port.write(bytes([serial_host.READ]) + struct.pack("<I", address))
        return struct.unpack("<I", self._receive(4))[0]

    def require_engine(self, config: EngineConfig, where: str) -> None:
        """Raises :class:`InputError` unless the engine says the sizes of `config`, which is from `where`."""
        for register in engine_registers(config).values():
            if all(field.access is Access.CONSTANT for field in register.fields):
                found = self.read(register.address)
                if found != register.reset_word:
                    raise InputError(
                        f"{where}: register {register.name} is {register.reset_word:#x}; accepted on "
                        f"{self._name}: {found:#x}, that of its engine"
                    )

    def load(self, writes: Iterable[tuple[int, int]]) -> None:
        """Writes (word address, 32-bit word) pairs, as of ``CompiledNetwork.host_writes``."""
        self._port.write(b"".join(_write_command(*write) for write in writes))
        self.check_errors()

    def errors(self) -> list[str]:
        """What went wrong on the line since the errors were cleared."""
        register = BOARD_REGISTERS["errors"]
        seen = self._fields(register)
        return [field.meaning for field in register.fields if seen[field.name]]

    def clear_errors(self) -> None:
        """Clears the board's errors and the engine's, as of a dropped image."""
        for register in (BOARD_REGISTERS["errors"], REGISTERS["status"]):
            self._port.write(_write_command(register.address, register.clear_word))

    def check_errors(self) -> None:
        """Raises :class:`InputError` where the board has seen an error."""
        if found := self.errors():
            raise InputError(
                f"{self._name}: the board saw {found[0]}; accepted: a line at the board's rate "
                "(--baud) without other users"
            )

    def run(self, images: np.ndarray, progress: Callable[[int], object] | None = None) -> np.ndarray:
        """Accumulators of the last layer, int64 (batch, classes), of uint8 images (batch, H, W, C).

        `progress` is called with the number of images done.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.shape[1:] != self.input_shape:
            raise InputError(
                f"images are {images.dtype} of shape {images.shape}; the network on {self._name} accepts "
                f"uint8 of shape (batch, {', '.join(map(str, self.input_shape))})"
            )
        outputs = np.zeros((len(images), self.classes), np.int64)
        for number, image in enumerate(images):
            data = image.tobytes()
            self._port.write(bytes([serial_host.IMAGE]) + struct.pack("<I", len(data)) + data)
            answer = self._receive(self.classes * self.result_bytes)
            outputs[number] = np.frombuffer(answer, f"<i{self.result_bytes}")
            if progress is not None:
                progress(number + 1)
        self.check_errors()
        return outputs

    def cycles(self) -> int:
        """Clock cycles of the last image, from its first feature read to its last result."""
        return self._fields(REGISTERS["cycles"])["cycles"]

    def _fields(self, register: Register) -> dict[str, int]:
        """The fields of a register that is read now."""
        return register.decode(self.read(register.address))

    def _receive(self, count: int) -> bytes:
        """`count` bytes of an answer."""
        answer = self._port.read(count)
        if len(answer) != count:
            raise InputError(
                f"{self._name}: {len(answer)} of {count} bytes came in time; accepted: a board that "
                "`dorefa build` made, programmed, at the rate of its line (--baud)"
            )
        return answer
