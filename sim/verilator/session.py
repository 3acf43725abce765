"""One long-lived process of the compiled model, seen at its ports only: AXI4-Lite, images and weights in,
results out."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from dorefa.golden.process.child import started
from dorefa.golden.process.scratch import check_space, scratch_folder
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.interface.registers import REGISTERS

from ..job.errors import SimulationError
from . import build as model

_WRITE, _READ, _RUN = 1, 2, 3
_STAMPS = 5  # numbers in front of what a packet was answered
# Wall-clock watchdog: after a grace of so many seconds, a model slower than so many cycles per second is
# taken for dead.
_GRACE = 60.0
_SLOWEST = 500
_START = 0.002  # seconds between two looks at whether the process is there


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came of packets: `results`, uint8 (packets, bytes); per packet, int64, `cycles` that the engine's
    register says, and from reset the cycles of its first and last beat in (`first_in`, `last_in`) and out
    (`first_out`, `last_out`, 0 where nothing came out)."""

    results: np.ndarray
    cycles: np.ndarray
    first_in: np.ndarray
    last_in: np.ndarray
    first_out: np.ndarray
    last_out: np.ndarray


class Session:
    """The engine's ports, see :func:`session`. Every method raises :class:`SimulationError` where the engine
    breaks a protocol, does not answer, or takes longer than its watchdogs allow; the session is over then."""

    def __init__(
        self, process: subprocess.Popen[str], commands: io.FileIO, errors: IO[str], stalls: int
    ) -> None:
        self._process = process
        self._commands = commands
        self._errors = errors
        self._stalls = stalls

    def write(self, words: Iterable[tuple[int, int]]) -> int:
        """Writes (word address, 32-bit word) pairs through AXI4-Lite; returns the cycles that took."""
        pairs = np.array([*words], np.uint64).reshape(-1, 2)
        if not len(pairs):
            return 0
        pairs[:, 0] *= 4
        self._send(struct.pack("<QQ", _WRITE, len(pairs)), pairs.astype("<u8").tobytes())
        return self._numbers(1, 100 * len(pairs))[0]

    def read(self, address: int) -> int:
        """The 32-bit word at a word address, through AXI4-Lite."""
        self._send(struct.pack("<QQ", _READ, 4 * address))
        return self._numbers(1, 1000)[0]

    def run(
        self, images: np.ndarray, weights: Sequence[bytes] = (), *, answer_bytes: int, limit: int
    ) -> Answers:
        """Sends packets `images`, uint8 (packets, bytes), each when the one before is answered, and meanwhile
        packets `weights` (all of one size) to their own port.

        answer_bytes: of the packet that answers each, 0 for none; limit: cycles that each may take where no
        port stalls.
        """
        size = len(weights[0]) if weights else 0
        if any(len(packet) != size for packet in weights):
            raise ValueError("packets of weights have one size")
        images = np.ascontiguousarray(images, np.uint8)
        limit = limit * 100 // (100 - self._stalls) * (2 if self._stalls else 1)
        head = (_RUN, *images.shape, len(weights), size, answer_bytes, limit)
        self._send(struct.pack("<8Q", *head, REGISTERS["cycles"].offset), images.tobytes(), *weights)
        stamps, results = [], []
        for _ in images:
            stamps.append(self._numbers(_STAMPS, limit))
            results.append(np.frombuffer(self._receive(answer_bytes, 0), np.uint8))
        self._numbers(1, 0)  # the end, which an engine does not reach that leaves weights
        first_in, last_in, first_out, last_out, cycles = np.array(stamps, np.int64).reshape(-1, _STAMPS).T
        return Answers(
            results=np.stack(results) if results else np.zeros((0, answer_bytes), np.uint8),
            cycles=cycles,
            first_in=first_in,
            last_in=last_in,
            first_out=first_out,
            last_out=last_out,
        )

    def _send(self, *parts: bytes) -> None:
        with self._watched(0):
            left = memoryview(b"".join(parts))
            try:
                while left:
                    left = left[self._commands.write(left) :]
            except BrokenPipeError:
                self._fail()

    def _numbers(self, count: int, cycles: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}Q", self._receive(8 * count, cycles))

    def _receive(self, count: int, cycles: int) -> bytes:
        """So many bytes, which the model may take `cycles` for."""
        with self._watched(cycles):
            assert isinstance(self._process.stdout, io.TextIOWrapper), "a pipe"
            data = self._process.stdout.buffer.read(count)
        if len(data) < count:
            self._fail()
        return data

    @contextmanager
    def _watched(self, cycles: int) -> Iterator[None]:
        """Kills the process when the block takes longer than `cycles` may."""
        limit = _GRACE + cycles / _SLOWEST
        watchdog = threading.Timer(limit, self._process.kill)
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _fail(self) -> None:
        """Raises :class:`SimulationError` with what the process said before it ended."""
        status = self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().strip()
        slow = f"killed: slower than {_SLOWEST} cycles a second" if status < 0 else f"status {status}"
        raise SimulationError(f"compiled model: {said or slow}")


@contextmanager
def session(
    verilog: str, config: EngineConfig, *, cycles: int, stalls: int = 0, seed: int = 1
) -> Iterator[Session]:
    """A :class:`Session` with the engine `verilog` of `config`, after reset; its process and files are gone
    when the block ends, however it does.

    cycles: how many will be simulated, about (:func:`.build.build`); stalls: chance in percent that a stream
    waits in a cycle, on either side; seed: of these and of uninitialized memory. Raises what
    :func:`.build.build` raises, and :class:`SimulationError` where the process does not start.
    """
    executable = model.build(verilog, {}, cycles=cycles, main=model.SESSION)
    with scratch_folder() as folder, (folder / "errors").open("w+") as errors:
        os.mkfifo(folder / "commands")
        # Verilator takes its seed as a positive 31-bit number.
        arguments = ["commands", str(1 + seed % 0x7FFFFFFE), str(config.port_bytes), str(stalls)]
        with started(
            [str(executable), *arguments], folder=folder, stdout=subprocess.PIPE, stderr=errors
        ) as process:
            with _opened(folder / "commands", process, errors) as commands:
                yield Session(process, commands, errors, stalls)
        check_space(folder)


@contextmanager
def _opened(path: Path, process: subprocess.Popen[str], errors: IO[str]) -> Iterator[io.FileIO]:
    """The writing end of a named pipe that `process` opens for reading."""
    until = time.monotonic() + _GRACE
    while True:
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:  # nobody reads yet
                raise
            if process.poll() is not None or time.monotonic() > until:
                errors.seek(0)
                raise SimulationError(f"compiled model does not start: {errors.read().strip()}") from error
            time.sleep(_START)
    os.set_blocking(pipe, True)
    # Without a buffer: nothing is left to be written when it closes, whoever still reads.
    with open(pipe, "wb", buffering=0) as commands:
        yield commands
