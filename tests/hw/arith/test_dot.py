"""The dot unit: the order of significances, signs, and what it holds between steps."""

import itertools

import pytest

from dorefa.hw.arith.dot import DotUnit, dot_latency
from dorefa.hw.config.ranges import PIPELINES, STRUCTURES

from ..support import simulate


def drive(unit, latency, steps, check):
    """Presents (a, w, step dict or None for an idle cycle) and calls check(index, acc) for each."""

    async def testbench(ctx):
        for cycle in range(len(steps) + latency):
            if cycle < len(steps):
                ctx.set(unit.a, steps[cycle][0])
                ctx.set(unit.w, steps[cycle][1])
            # The step follows its operands latency - 1 cycles later.
            at = cycle - (latency - 1)
            step = steps[at][2] if 0 <= at < len(steps) else None
            ctx.set(unit.step, {"enable": step is not None, **(step or {"clear": 1})})
            if cycle >= latency:
                check(cycle - latency, ctx.get(unit.acc))
            await ctx.tick()

    simulate(unit, testbench, limit=len(steps) + latency + 2)


@pytest.mark.parametrize("structure, pipeline", [*itertools.product(STRUCTURES, PIPELINES)])
@pytest.mark.parametrize("xnor, signed_planes", [(False, False), (True, False), (False, True)])
def test_against_the_recurrence(structure, pipeline, xnor, signed_planes, rng):
    lanes, acc_bits = 9, 10
    unit = DotUnit(
        lanes=lanes,
        acc_bits=acc_bits,
        structure=structure,
        pipeline=pipeline,
        xnor=xnor,
        signed_planes=signed_planes,
    )
    latency = dot_latency(lanes=lanes, structure=structure, pipeline=pipeline)
    steps, expected, acc = [], [], 0
    for number in range(300):
        a, w = (int(value) for value in rng.integers(0, 1 << lanes, 2))
        step = None
        if rng.random() < 0.8:
            names = ("clear", "shift", "negate")
            step = {name: int(rng.integers(2)) for name in names} | {"clear": number % 7 == 0}
            product = ~(a ^ w) & 0x1FF if xnor else a & w
            count = product.bit_count()
            base = 0 if step["clear"] else acc << step["shift"]
            acc = base - count if signed_planes and step["negate"] else base + count
            # The register wraps; what the engine keeps inside its width does not.
            acc = (acc + 512) % 1024 - 512
        steps.append((a, w, step))
        expected.append(acc)
    started = next(n for n, step in enumerate(steps) if step[2] is not None)

    def check(index, value):
        if index >= started:
            assert value == expected[index], index

    drive(unit, latency, steps, check)


def test_multi_bit_product(rng):
    """Plane pairs by falling significance make sum(w a), Eq. 3, for 3-bit times 2-bit codes."""
    lanes, w_bits, a_bits = 8, 3, 2
    unit = DotUnit(lanes=lanes, acc_bits=10)
    weights, codes = rng.integers(0, 8, lanes), rng.integers(0, 4, lanes)
    pairs = sorted(itertools.product(range(w_bits), range(a_bits)), key=lambda ij: -(ij[0] + ij[1]))
    steps, above = [], None
    for i, j in pairs:
        word = [
            int(sum(((codes[k] >> j) & 1) << k for k in range(lanes))),
            int(sum(((weights[k] >> i) & 1) << k for k in range(lanes))),
        ]
        steps.append((*word, {"clear": above is None, "shift": above not in (None, i + j)}))
        above = i + j
    seen = {}
    drive(unit, 2, steps, seen.__setitem__)
    assert seen[len(steps) - 1] == int(weights @ codes)


def test_latency():
    assert dot_latency(lanes=8, structure="sum", pipeline="none") == 2
    assert dot_latency(lanes=8, structure="sum", pipeline="level") == 5
