# amaranth: UnusedElaboratable=no
"""Popcounts and dot units in the cells of a fabric, against the plain sum and the recurrence."""

import pytest

from dorefa.hw.arith.dot import DotUnit, dot_latency
from dorefa.hw.arith.popcount import AndPopcount, popcount_latency
from dorefa.hw.config.engine import preset
from dorefa.hw.engine.array.array import DotArray
from dorefa.hw.fabric import families as fabrics
from dorefa.hw.fabric.chains import Chains
from dorefa.hw.fabric.tree import plan
from dorefa.hw.generate.manifest import make_top
from dorefa.hw.verilog import export as verilog
from dorefa.sim.verilator.lint import lint

from ...proofs import Refuted
from .cells import MODELS, Netlist, prove_mapped

FABRICS = sorted(fabrics.FABRICS)
XNOR = pytest.mark.parametrize("xnor", [False, True], ids=["and", "xnor"])
FABRIC = pytest.mark.parametrize("fabric", FABRICS)


def popcounts(lanes, xnor):
    """The mapped popcount and the plain sum."""
    return (
        AndPopcount(lanes=lanes, structure="mapped", xnor=xnor),
        AndPopcount(lanes=lanes, structure="sum", xnor=xnor),
    )


def test_every_fabric_has_models():
    assert sorted(MODELS) == FABRICS


@FABRIC
@XNOR
@pytest.mark.parametrize("lanes", [1, 2, 4, 7, 13])
def test_proof(fabric, xnor, lanes, tmp_path):
    prove_mapped(*popcounts(lanes, xnor), fabric, tmp_path)


@pytest.mark.slow
@FABRIC
@XNOR
@pytest.mark.parametrize("lanes", [3, 5, 8, 16, 24, 31, 32])
def test_proof_of_more_lanes(fabric, xnor, lanes, tmp_path):
    prove_mapped(*popcounts(lanes, xnor), fabric, tmp_path)


@FABRIC
def test_proof_finds_a_planted_bug(fabric, tmp_path, monkeypatch):
    """The two lowest sums of a node exchanged."""
    monkeypatch.setattr(Chains, "_slots", _swapped(Chains._slots))
    with pytest.raises(Refuted):
        prove_mapped(*popcounts(8, False), fabric, tmp_path)


def _swapped(slots_of):
    """`Chains._slots` with the first node's two lowest sums exchanged."""

    def slots(self, terms, level):
        made, results = slots_of(self, terms, level)
        results[0][0], results[0][1] = results[0][1], results[0][0]
        return made, results

    return slots


def expected_planes(products, width):
    """Sum of one-bit values by bit: `products` and the result are ints of all streams."""
    total = [0] * width
    for product in products:
        for place in range(width):
            total[place], product = total[place] ^ product, total[place] & product
    return total


@FABRIC
@XNOR
def test_every_operand_of_nine_lanes(fabric, xnor, tmp_path, rng):
    lanes = 9
    streams = 1 << (2 * lanes)
    # Plane b of a counter through all values: 2^b zeros, 2^b ones, repeated.
    planes = [int.from_bytes(_counter_plane(bit, streams), "little") for bit in range(2 * lanes)]
    netlist = Netlist(popcounts(lanes, xnor)[0], fabric, tmp_path, rng, streams)
    netlist.set_planes("a", planes[:lanes])
    netlist.set_planes("w", planes[lanes:])
    netlist.evaluate()
    ones = (1 << streams) - 1
    pairs = zip(planes[:lanes], planes[lanes:], strict=True)
    products = [a ^ w ^ ones if xnor else a & w for a, w in pairs]
    assert netlist.planes("o") == expected_planes(products, 4)


