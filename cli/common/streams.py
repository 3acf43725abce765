"""The standard streams: one line and status 1 where output cannot be written, nothing lost silently."""

import io
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, suppress
from typing import TextIO

from dorefa.golden.errors import InputError

_FAILED = 1
_CLOSED = "standard output is closed; accepted: an open one, as >/dev/null"


def guarded(main: Callable[[], int]) -> int:
    """Runs a command and returns its exit status: 1, with a line on standard error, where standard output is
    closed or does not take all that was said.

    A reader that left early is no error. What standard error does not take is dropped.
    """
    _occupy_closed()
    if sys.stderr is None:
        with open(os.devnull, "w") as null, redirect_stderr(null):
            return guarded(main)
    if sys.stdout is None:
        say_error(f"dorefa: {_CLOSED}")
        return _FAILED
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names may be no text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = main()
    except SystemExit as left:
        status = int(left.code or 0)
    except BrokenPipeError:
        abandon(sys.stdout)
        status = 0
    try:
        write(sys.stdout, "")
    except BrokenPipeError:
        abandon(sys.stdout)
    except InputError as error:
        say_error(f"dorefa: {error}")
        status = status or _FAILED
    write(sys.stderr, "")
    return status


def _occupy_closed() -> None:
    """Opens the null device for each of the three descriptors that is closed: a file in its place would get
    what is meant for the stream."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def write(stream: TextIO, text: str) -> None:
    """Writes `text` at once. InputError where standard output does not take it; BrokenPipeError where its
    reader has left. What standard error does not take is dropped."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        abandon(stream)
        if stream is sys.stderr:
            return
        if isinstance(error, BrokenPipeError):
            raise
        raise InputError(
            f"standard output: cannot be written: {error.strerror}; accepted: a file or pipe with room"
        ) from None


def say_error(text: str, end: str = "\n") -> None:
    """Writes lines to standard error."""
    write(sys.stderr, text + end)


def abandon(stream: TextIO) -> None:
    """Drops what `stream` still holds, and all that it gets; else the end of the process would try again."""
    with suppress(OSError):  # without a descriptor, inside another program
        descriptor = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)
