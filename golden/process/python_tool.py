"""Tools that come as Python packages, run by this Python in a process of their own."""

from __future__ import annotations

import sys

from ..errors import MachineError
from . import launch
from .child import signal_name


def python_tool(module: str, function: str, *, argv: bool = False) -> list[str]:
    """The command that runs `function` of `module`; `argv`: it reads the process's arguments instead of
    taking a list of them."""
    return [sys.executable, "-P", launch.__file__, module, function, "argv" if argv else "list"]


def why_ended(status: int, said: str) -> str:
    """Why a tool with a `status` other than 0 did not do its work, as far as what it `said` tells."""
    if status < 0:
        return f"ended by {signal_name(status)}"
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else f"status {status}, and no message"


def check_launched(name: str, status: int, said: str) -> None:
    """Raises :class:`MachineError` where the `status` of the tool `name` is that of its launcher."""
    if status == launch.FAILED:
        raise MachineError(f"{name} cannot be run: {why_ended(status, said)}")