def _counter_plane(bit, streams):
    if bit < 3:
        return bytes([(0xAA, 0xCC, 0xF0)[bit]]) * (streams // 8)
    half = 1 << (bit - 3)
    return (bytes(half) + b"\xff" * half) * (streams // 8 // (2 * half))


@FABRIC
@XNOR
@pytest.mark.parametrize(
    "lanes, pipeline",
    [
        (64, "level2"),
        (100, "level"),
        (256, "none"),
        pytest.param(255, "level4", marks=pytest.mark.slow),
        pytest.param(256, "level", marks=pytest.mark.slow),
        pytest.param(256, "level3", marks=pytest.mark.slow),
    ],
)
def test_random_operands(fabric, xnor, pipeline, lanes, tmp_path, rng):
    """A new operand every cycle: every path through the registers has the same length."""
    streams, cycles = 256, 6
    unit = AndPopcount(lanes=lanes, structure="mapped", xnor=xnor, pipeline=pipeline)
    netlist = Netlist(unit, fabric, tmp_path, rng, streams)
    latency = popcount_latency(lanes=lanes, structure="mapped", pipeline=pipeline)
    ones, expected = (1 << streams) - 1, []
    for cycle in range(cycles + latency):
        a, w = ([int.from_bytes(rng.bytes(streams // 8), "little") for _ in range(lanes)] for _ in "aw")
        if cycle == 0:
            a, w = [ones] * lanes, [ones] * lanes
        products = [x ^ y ^ ones if xnor else x & y for x, y in zip(a, w, strict=True)]
        expected.append(expected_planes(products, lanes.bit_length()))
        netlist.set_planes("a", a)
        netlist.set_planes("w", w)
        netlist.evaluate()
        if cycle >= latency:
            assert netlist.planes("o") == expected[cycle - latency], cycle
        netlist.tick()


@FABRIC
@pytest.mark.parametrize("pipeline", ["none", "level2"])
@pytest.mark.parametrize(
    "xnor, signed_planes", [(False, False), (True, False), (False, True)], ids=["and", "xnor", "signed"]
)
def test_dot_unit(fabric, pipeline, xnor, signed_planes, tmp_path, rng):
    lanes, acc_bits, streams, cycles = 33, 14, 32, 40
    unit = DotUnit(
        lanes=lanes,
        acc_bits=acc_bits,
        structure="mapped",
        pipeline=pipeline,
        xnor=xnor,
        signed_planes=signed_planes,
    )
    netlist = Netlist(unit, fabric, tmp_path, rng, streams)
    latency = dot_latency(lanes=lanes, structure="mapped", pipeline=pipeline)
    history, acc, mask = [], [0] * streams, (1 << acc_bits) - 1
    for cycle in range(cycles):
        a, w = ([int.from_bytes(rng.bytes(5), "little") >> 7 for _ in range(streams)] for _ in "aw")
        history.append((a, w))
        due = cycle - (latency - 1)
        # Fields of the step, lowest first: enable, clear, shift, negate.
        steps = [int(step) for step in rng.integers(0, 16, streams)]
        if due < 0:
            steps = [0] * streams
        elif due == 0:
            steps = [0b0011] * streams
        netlist.set("a", a)
        netlist.set("w", w)
        netlist.set("step", steps)
        netlist.evaluate()
        if due >= 1:
            assert netlist.get("acc") == acc, cycle
        if due >= 0:
            for stream, step in enumerate(steps):
                enable, clear, shift, negate = (step >> place & 1 for place in range(4))
                x, y = (operand[stream] for operand in history[due])
                count = (~(x ^ y) & ((1 << lanes) - 1) if xnor else x & y).bit_count()
                base = 0 if clear else acc[stream] << shift
                if enable:
                    total = base - count if signed_planes and negate else base + count
                    acc[stream] = total & mask
        netlist.tick()


@pytest.mark.parametrize("lanes", [1, 2, 3, 8, 100, 255, 256])
def test_every_lane_is_in_the_tree_once(lanes):
    def leaves(node):
        if node is None:
            return []
        return [node] if isinstance(node, int) else [*leaves(node.left), *leaves(node.right), node.lane]

    levels = plan(lanes)
    root = levels[-1][0] if levels else 0
    assert sorted(leaves(root)) == list(range(lanes))
    for number, nodes in enumerate(levels, 1):
        assert {node.level for node in nodes} == {number}


@pytest.mark.parametrize("encoding", ["bipolar", "any"])
def test_portable_engine_is_clean(encoding):
    config = preset("tiny").replace(structure="mapped", pipeline="level3", encoding=encoding)
    assert lint(verilog.export(make_top(config))) == []


def test_portable_verilog_has_no_vendor_cells():
    unit = AndPopcount(lanes=32, structure="mapped")
    text = verilog.export(unit, name="unit")
    assert not any(cell in text for cell in ("CCU2C", "SB_CARRY", "CARRY4"))
    cells = {"ecp5": "CCU2C", "ice40": "SB_CARRY", "xilinx": "CARRY4"}
    for fabric, cell in cells.items():
        assert cell in verilog.export(unit, name="unit", fabric=fabric)


def test_units_of_the_array_share_one_mapped_module():
    config = preset("tiny").replace(structure="mapped")
    text = verilog.export(DotArray(config), name="array", fabric="ecp5")
    alone = verilog.export(AndPopcount(lanes=config.lanes - 1, structure="mapped", xnor=True), fabric="ecp5")
    modules = [module for module in text.split("endmodule") if "CCU2C #(" in module]
    assert len(modules) == 2  # the popcount's, and the accumulator's
    assert alone.count("CCU2C #(") in [module.count("CCU2C #(") for module in modules]
