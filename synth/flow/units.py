"""The engine, or one component of it alone, as a file that Yosys reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from amaranth import Elaboratable

from dorefa.golden.errors import InputError
from dorefa.golden.quantizers.gradient import WORD_BITS
from dorefa.hw.arith.dot import DotUnit
from dorefa.hw.arith.popcount import AndPopcount
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.components import make_quantizer
from dorefa.hw.engine.engine import Engine
from dorefa.hw.engine.training.gradient_quantizer import GradientQuantizer
from dorefa.hw.engine.training.weight_quantizer import PATTERN_BITS, WeightQuantizer
from dorefa.hw.fabric.families import FabricPlatform, find_fabric
from dorefa.hw.generate.manifest import make_top
from dorefa.hw.lib.noise_source import MOST_LANES
from dorefa.hw.pipeline.fit import Room
from dorefa.hw.pipeline.plan import PipelinePlan
from dorefa.hw.pipeline.top import MODULE, PipelineTop
from dorefa.hw.verilog import export as verilog
from dorefa.hw.verilog import memory_macros

from ..targets.catalog import find_target
from ..targets.target import Device


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Something to synthesize: `text` (Verilog), its module `top`, and the one-bit products it
    makes and counts per cycle (0 for a quantizer). `size` says in words how much of it there is.
    `memory_macros` lists the memories that `text` leaves out, as
    :func:`dorefa.hw.verilog.memory_macros.describe` does; `black_boxes` declares them and `stand_ins` are
    registers in their place."""

    name: str
    top: str
    text: str
    size: str
    binary_ops_per_cycle: int
    memory_macros: tuple[dict, ...] = ()
    black_boxes: str = ""
    stand_ins: str = ""

    def write(self, folder: Path | str) -> Path:
        """Writes the Verilog into `folder` and returns its path."""
        path = Path(folder) / f"{self.top}.v"
        path.write_text(self.text + self.black_boxes)
        return path


def _popcount_options(config: EngineConfig) -> dict:
    return {
        "lanes": config.lanes,
        "structure": config.structure,
        "pipeline": config.pipeline,
        "xnor": config.xnor,
    }


def _popcount(config: EngineConfig) -> AndPopcount:
    return AndPopcount(**_popcount_options(config))


def _dot(config: EngineConfig) -> DotUnit:
    return DotUnit(acc_bits=config.acc_bits, signed_planes=config.signed_planes, **_popcount_options(config))


def _quantizer(config: EngineConfig) -> Elaboratable:
    return make_quantizer(config)


def _words(config: EngineConfig, bits: int) -> int:
    """Words of so many bits in a beat of the image port, one where it is narrower than a word."""
    return max(1, 8 * config.port_bytes // bits)


def _gradient_quantizer(config: EngineConfig) -> GradientQuantizer:
    most = MOST_LANES * WORD_BITS // 8
    if config.port_bytes > most:
        raise InputError(f"gradient_quantizer: port_bytes is {config.port_bytes}; accepted: at most {most}")
    return GradientQuantizer(lanes=_words(config, WORD_BITS))


def _weight_quantizer(config: EngineConfig) -> WeightQuantizer:
    return WeightQuantizer(lanes=_words(config, PATTERN_BITS))


# By name: the component of a configuration.
_COMPONENTS: dict[str, Callable[[EngineConfig], Elaboratable]] = {
    "engine": make_top,
    "core": Engine,
    "popcount": _popcount,
    "dot": _dot,
    "quantizer": _quantizer,
    "gradient_quantizer": _gradient_quantizer,
    "weight_quantizer": _weight_quantizer,
}
UNITS = tuple(_COMPONENTS)
# Units that take words from the image port: bits of a word.
_WORD_BITS = {"gradient_quantizer": WORD_BITS, "weight_quantizer": PATTERN_BITS}


def _operations(name: str, config: EngineConfig) -> int:
    """One-bit products per cycle of a unit."""
    if name.endswith("quantizer"):
        return 0
    return config.lanes if name in ("popcount", "dot") else config.binary_ops_per_cycle


def _size(name: str, config: EngineConfig) -> str:
    """How much of a unit there is, for people."""
    if name in _WORD_BITS:
        return f"{_words(config, _WORD_BITS[name])} x {_WORD_BITS[name]} bits per cycle"
    return f"{config.lanes} lanes x {config.rows} rows x {config.cols} columns"


def absorbs_leaves(target: str) -> bool:
    """Whether carry chains of a target take leaves of a pipeline's sums beside what they add."""
    fabric = find_fabric(FabricPlatform(find_target(target).fabric_name))
    return fabric is not None and fabric.chains is not None and fabric.chains.absorbs >= 4


def room_of(device: Device) -> Room:
    """What a pipeline may take of a device."""
    return Room(name=device.name, cells=device.luts, registers=device.ffs, rams=device.brams)


def make_pipeline_unit(plan: PipelinePlan, target: str) -> Unit:
    """The :class:`Unit` of a whole pipeline; in the cells of `target` where its plan is made for them."""
    fabric = find_target(target).fabric_name if absorbs_leaves(target) else None
    return make_streamed_unit("pipeline", PipelineTop(plan), module=MODULE, fabric=fabric)


def make_streamed_unit(name: str, top: PipelineTop, *, module: str, fabric: str | None) -> Unit:
    """The :class:`Unit` called `name` of a whole pipeline or hybrid, its Verilog module `module`; in
    the cells of `fabric`, if any."""
    plan = top.pipeline.plan
    layers = plan.network.layers
    operations = sum(layer.macs * layer.w_bits * layer.a_bits for layer in layers)
    return Unit(
        name=name,
        top=module,
        text=verilog.export(top, name=module, preloaded=top.preloaded, fabric=fabric),
        size=f"{len(layers)} layers, an image every {plan.interval:,} cycles",
        binary_ops_per_cycle=operations // plan.interval,
    )


def make_unit(name: str, config: EngineConfig, target: str | None = None, *, memory: str = "logic") -> Unit:
    """The :class:`Unit` called `name` (one of :data:`UNITS`) of an engine of `config`.

    Structure ``mapped`` uses the cells of `target` where that is the name of one with a mapped popcount;
    for any other the Verilog is portable.

    `engine` is what `generate` writes, `core` the same without AXI4-Lite: streams and the host port.
    With `memory` ``macro`` its memories are left out.

    `popcount` and `dot` are one of the array's units, with the configuration's `lanes`, `structure`
    and `pipeline`; `quantizer` serves `quant` channels per cycle, with its parameter memories;
    `gradient_quantizer` and `weight_quantizer`, of an engine that trains, take the words that a beat of
    `port_bytes` holds, 16 and 32 bits each, at least one.
    Raises :class:`InputError` for an unknown unit or target.
    """
    if name not in _COMPONENTS:
        raise InputError(f"unknown unit {name!r}; accepted: {', '.join(UNITS)}")
    component = _COMPONENTS[name](config)
    top = f"dorefa_{name}"
    unit = partial(
        Unit,
        name=name,
        top=top,
        size=_size(name, config),
        binary_ops_per_cycle=_operations(name, config),
    )
    fabric = find_target(target).fabric_name if target else None
    if memory == "logic":
        return unit(text=verilog.export(component, name=top, fabric=fabric))
    macros = verilog.export_macros(component, name=top, fabric=fabric)
    shapes = memory_macros.macro_instances(macros.shapes)
    return unit(
        text=f"{macros.text}\n",
        memory_macros=tuple(memory_macros.describe(macros.shapes)),
        black_boxes=macros.stubs,
        stand_ins="\n".join(shape.stand_in() for shape in shapes),
    )
