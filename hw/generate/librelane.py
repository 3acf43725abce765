"""Configuration of LibreLane, the open flow from Verilog to a chip's layout, for a generated engine.

The variables are those that LibreLane documents for all flows and for synthesis; what is not written
here has a default there. A process brings its own macros: their files are named, not made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from dorefa.golden.errors import InputError

from ..verilog import export as verilog
from ..verilog import memory_macros


def config_file(
    *,
    period_ns: float,
    shapes: Mapping[memory_macros.Shape, list[str]] | None = None,
    name: str = verilog.MODULE,
) -> str:
    """Text of ``config.json`` beside ``engine.v``, whose top is `name`; the clock has a
    period of `period_ns` nanoseconds.

    `shapes`, of :class:`.export.MacroVerilog`, makes a macro of each shape of memory: views are
    expected at ``macros/MODULE.gds``, ``.lef`` and ``.lib``, locations of the instances (um) are the
    user's. Raises :class:`InputError` for a period that is no positive number.
    """
    if not (math.isfinite(period_ns) and period_ns > 0):
        raise InputError(f"clock period is {period_ns:g} ns; accepted: a positive number")
    contents = {
        "meta": {"version": 2, "flow": "Classic"},
        "DESIGN_NAME": name,
        "VERILOG_FILES": ["dir::engine.v"],
        "CLOCK_PORT": "clk",
        "CLOCK_PERIOD": period_ns,
    }
    if shapes:
        contents["MACROS"] = {
            macro.module: {
                "gds": [f"dir::macros/{macro.module}.gds"],
                "lef": [f"dir::macros/{macro.module}.lef"],
                "lib": {"*": [f"dir::macros/{macro.module}.lib"]},
                "instances": {path: {"location": None, "orientation": "N"} for path in paths},
            }
            for macro, paths in memory_macros.macro_instances(shapes).items()
        }
    return json.dumps(contents, indent=2) + "\n"
