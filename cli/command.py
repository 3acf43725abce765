"""The process of the `dorefa` command: an interruption ends it at once, wherever it is.

No exception is raised, which something on the way could take for its own: what must not stay is removed, and
the process ends. A second interruption changes nothing. Signals that the caller had ignored stay so.
"""

import atexit
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST = (
    ("dorefa.golden.process.child", "end_children"),
    ("dorefa.golden.leftovers", "remove_leftovers"),
)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    """Handler of :data:`_SIGNALS`: ends the process with status 128 + the signal's number."""
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    try:
        clear_line = "\r\x1b[K" if os.isatty(2) else ""
        os.write(2, f"{clear_line}dorefa: interrupted\n".encode())
    except OSError:
        pass  # nobody reads it
    try:
        for module, function in _LAST:
            # What is not loaded, or not wholly, has left nothing.
            with suppress(KeyError, AttributeError):
                getattr(sys.modules[module], function)()
    finally:
        os._exit(128 + number)


def command() -> NoReturn:
    """Entry point of the installed `dorefa` script and of `python -m dorefa.cli`."""
    handle_signals()
    from .main import main

    run(main)


def handle_signals() -> None:
    """Makes interruptions end the process from now on; for before anything that takes time is imported."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupted)


def run(main: Callable[[], int]) -> NoReturn:
    """Runs a command and ends the process with its exit status."""
    from .common.streams import guarded

    status = guarded(main)
    # Python's own way to end would take the handlers away while there is still work to interrupt.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # full, closed or none
            stream.flush()
    os._exit(status)
