"""The host's side of a board whose engine trains: the engine's ports over a serial line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from dorefa.golden.errors import InputError

from ..interface.registers import BOARD_REGISTERS, interface_word
from . import serial_link
from .engine_ports import Answers

# Bytes of a packet that are sent between two looks at what has come: codes leave while words come, and the
# buffers of serial ports hold little.
_PIECE = 512


class Port(serial_link.Port, Protocol):
    """What :class:`TrainingBoard` needs of an open serial port, as pyserial's."""

    @property
    def in_waiting(self) -> int:
        """How many bytes have come."""


class TrainingBoard(serial_link.SerialLink):
    """The ports (:class:`.engine_ports.EnginePorts`) of an engine on a board, see :class:`.SerialLink`.
    :meth:`connect_engine` first."""

    _port: Port

    def connect_engine(self, interface_sha256: str, where: str) -> None:
        """Ends whatever was under way and checks that the engine that answers has the interface that `where`
        says."""
        self.connect()
        register, expected = BOARD_REGISTERS["interface"], interface_word(interface_sha256)
        if (found := self.read(register.address)) != expected:
            engine = f"its engine's is {found:#010x}" if found else "its engine does not train"
            raise InputError(
                f"{self.name}: {engine}; accepted: {register.name} {expected:#010x}, that of {where}, as on "
                "the board that `dorefa build --training` made with it"
            )

    def run(
        self, images: np.ndarray, weights: Sequence[bytes] = (), *, answer_bytes: int, limit: int
    ) -> Answers:
        """See :class:`.engine_ports.EnginePorts`; a board has no port for `weights`. Not `limit` says how
        long an answer may take, but the timeout of the serial port."""
        if weights:
            raise ValueError("the engine of a board has its weights written")
        results = np.zeros((len(images), answer_bytes), np.uint8)
        for image, result in zip(np.ascontiguousarray(images, np.uint8), results, strict=True):
            result[:] = np.frombuffer(self._exchange(image.tobytes(), answer_bytes), np.uint8)
        self.check_errors()
        none = np.zeros(len(images), np.int64)
        return Answers(results=results, spans=none, cycles=none)

    def _exchange(self, packet: bytes, answer_bytes: int) -> bytes:
        """What a packet is answered with."""
        command, early = serial_link.packet_command(packet), b""
        for first in range(0, len(command), _PIECE):
            self._send(command[first : first + _PIECE])
            with self.guarded():
                waiting = self._port.in_waiting
            if waiting:
                early += self._take(waiting)
        if len(early) > answer_bytes:
            raise InputError(
                f"{self.name}: {len(early)} bytes came for a packet; accepted: {answer_bytes}, from the "
                "engine of its settings, on a line without other users"
            )
        return self._receive(answer_bytes, early)
