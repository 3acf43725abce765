"""dorefa.synth.flow.units: the engine and its components alone, small enough to synthesize in a test."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import preset
from dorefa.synth.flow import report, yosys
from dorefa.synth.flow.units import UNITS, make_unit

CONFIG = preset("tiny")


@pytest.mark.parametrize("name", UNITS)
def test_unit_is_verilog_with_its_top(name, tmp_path):
    unit = make_unit(name, CONFIG)
    path = unit.write(tmp_path)
    assert path.name == f"dorefa_{name}.v"
    assert f"module {unit.top}(" in path.read_text()
    expected = {"engine": 64, "core": 64, "popcount": 16, "dot": 16}
    assert unit.binary_ops_per_cycle == expected.get(name, 0)


@pytest.mark.parametrize(
    "name, port_bytes, words, bits",
    [
        ("gradient_quantizer", 1, 1, 16),
        ("gradient_quantizer", 8, 4, 16),
        ("weight_quantizer", 2, 1, 32),
        ("weight_quantizer", 8, 2, 32),
    ],
)
def test_quantizers_of_training_take_a_beat_of_the_port(name, port_bytes, words, bits):
    unit = make_unit(name, CONFIG.replace(port_bytes=port_bytes))
    assert unit.size == f"{words} x {bits} bits per cycle"
    assert f"words__{words - 1};" in unit.text and f"words__{words};" not in unit.text


def test_more_words_than_a_quantizer_takes():
    with pytest.raises(InputError, match="^gradient_quantizer: port_bytes is 17; accepted: at most 16$"):
        make_unit("gradient_quantizer", CONFIG.replace(lanes=32, fetch_bits=32, port_bytes=17))


def test_unknown_unit_lists_the_known_ones():
    with pytest.raises(InputError, match="unknown unit 'array'; accepted: engine, core, popcount, dot"):
        make_unit("array", CONFIG)


def _counts(name, config, folder, target="ice40"):
    unit = make_unit(name, config)
    statistics = yosys.synthesize(unit.write(folder), top=unit.top, target=target, components=False)
    return report.report(
        statistics,
        unit=name,
        top=unit.top,
        target=target,
        binary_ops_per_cycle=unit.binary_ops_per_cycle,
    )


def test_popcount_has_registers_only_when_pipelined(tmp_path):
    plain = _counts("popcount", CONFIG, tmp_path)
    assert plain["ffs"] == 0 and plain["luts"] > 16
    assert _counts("popcount", CONFIG.replace(pipeline="level"), tmp_path)["ffs"] > 0


def test_structure_changes_the_netlist(tmp_path):
    config = CONFIG.replace(lanes=64)
    compress = _counts("popcount", config, tmp_path)
    plain_sum = _counts("popcount", config.replace(structure="sum"), tmp_path)
    assert compress["cell_types"] != plain_sum["cell_types"]


def test_dot_holds_its_accumulator(tmp_path):
    counts = _counts("dot", CONFIG, tmp_path)
    assert counts["ffs"] >= CONFIG.acc_bits


def test_quantizer_has_its_parameter_memories(tmp_path):
    counts = _counts("quantizer", CONFIG, tmp_path)
    assert counts["brams"] >= CONFIG.quant * CONFIG.out_bits


def test_components_of_the_engine_add_up(tmp_path):
    unit = make_unit("engine", CONFIG)
    statistics = yosys.synthesize(unit.write(tmp_path), top=unit.top, target="ecp5")
    counts = report.report(statistics, unit="engine", top=unit.top, target="ecp5", binary_ops_per_cycle=64)
    assert counts["components_luts"] == sum(line["luts"] for line in counts["components"])
    # Kept apart, the components cost a little more than optimized together.
    assert counts["luts"] <= counts["components_luts"] < 1.25 * counts["luts"]
    popcounts = [line for line in counts["components"] if line["name"].endswith("popcount")]
    assert sum(line["instances"] for line in popcounts) == CONFIG.rows * CONFIG.cols
