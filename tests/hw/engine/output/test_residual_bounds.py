"""Residual trunks at the ends of their numbers, and where they stream: against whole-number arithmetic."""

import numpy as np
import pytest
from amaranth import Cat

from dorefa.golden.network.parts import Rescale
from dorefa.golden.run.matmul import rescale
from dorefa.hw.engine.output.residual import Residual
from dorefa.hw.interface import program
from dorefa.hw.interface.parameters import rescale_layout

from ...support import fields_of, flat, simulate
from .test_residual import BASE, Layer, run


def test_the_greatest_products_and_sums(rng):
    """Least and greatest multipliers, accumulators and offsets with one another: nothing wraps."""
    m_ends, b_ends = (-(1 << 16), (1 << 16) - 1), (-(1 << 33), 0, (1 << 33) - 1)
    ends = [(m, b) for m in m_ends for b in b_ends]
    m, b = ([[end[n], end[n]] for end in ends] for n in (0, 1))
    values = (-(1 << 13), (1 << 13) - 1, 0)
    groups = [(param, 0, np.array([one, other])) for param in range(6) for one in values for other in values]
    run(BASE.replace(param_depth=6), [Layer(m=m, b=b, groups=groups, shift=25)], rng)


@pytest.mark.parametrize("shift", [2, 17, 31])
def test_every_digit_below_a_half_counts(shift, rng):
    """Half of an even number's last digit and one digit below is rounded up; without it, down."""
    half = 1 << (shift - 1)
    b = [[half + (1 << digit)] * 2 for digit in range(shift - 1)] + [[half, half]]
    groups = [(param, 0, np.zeros(2, np.int64)) for param in range(len(b))]
    layer = Layer(m=np.zeros_like(b), b=b, groups=groups, shift=shift)
    run(BASE.replace(param_depth=len(b)), [layer], rng)


@pytest.mark.parametrize("add", [0, 1])
def test_streamed_trunks(add, rng):
    """What comes with a group is added to it, and the sum is shown beside the group that leaves."""
    config = BASE.replace(trunks="stream", trunk_depth=8)
    m, b = rng.integers(-1000, 1000, (8, 2)), rng.integers(-9000, 9000, (8, 2))
    words = [
        [
            rescale_layout(config).const({"m": int(m[p, q]), "b": int(b[p, q])}).as_value().value
            for p in range(8)
        ]
        for q in range(2)
    ]
    unit = Residual(config, init=words)
    groups = [(number % 8, rng.integers(-2000, 2000, (2, 2))) for number in range(40)]
    fields = dict.fromkeys(program.fields(config), 0)
    layer = fields | {"rescale": 1, "trunk_add": add, "trunk_store": 1, "trunk_shift": 10}

    async def testbench(ctx):
        ctx.set(unit.layer, layer)
        for cycle in range(len(groups) + unit.latency):
            ctx.set(unit.valid, cycle < len(groups))
            param, (values, trunk) = groups[min(cycle, len(groups) - 1)]
            for lane, value in enumerate(values):
                ctx.set(unit.values[lane], int(value))
            ctx.set(unit.group.param, param)
            ctx.set(unit.taken, flat(trunk, config.trunk_bits))
            done = cycle - unit.latency
            assert ctx.get(unit.o_valid) == (done >= 0)
            if done >= 0:
                param, (values, trunk) = groups[done]
                parameters = Rescale(m=m[param], b=b[param], f=10, scale=np.float32(1), bits=32)
                expected = rescale(values, parameters) + add * trunk
                kept = fields_of(ctx.get(unit.kept), config.trunk_bits, 2)
                shown = fields_of(ctx.get(Cat(*unit.o_values)), config.acc_bits, 2)
                assert kept == [int(value) % (1 << config.trunk_bits) for value in expected]
                assert shown == [int(value) % (1 << config.acc_bits) for value in expected]
            await ctx.tick()

    simulate(unit, testbench, limit=60)
