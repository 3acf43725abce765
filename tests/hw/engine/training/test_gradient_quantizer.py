"""dorefa.hw.engine.training.gradient_quantizer against golden, to the bit."""

import numpy as np
import pytest

from dorefa.golden.quantizers import gradient
from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.hw.engine.training.gradient_quantizer import GradientQuantizer

from ...support import simulate
from .training_bench import Packets, write_table


def draw_samples(rng, count):
    """int16 samples (n, count) whose scales are 0, 1, the greatest and between, with words of +-m."""
    step, greatest = gradient.STEP, gradient.LARGEST_WORD
    largest = [0, 1, step, step + 1, greatest - step, greatest + 1 - step, greatest]
    largest += [int(2 ** rng.uniform(0, 15)) for _ in range(3)]
    samples = np.array([rng.integers(-top, top + 1, count) for top in largest], np.int16)
    for sample, top in zip(samples, largest, strict=True):
        sample[rng.permutation(count)[:2]] = top, -top
    return rng.permutation(samples)


def run(unit, lanes, samples, bits, noise, seed, rng, **options):
    """(codes, scales) of int16 samples (n, count): every sample is measured, then quantized."""
    packets = Packets(unit, lanes, rng, lambda: int(rng.integers(-(1 << 15), 1 << 15)), **options)
    scales = []

    async def testbench(ctx):
        await write_table(ctx, unit, gradient.reciprocals(bits))
        ctx.set(unit.g_bits, bits)
        for number, sample in enumerate(samples):
            ctx.set(unit.measure, 1)
            await packets.send(ctx, sample)
            for _ in range(unit.scale_latency - 1):
                await ctx.tick()
            # Neither of them is there before the first beat.
            ctx.set(unit.measure, 0)
            ctx.set(unit.noise, noise)
            ctx.set(unit.state, stream_state(seed, 0, 0, number))
            scales.append(ctx.get(unit.scale))
            await packets.send(ctx, sample)
            for _ in range(unit.latency):
                await ctx.tick()

    simulate(unit, testbench, monitors=[packets.watch], limit=60 * samples.size + 2000)
    return np.array(packets.codes), scales


def expected(samples, bits, noise, seed):
    count = samples.shape[1]
    drawn = noise_bytes(seed, 0, 0, len(samples), count) if noise else None
    return gradient.quantize_words(samples, bits, drawn)


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("lanes", [1, 3, 4, 8])
def test_codes_and_scales_are_those_of_golden(bits, lanes, rng, seed):
    samples = draw_samples(rng, 29)
    noise = bool(rng.integers(2)) or lanes == 4
    codes, scales = run(GradientQuantizer(lanes=lanes), lanes, samples, bits, noise, seed, rng)
    wanted, wanted_scales = expected(samples, bits, noise, seed)
    np.testing.assert_array_equal(codes, wanted)
    assert scales == wanted_scales.tolist()
