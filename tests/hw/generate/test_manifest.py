"""dorefa.hw.generate.manifest: the description must agree with the Verilog and with the memory map."""

import json
import math
import re

import pytest
from amaranth.hdl import Fragment

from dorefa.golden import lower, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import preset
from dorefa.hw.generate.file_set import file_set
from dorefa.hw.generate.manifest import make_top, manifest
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import REGISTERS

CONFIG = preset("tiny")
SEEDS = [f"noise_seed_{word}" for word in range(4)]


def texts(*arguments, **options):
    """The files of an engine as text, {name: text}."""
    contents = file_set(*arguments, **options)
    return {name: content.decode() for name, content in contents.items() if not name.endswith(".bin")}


@pytest.fixture(scope="module")
def files():
    return texts(CONFIG)


def test_ports_are_those_of_the_verilog(files):
    top = files["engine.v"].split("module dorefa_engine(")[1].split("endmodule")[0]
    found = {}
    for direction, high, name in re.findall(
        r"^  (input|output)(?: reg)?(?: \[(\d+):0\])? (\w+);", top, re.MULTILINE
    ):
        found[name] = {"direction": direction, "width": int(high or 0) + 1}
    assert found == json.loads(files["engine.json"])["ports"]
    assert {"clk", "rst", "s_axis_tdata", "m_axis_tkeep", "s_axil_awaddr"} <= set(found)


def test_strides_reach_the_last_word_of_each_memory(files):
    memory_map = MemoryMap.of(CONFIG)
    windows = json.loads(files["engine.json"])["memory_map"]
    assert [window["name"] for window in windows] == ["program", "weights", "params"]
    for line, window in zip(windows, memory_map.windows, strict=True):
        memory, address = window.memories - 1, window.depth - 1
        offset = line["offset"] + memory * (line["memory_stride"] or 0)
        offset += address * (line["word_stride"] or 0)
        assert offset == 4 * memory_map.address(window, memory, address)


def test_registers_have_fields_that_fill_them(files):
    """Keys, byte offsets, and the values that this engine has."""
    contents = json.loads(files["engine.json"])
    assert (contents["register_map_version"], contents["identity"]) == (4, 0x444F5245)
    registers = {register["name"]: register for register in contents["register_map"]}
    assert list(registers) == [name for name, register in REGISTERS.items() if register.exists(CONFIG)]
    assert set(REGISTERS) - set(registers) == {"program_start", "job", "measured", *SEEDS}
    for register in registers.values():
        assert list(register) == ["name", "offset", "access", "meaning", "fields"]
        assert register["offset"] == 4 * REGISTERS[register["name"]].address
        for field in register["fields"]:
            assert list(field) == ["name", "lsb", "width", "access", "reset", "meaning"]
            assert 0 <= field["reset"] < 1 << field["width"]
    assert {name: register["access"] for name, register in registers.items()} == {
        "identity": "ro",
        "version": "ro",
        "control": "rw",
        "layers": "rw",
        "image_bytes": "rw",
        "status": "rw",
        "cycles": "ro",
        "array": "ro",
        "widths": "ro",
        "interrupts": "rw",
        "watchdog": "rw",
        "load_begin": "wo",
        "load_crc": "ro",
        "load_check": "wo",
    }
    values = {field["name"]: field["reset"] for field in registers["array"]["fields"]}
    assert values == {"lanes": CONFIG.lanes, "rows": CONFIG.rows, "cols": CONFIG.cols}
    assert [field["access"] for field in registers["status"]["fields"]] == ["ro", *["w1c"] * 7]


def test_core_file_names_the_verilog(files):
    assert files["engine.core"].startswith("CAPI=2:\n")
    assert "- engine.v\n" in files["engine.core"]
    assert "toplevel: dorefa_engine" in files["engine.core"]


def test_same_configuration_same_text(files):
    assert texts(CONFIG) == files


def test_memories_have_contents_only_when_preloaded(files, seed):
    network = lower(random_network(seed))
    config = fit(network)
    compiled = compile_network(network, config)
    preloaded = texts(config, compiled, preload=True)
    assert "initial" not in files["engine.v"]
    assert "initial" in preloaded["engine.v"]
    description = json.loads(preloaded["engine.json"])
    assert description["preloaded"] == network.name
    resets = {field["name"]: field["reset"] for r in description["register_map"] for field in r["fields"]}
    assert {name: resets[name] for name in ("enable", "layers", "image_bytes")} == {
        "enable": 1,
        "layers": compiled.memories["registers"]["layers"],
        "image_bytes": math.prod(network.input_shape),
    }
    assert f"#define DOREFA_IMAGE_BYTES_RESET {resets['image_bytes']:#x}u\n" in preloaded["engine.h"]
    assert json.loads(files["engine.json"])["preloaded"] is None


def test_streams_are_those_of_the_ports():
    """Each has the width of its data."""
    trunks = {"trunk_bits": 18, "trunk_depth": 16, "quant": 2, "engines": 2}
    for changes, more in (
        ({}, set()),
        (trunks, set()),
        ({"results": "wide", "quant": 2}, set()),
        ({"weights": "stream", "port_bytes": 4}, {"s_axis_weights"}),
        (trunks | {"trunks": "stream"}, {"s_axis_trunks", "m_axis_trunks"}),
    ):
        top = make_top(CONFIG.replace(**changes))
        Fragment.get(top, None)  # elaborates, so that nothing counts as unused
        described = manifest(top)
        assert set(described["streams"]) == {"s_axis", "m_axis"} | more
        for name, stream in described["streams"].items():
            assert described["ports"][f"{name}_tdata"]["width"] == stream["data_bits"]
