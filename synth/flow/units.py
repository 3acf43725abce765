"""The engine, or one component of it alone, as a file that Yosys reads."""

from dataclasses import dataclass
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.hw.arith.dot import DotUnit
from dorefa.hw.arith.popcount import AndPopcount
from dorefa.hw.engine.components import make_quantizer
from dorefa.hw.engine.engine import Engine
from dorefa.hw.fabric.families import FABRICS
from dorefa.hw.generate.manifest import make_top
from dorefa.hw.verilog import export as verilog
from dorefa.hw.verilog import memory_macros

UNITS = ("engine", "core", "popcount", "dot", "quantizer")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Something to synthesize: `text` (Verilog), its module `top`, and the one-bit products it
    makes and counts per cycle (0 for a quantizer). `memory_macros` lists the memories that `text`
    leaves out, as :func:`dorefa.hw.verilog.memory_macros.describe` does; `black_boxes` declares them and
    `stand_ins` are registers in their place."""

    name: str
    top: str
    text: str
    binary_ops_per_cycle: int
    memory_macros: tuple[dict, ...] = ()
    black_boxes: str = ""
    stand_ins: str = ""

    def write(self, folder):
        """Writes the Verilog into `folder` and returns its path."""
        path = Path(folder) / f"{self.top}.v"
        path.write_text(self.text + self.black_boxes)
        return path


def make_unit(name, config, target=None, *, memory="logic"):
    """The :class:`Unit` called `name` (one of :data:`UNITS`) of an engine of `config`.

    Structure ``mapped`` uses the cells of `target` where that is a name of
    :data:`dorefa.hw.fabric.families.FABRICS`; for any other the Verilog is portable.

    `engine` is what `generate` writes, `core` the same without AXI4-Lite: streams and the host port.
    With `memory` ``macro`` its memories are left out.

    `popcount` and `dot` are one of the array's units, with the configuration's `lanes`, `structure`
    and `pipeline`; `quantizer` serves `quant` channels per cycle, with its parameter memories.
    """
    if name == "engine":
        top = verilog.MODULE
        component, operations = make_top(config), config.binary_ops_per_cycle
    elif name == "core":
        top, component, operations = "dorefa_core", Engine(config), config.binary_ops_per_cycle
    elif name in ("popcount", "dot"):
        top = f"dorefa_{name}"
        options = {
            "lanes": config.lanes,
            "structure": config.structure,
            "pipeline": config.pipeline,
            "xnor": config.xnor,
        }
        if name == "popcount":
            component = AndPopcount(**options)
        else:
            component = DotUnit(acc_bits=config.acc_bits, signed_planes=config.signed_planes, **options)
        operations = config.lanes
    elif name == "quantizer":
        top, component, operations = "dorefa_quantizer", make_quantizer(config), 0
    else:
        raise InputError(f"unknown unit {name!r}; accepted: {', '.join(UNITS)}")
    unit = {"name": name, "top": top, "binary_ops_per_cycle": operations}
    fabric = target if target in FABRICS else None
    if memory == "logic":
        return Unit(**unit, text=verilog.export(component, name=top, fabric=fabric))
    macros = verilog.export_macros(component, name=top, fabric=fabric)
    shapes = memory_macros.macro_instances(macros.shapes)
    return Unit(
        **unit,
        text=f"{macros.text}\n",
        memory_macros=tuple(memory_macros.describe(macros.shapes)),
        black_boxes=macros.stubs,
        stand_ins="\n".join(shape.stand_in() for shape in shapes),
    )
