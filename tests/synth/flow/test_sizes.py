"""Expected sizes of popcounts, dot units and the quantizers of training for the pinned Yosys.

A change of these numbers is a change of what users get: edit them with the reason in the commit.
"""

import pytest

from dorefa.hw.config.engine import preset
from dorefa.synth.flow import report, yosys
from dorefa.synth.flow.units import make_unit

# (unit, target, lanes, pipeline): (LUTs, flip-flops) with structure `mapped`
MAPPED = {
    ("popcount", "ecp5", 64, "none"): (106, 0),
    ("popcount", "ecp5", 256, "none"): (408, 0),
    ("popcount", "ecp5", 256, "level"): (412, 666),
    ("popcount", "ice40", 64, "none"): (129, 0),
    ("popcount", "ice40", 256, "none"): (522, 0),
    ("popcount", "ice40", 256, "level"): (540, 411),
    ("popcount", "xilinx", 64, "none"): (101, 0),
    ("popcount", "xilinx", 256, "none"): (395, 0),
    ("popcount", "xilinx", 256, "level"): (433, 540),
    ("dot", "ecp5", 64, "none"): (127, 27),
    ("dot", "ecp5", 256, "none"): (429, 29),
    ("dot", "ice40", 64, "none"): (162, 27),
    ("dot", "ice40", 256, "none"): (553, 29),
    ("dot", "xilinx", 64, "none"): (120, 27),
    ("dot", "xilinx", 256, "none"): (414, 29),
}

# (unit, target, structure): LUTs with 64 lanes, no registers in the popcount
PORTABLE = {
    ("popcount", "ecp5", "compress"): 164,
    ("popcount", "ecp5", "sum"): 164,
    ("popcount", "ice40", "compress"): 164,
    ("popcount", "ice40", "sum"): 163,
    ("popcount", "gowin", "compress"): 161,
    ("popcount", "gowin", "sum"): 168,
    ("popcount", "gatemate", "compress"): 297,
    ("popcount", "xilinx", "compress"): 123,
    ("popcount", "xilinx", "sum"): 143,
    ("dot", "ecp5", "compress"): 204,
    ("dot", "ice40", "compress"): 204,
    ("dot", "gowin", "compress"): 201,
    ("dot", "xilinx", "compress"): 143,
}

# (unit, lanes): NAND2 equivalents with the project's cell library, compression, no registers in the popcount
GATES = {
    ("popcount", 64): 552.5,
    ("popcount", 256): 2326.0,
    ("dot", 64): 938.5,
    ("dot", 256): 2722.5,
}

# (unit, target): LUTs, flip-flops, block RAMs and multipliers with a port of 4 bytes
TRAINING = {
    ("gradient_quantizer", "ecp5"): (384, 349, 0, 2),
    ("weight_quantizer", "ecp5"): (704, 1050, 2, 0),
}


def counts(unit, target, folder, **parameters):
    """Report of one synthesis of an engine's unit."""
    made = make_unit(unit, preset("default").replace(encoding="unsigned", **parameters), target)
    statistics = yosys.synthesize(made.write(folder), top=made.top, target=target, components=False)
    return report.report(
        statistics, unit=unit, top=made.top, target=target, binary_ops_per_cycle=made.binary_ops_per_cycle
    )


@pytest.mark.parametrize("unit, target, lanes, pipeline", MAPPED)
def test_mapped(unit, target, lanes, pipeline, tmp_path):
    found = counts(unit, target, tmp_path, structure="mapped", lanes=lanes, pipeline=pipeline)
    assert (found["luts"], found["ffs"]) == MAPPED[unit, target, lanes, pipeline]
    assert found["brams"] == 0


@pytest.mark.parametrize("unit, target, structure", PORTABLE)
def test_portable(unit, target, structure, tmp_path):
    found = counts(unit, target, tmp_path, structure=structure)
    assert found["luts"] == PORTABLE[unit, target, structure]


@pytest.mark.parametrize("unit, lanes", GATES)
def test_gates(unit, lanes, tmp_path):
    found = counts(unit, "asic", tmp_path, lanes=lanes)
    assert found["gate_equivalents"] == GATES[unit, lanes]


@pytest.mark.parametrize("unit, target", TRAINING)
def test_quantizers_of_training(unit, target, tmp_path):
    found = counts(unit, target, tmp_path, port_bytes=4)
    multipliers = found["cell_types"].get("MULT18X18D", 0)
    assert (found["luts"], found["ffs"], found["brams"], multipliers) == TRAINING[unit, target]
