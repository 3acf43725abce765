"""dorefa.hw.lib.noise_source against golden's streams."""

import numpy as np
import pytest

from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.hw.lib.noise_source import NoiseSource

from ..support import fields_of, simulate


@pytest.mark.parametrize("lanes", range(1, 9))
def test_bytes_are_those_of_golden(lanes, rng, seed):
    unit = NoiseSource(lanes=lanes)
    steps = 40

    async def testbench(ctx):
        for sample in range(2):
            # The second one is loaded in the middle of the first one, while it steps.
            ctx.set(unit.load, 1)
            ctx.set(unit.step, sample)
            ctx.set(unit.state, stream_state(seed, 3, 5, sample))
            await ctx.tick()
            ctx.set(unit.load, 0)
            ctx.set(unit.state, 0)
            found = []
            while len(found) < steps * lanes:
                step = rng.random() < 0.7
                ctx.set(unit.step, step)
                if step:
                    found += fields_of(ctx.get(unit.o), 8, lanes)
                await ctx.tick()
            expected = noise_bytes(seed, 3, 5, 2, steps * lanes)[sample]
            np.testing.assert_array_equal(found, expected)

    simulate(unit, testbench, limit=20 * steps)
