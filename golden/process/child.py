"""Child processes that end with this one: by its end, its interruption or its being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from .environment import environment
from .scratch import check_space

_GUARD = Path(__file__).with_name("guard.py")
_PATIENCE = 2.0  # seconds

_running: set[int] = set()


@contextmanager
def started(
    command: Sequence[str],
    *,
    folder: Path,
    stdout: int | IO = subprocess.DEVNULL,
    stderr: int | IO = subprocess.DEVNULL,
    variables: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """A `command` at work in `folder`; when the block ends, it and all that it started are ended.

    Its environment is :func:`.environment.environment` with `variables` on top; standard input is empty.
    """
    surroundings = environment(folder) | dict(variables or {})
    reading, writing = os.pipe()
    # An object, so that the pipe closes however this ends.
    with os.fdopen(writing, "wb"):
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARD), *command],
                cwd=folder,
                env=surroundings,
                stdin=reading,
                stdout=stdout,
                stderr=stderr,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        finally:
            os.close(reading)
        _running.add(process.pid)
        try:
            yield process
        finally:
            _kill(process.pid)
            process.wait()
            _running.discard(process.pid)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def run(
    command: Sequence[str],
    *,
    folder: Path,
    timeout: float | None = None,
    stdout: int | IO = subprocess.PIPE,
    stderr: int | IO = subprocess.PIPE,
    variables: Mapping[str, str] | None = None,
) -> tuple[int, str, str]:
    """(status, standard output, standard error) of a `command` that runs to its end as :func:`started`.

    The status is negative where a signal ended it. Raises `subprocess.TimeoutExpired` after `timeout`
    seconds, and :class:`InputError` when a disk is full afterwards.
    """
    with started(command, folder=folder, stdout=stdout, stderr=stderr, variables=variables) as process:
        out, err = process.communicate(timeout=timeout)
    check_space(folder)
    return process.returncode, out or "", err or ""


def signal_name(status: int) -> str:
    """What ended a process with the negative `status`, in words for a message."""
    if -status == signal.SIGXFSZ:
        return f"signal {-status}, a file larger than allowed (ulimit -f)"
    return f"signal {-status}"


def end_children() -> None:
    """Kills all children and waits until they are gone; for a process about to end."""
    children = list(_running)
    for process in children:
        _kill(process)
    until = time.monotonic() + _PATIENCE
    for process in children:
        # Not through Popen, whose lock whoever is interrupted may hold.
        with suppress(ChildProcessError):
            while os.waitpid(process, os.WNOHANG) == (0, 0) and time.monotonic() < until:
                time.sleep(0.01)


def _kill(leader: int) -> None:
    """Kills the group of a process that nobody has waited for yet, or whose guard still watches."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)
