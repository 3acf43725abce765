# amaranth: UnusedElaboratable=no
"""AND and XNOR popcounts against Python's, exhaustively where small."""

import itertools

import pytest
from amaranth import Module
from amaranth.sim import Simulator

from dorefa.golden.errors import InputError
from dorefa.hw.arith.popcount import AndPopcount, popcount_latency
from dorefa.hw.config.ranges import PIPELINES, STRUCTURES

from ..support import simulate

VARIANTS = list(itertools.product(STRUCTURES, PIPELINES, (False, True)))


def build(lanes):
    """All variants side by side, and their latencies."""
    m = Module()
    units = []
    for number, (structure, pipeline, xnor) in enumerate(VARIANTS):
        unit = AndPopcount(lanes=lanes, structure=structure, pipeline=pipeline, xnor=xnor)
        m.submodules[f"unit_{number}"] = unit
        latency = popcount_latency(lanes=lanes, structure=structure, pipeline=pipeline)
        units.append((unit, xnor, latency))
    return m, units


def compare(lanes, pairs):
    m, units = build(lanes)
    mask = (1 << lanes) - 1
    deepest = max(latency for _, _, latency in units)

    async def testbench(ctx):
        for cycle in range(len(pairs) + deepest):
            if cycle < len(pairs):
                for unit, _, _ in units:
                    ctx.set(unit.a, pairs[cycle][0])
                    ctx.set(unit.w, pairs[cycle][1])
            for (unit, xnor, latency), variant in zip(units, VARIANTS, strict=True):
                if 0 <= cycle - latency < len(pairs):
                    a, w = pairs[cycle - latency]
                    product = ~(a ^ w) & mask if xnor else a & w
                    assert ctx.get(unit.o) == product.bit_count(), (variant, a, w)
            await ctx.tick()

    simulate(m, testbench, limit=len(pairs) + deepest + 2)


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5])  # 1: no adder at all
def test_every_operand(lanes):
    compare(lanes, list(itertools.product(range(1 << lanes), repeat=2)))


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_operand_of_six_lanes(structure):
    """Combinational, so that 4,096 pairs take no clock."""
    unit = AndPopcount(lanes=6, structure=structure)
    simulator = Simulator(unit)

    async def testbench(ctx):
        for a, w in itertools.product(range(64), repeat=2):
            ctx.set(unit.a, a)
            ctx.set(unit.w, w)
            assert ctx.get(unit.o) == (a & w).bit_count(), (a, w)

    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("lanes", [7, 8, 31, 32, 33, 64, 100])
def test_random_operands(lanes, rng):
    full = (1 << lanes) - 1
    pairs = [(0, 0), (full, full), (full, 0)]
    for _ in range(40):
        # Products of few and of many ones: every carry is exercised.
        a, w = (int.from_bytes(rng.bytes(16), "little") & full for _ in range(2))
        pairs += [(a, w), (a | w, full), (a & w, w)]
    compare(lanes, pairs)


def test_latency():
    """Levels of a binary tree are the logarithm; without pipeline there are none."""
    for lanes in (1, 2, 3, 8, 9, 64):
        for structure in STRUCTURES:
            assert popcount_latency(lanes=lanes, structure=structure, pipeline="none") == 0
        levels = (lanes - 1).bit_length()
        assert popcount_latency(lanes=lanes, structure="sum", pipeline="level") == levels


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"lanes": 0}, "lanes is 0; accepted: at least 1"),
        ({"lanes": 4, "structure": "tree"}, "structure is 'tree'; accepted: compress, sum, mapped"),
        ({"lanes": 4, "pipeline": 2}, "pipeline is 2; accepted: none, level, level2, level3, level4"),
    ],
)
def test_errors(parameters, message):
    with pytest.raises(InputError) as caught:
        AndPopcount(**parameters)
    assert str(caught.value) == message
