"""Tools of the open flow, each run in a child process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from dorefa.golden.errors import InputError

from ..targets.tool import Tool

# Runs `function` of `module` as the tool's main function, whichever way it takes its arguments.
_RUN = "import sys, {module} as m; sys.exit(m.{function}({arguments}))"


class Unfinished(InputError):
    """A tool was stopped before it came to an end, by its time limit or a signal: another run may."""


def run(
    tool: Tool,
    arguments: Sequence[str],
    *,
    folder: Path | str,
    timeout: float,
    name: str | None = None,
    accepted: str = "a longer --timeout or a smaller engine",
    log: Path | None = None,
    output: IO[bytes] | None = None,
) -> tuple[int, str]:
    """Runs a tool in `folder` for at most `timeout` seconds; returns (exit status, all it said, empty where
    that goes into the file `output`).

    Raises :class:`Unfinished` when it takes longer, or something else ends it. What messages say: the `name`
    of the tool, `accepted`, and where its `log` is.
    """
    name = name or tool.name
    command = _RUN.format(
        module=tool.module, function=tool.function, arguments="" if tool.argv else "sys.argv[1:]"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", command, *arguments],
            cwd=Path(folder),
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        where = f" (log: {log})" if log else ""
        raise Unfinished(f"{name} took longer than {timeout:g} s{where}; accepted: {accepted}") from error
    check_ended(name, done.returncode)
    return done.returncode, done.stdout or ""


def check_ended(name: str, status: int) -> None:
    """Raises :class:`Unfinished` where the `status` of the process of tool `name` says that a signal
    ended it."""
    if status < 0:
        raise Unfinished(f"{name} was ended by signal {-status}; accepted: a run that is let finish")
