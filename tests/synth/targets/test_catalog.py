"""dorefa.synth.targets.catalog: every target is complete, one more is one object, and nothing else knows of
families."""

import ast
from pathlib import Path

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import preset
from dorefa.hw.fabric.families import FABRICS
from dorefa.synth.flow import report, yosys
from dorefa.synth.flow.units import make_unit
from dorefa.synth.targets import catalog

ROOT = Path(__file__).parents[3]
TARGETS = pytest.mark.parametrize("target", catalog.TARGETS.values(), ids=catalog.TARGETS)


def test_unknown_target_lists_the_known_ones():
    with pytest.raises(InputError) as caught:
        catalog.find_target("ice")
    assert str(caught.value) == ("unknown target 'ice'; accepted: ice40, ecp5, gowin, gatemate, xilinx, asic")


def test_a_capability_that_a_target_lacks():
    assert catalog.find_router("ecp5") is catalog.TARGETS["ecp5"].router
    assert catalog.find_board_flow("ecp5") is catalog.TARGETS["ecp5"].boards
    with pytest.raises(InputError) as caught:
        catalog.find_router("xilinx")
    assert str(caught.value) == (
        "no place and route for target xilinx; accepted: ice40, ecp5, gowin, gatemate"
    )
    with pytest.raises(InputError) as caught:
        catalog.find_board_flow("gatemate")
    assert str(caught.value) == "no bitstreams for target gatemate; accepted: ice40, ecp5, gowin"


@TARGETS
def test_a_target_is_complete(target):
    assert catalog.find_target(target.name) is target and target.description
    # One way to count logic: LUTs, or the area of gates.
    assert bool(target.cells.luts) == bool(target.cells.flip_flops) == (target.gates is None)
    assert target.cells.brams
    assert target.fabric is None or FABRICS[target.name] is target.fabric
    assert (target.router is None) == (target.devices == ())
    if target.router:
        assert target.synthesis.routed and target.router.cells
    if target.boards:
        assert target.router and target.boards.suffixes and target.boards.brams


def test_devices_stand_once():
    names = [device.name for target in catalog.TARGETS.values() for device in target.devices]
    assert len(names) == len(set(names)) == 8


@TARGETS
def test_a_target_counts_a_small_unit(target, tmp_path):
    """Two comparators of 14 bits, registers and memories: all of them are found."""
    config = preset("tiny").replace(param_depth=512)
    unit = make_unit("quantizer", config, target.name)
    statistics = yosys.synthesize(unit.write(tmp_path), top=unit.top, target=target.name, components=False)
    found = report.report(
        statistics, unit=unit.name, top=unit.top, target=target.name, binary_ops_per_cycle=0
    )
    assert found["ffs"] > 50 and 1 <= found["brams"] <= 6
    if target.gates:
        assert found["luts"] is None and found["area"] > 6 * found["ffs"]
    else:
        assert 2 * config.acc_bits <= found["luts"] <= 8 * config.acc_bits


def questions(tree):
    """Lines of a module that know of a family: its name as a string, or its file as an import. A board says
    which family it is of."""
    families = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "family"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in catalog.TARGETS and node not in families:
            yield node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = (node.module or "").split(".")
            named = [base[-1]] if base[-2:-1] == ["targets"] else []
            if base[-1] == "targets":
                named += [name.name for name in node.names]
            if set(named) & set(catalog.TARGETS):
                yield node.lineno


def test_nothing_else_asks_for_a_family():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for room in ("synth", "cli")
        for path in sorted((ROOT / room).rglob("*.py"))
        if path.parent != ROOT / "synth" / "targets"
        for line in questions(ast.parse(path.read_text()))
    ]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        'if target == "ecp5": pass',
        'if target.name in ("xilinx", "asic"): pass',
        'COUNTS = {"ice40": 1}',
        'COUNTS["gowin"] = 1',
        'match target:\n    case "gatemate": pass',
        "from dorefa.synth.targets.ecp5 import TARGET",
        "from ..targets import catalog, ecp5",
    ],
)
def test_a_planted_question_is_found(planted):
    assert list(questions(ast.parse(planted)))


def test_what_is_no_question():
    text = (
        'BOARD = Board(family="ecp5")\nEXAMPLE = "dorefa synth --target ecp5"\nfrom ..ecp5 import improve\n'
    )
    assert list(questions(ast.parse(text))) == []
