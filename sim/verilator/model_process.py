"""One long-lived process of a compiled model, which takes commands from a pipe and answers on another."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dorefa.golden.process.child import started
from dorefa.golden.process.scratch import check_space, scratch_folder

from ..job.errors import SimulationError

# Wall-clock watchdog: after a grace of so many seconds, a model slower than so many cycles per second is
# taken for dead.
_GRACE = 60.0
_SLOWEST = 500
_START = 0.002  # seconds between two looks at whether the process is there


class ModelProcess:
    """The process, see :func:`model_process`. Every method raises :class:`SimulationError` where it fails or
    takes longer than its watchdogs allow; it is over then."""

    def __init__(self, process: subprocess.Popen[str], commands: io.FileIO, errors: IO[str]) -> None:
        self._process = process
        self._commands = commands
        self._errors = errors

    def send(self, *parts: bytes) -> None:
        """Sends a command."""
        with self._watched(0):
            left = memoryview(b"".join(parts))
            try:
                while left:
                    left = left[self._commands.write(left) :]
            except BrokenPipeError:
                self._fail()

    def numbers(self, count: int, cycles: int) -> tuple[int, ...]:
        """So many 64-bit numbers of an answer, which the model may take `cycles` for."""
        return struct.unpack(f"<{count}Q", self.receive(8 * count, cycles))

    def receive(self, count: int, cycles: int) -> bytes:
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
def model_process(executable: Path, arguments: list[str]) -> Iterator[ModelProcess]:
    """A :class:`ModelProcess` of an executable of :func:`.build.build`, whose command line is the name of the
    pipe and then `arguments`; process and files are gone when the block ends, however it does. Raises
    :class:`SimulationError` where it does not start."""
    with scratch_folder() as folder, (folder / "errors").open("w+") as errors:
        os.mkfifo(folder / "commands")
        with started(
            [str(executable), "commands", *arguments], folder=folder, stdout=subprocess.PIPE, stderr=errors
        ) as process:
            with _opened(folder / "commands", process, errors) as commands:
                yield ModelProcess(process, commands, errors)
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
