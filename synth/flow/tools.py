"""Tools of the open flow, each run in a child process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from dorefa.golden.errors import InputError
from dorefa.golden.process import child
from dorefa.golden.process.python_tool import check_launched, python_tool

from ..targets.tool import Tool


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
    command = python_tool(tool.module, tool.function, argv=tool.argv)
    try:
        status, said, _ = child.run(
            [*command, *arguments],
            folder=Path(folder),
            timeout=timeout,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired as error:
        where = f" (log: {log})" if log else ""
        raise Unfinished(f"{name} took longer than {timeout:g} s{where}; accepted: {accepted}") from error
    check_ended(name, status)
    check_launched(name, status, said or (log.read_text(errors="replace") if log and log.exists() else ""))
    return status, said


def check_ended(name: str, status: int) -> None:
    """Raises :class:`Unfinished` where the `status` of the process of tool `name` says that a signal
    ended it."""
    if status < 0:
        raise Unfinished(
            f"{name} was ended by {child.signal_name(status)}; accepted: a run that is let finish"
        )
