"""Engines with names of their own: two of them in one design, and the simulation of a folder of one."""

import json

import pytest

from dorefa.hw.generate.file_set import file_set
from dorefa.sim import simulate

NAMES = ("alpha", "beta")


@pytest.fixture(scope="module")
def named(small, streaming):
    """By name: (the engine, its files), and the Verilog of both, one behind the other."""
    engines = dict(zip(NAMES, (small, streaming), strict=True))
    sets = {name: file_set(own.config, name=name) for name, own in engines.items()}
    text = "\n".join(files["engine.v"].decode() for files in sets.values())
    return {name: (engines[name], sets[name]) for name in NAMES}, text


def pair(sets, used):
    """Verilog of a module `pair` with the ports of the engine `used`; the other one is beside it."""
    ports = {name: json.loads(files["engine.json"])["ports"] for name, (_, files) in sets.items()}
    lines = [f"module pair({', '.join(ports[used])});"]
    lines += [f"  {port['direction']} [{port['width'] - 1}:0] {name};" for name, port in ports[used].items()]
    for name, own in ports.items():
        wires = {port: port if name == used or port in ("clk", "rst") else "1'b0" for port in own}
        inputs = {port for port, found in own.items() if found["direction"] == "input" or name == used}
        lines.append(f"  {name} {name}_engine ({', '.join(f'.{port}({wires[port]})' for port in inputs)});")
    return "\n".join([*lines, "endmodule", ""])


@pytest.mark.parametrize("used", NAMES)
def test_two_in_one_design(named, used):
    sets, text = named
    own, _ = sets[used]
    result = simulate(
        own.network,
        images=own.images,
        config=own.config,
        verilog_text=text + pair(sets, used),
        module="pair",
        ports_only=True,
    )
    assert result.bit_exact and result.images == len(own.images)


@pytest.mark.parametrize("used", NAMES)
@pytest.mark.parametrize("simulator", ["verilator", pytest.param("icarus", marks=pytest.mark.icarus)])
def test_each_of_two(named, used, simulator):
    """Every layer, in a text in which all modules of both are declared."""
    sets, text = named
    own, _ = sets[used]
    result = simulate(
        own.network,
        images=own.images[:2],
        config=own.config,
        simulator=simulator,
        verilog_text=text,
        module=used,
    )
    assert result.bit_exact and len(result.layers) == len(own.network.layers)


def test_names_change_nothing_else(small):
    """Of names that are as long as the usual one the texts differ in nothing but the name."""
    usual, other = (
        {file: text.decode() for file, text in file_set(small.config, **names).items()}
        for names in ({}, {"name": "a_dorefa_eng1"})
    )
    for file in ("engine.v", "engine.vlt"):
        assert other[file].replace("a_dorefa_eng1", "dorefa_engine") == usual[file]
    macros = file_set(small.config, memory="macro", name="alpha", librelane_period_ns=10)
    declared = [
        line.split("(")[0] for line in macros["memories.v"].decode().splitlines() if "module " in line
    ]
    named = [macro["module"] for macro in json.loads(macros["engine.json"])["memory_macros"]]
    assert named and declared == [f"module {name}" for name in named]
    assert all(name.startswith("alpha_memory_") for name in named)
    layout = json.loads(macros["config.json"])
    assert layout["DESIGN_NAME"] == "alpha" and sorted(layout["MACROS"]) == sorted(named)
