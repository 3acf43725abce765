"""The host's side of a board: loads networks and classifies images over a serial port."""

from __future__ import annotations

import struct

import numpy as np

from dorefa.golden.errors import InputError

from ..interface import memory_map
from . import serial_host

_ERRORS = ("a break or a low stop bit", "an image byte while it was busy", "an unknown command")


class Board:
    """A board behind `port`, an open serial port as pyserial's: ``write(bytes)``, ``read(count)`` with a
    timeout, ``send_break()`` and ``reset_input_buffer()``. `name` names it in messages.

    :meth:`connect` first. Attributes then: `input_shape` (H, W, C) of the images, `classes`, and
    `result_bytes` of a result. Every method raises :class:`InputError` where the board does not answer.
    """

    def __init__(self, port, name):
        self._port = port
        self._name = name
        self.input_shape = self.classes = self.result_bytes = None

    def connect(self) -> None:
        """Ends whatever was under way, checks who answers and asks for the network's shape."""
        self._port.send_break()
        self._port.reset_input_buffer()
        for place, expected in (
            (serial_host.BOARD_WORDS["identity"][0], serial_host.BOARD_IDENTITY),
            (memory_map.REGISTERS["identity"][0], memory_map.IDENTITY),
            (memory_map.REGISTERS["version"][0], memory_map.VERSION),
        ):
            found = self.read(place)
            if found != expected:
                raise InputError(
                    f"{self._name}: word {place:#x} is {found:#x}; accepted: {expected:#x}, as on a board "
                    "that `dorefa build` of this release made"
                )
        self.clear_errors()
        shape = self.read(serial_host.BOARD_WORDS["shape"][0])
        results = self.read(serial_host.BOARD_WORDS["results"][0])
        self.input_shape = (shape & 0xFFFF, shape >> 16, results & 0xFF)
        self.result_bytes, self.classes = results >> 8 & 0xFF, results >> 16

    def read(self, address: int) -> int:
        """The 32-bit word at a word address of the host map, or of the board's own words."""
        self._port.write(bytes([serial_host.READ]) + struct.pack("<I", address))
        return struct.unpack("<I", self._receive(4))[0]

    def load(self, writes) -> None:
        """Writes (word address, 32-bit word) pairs, as of ``CompiledNetwork.host_writes``."""
        command = bytes([serial_host.WRITE])
        self._port.write(b"".join(command + struct.pack("<II", *write) for write in writes))
        self.check_errors()

    def errors(self) -> list[str]:
        """What went wrong on the line since the errors were cleared."""
        bits = self.read(serial_host.BOARD_WORDS["errors"][0])
        return [text for bit, text in enumerate(_ERRORS) if bits >> bit & 1]

    def clear_errors(self) -> None:
        """Clears the board's errors and the engine's note of a dropped image."""
        for place, word in (
            (serial_host.BOARD_WORDS["errors"][0], 0),
            (memory_map.REGISTERS["status"][0], 2),
        ):
            self._port.write(bytes([serial_host.WRITE]) + struct.pack("<II", place, word))

    def check_errors(self) -> None:
        """Raises :class:`InputError` where the board has seen an error."""
        if found := self.errors():
            raise InputError(
                f"{self._name}: the board saw {found[0]}; accepted: a line at the board's rate "
                "(--baud) without other users"
            )

    def run(self, images, progress=None) -> np.ndarray:
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
        return self.read(memory_map.REGISTERS["cycles"][0])

    def _receive(self, count: int) -> bytes:
        """`count` bytes of an answer."""
        answer = self._port.read(count)
        if len(answer) != count:
            raise InputError(
                f"{self._name}: {len(answer)} of {count} bytes came in time; accepted: a board that "
                "`dorefa build` made, programmed, at the rate of its line (--baud)"
            )
        return answer
