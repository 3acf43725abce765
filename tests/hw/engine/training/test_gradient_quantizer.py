# amaranth: UnusedElaboratable=no
"""dorefa.hw.engine.training.gradient_quantizer against golden, to the bit."""

import re

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.quantizers import gradient
from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.hw.engine.training.gradient_quantizer import GradientQuantizer
from dorefa.hw.verilog.export import MODULE, export
from dorefa.sim.verilator.lint import lint

from ...replay import Recorder
from ...support import simulate
from .training_bench import Packets, check_verilog, write_table


def draw_samples(rng, count):
    """int16 samples (n, count) whose scales are 0, 1, the greatest and between, with words of +-m."""
    step, greatest = gradient.STEP, gradient.LARGEST_WORD
    largest = [0, 1, step, step + 1, greatest - step, greatest + 1 - step, greatest]
    largest += [int(2 ** rng.uniform(0, 15)) for _ in range(4)]
    samples = np.array([rng.integers(-top, top + 1, count) for top in largest], np.int16)
    for sample, top in zip(samples, largest, strict=True):
        # The greatest magnitude is of either sign, or both.
        sample[rng.permutation(count)[:2]] = rng.permutation([top, -top, -top])[:2]
    # A multiple of STEP alone, of either sign.
    for sample, sign in zip(samples[-2:], (1, -1), strict=True):
        sample[:] = 0
        sample[rng.integers(count)] = sign * step * rng.integers(1, greatest // step)
    return rng.permutation(samples)


def run(unit, lanes, batches, seed, rng, monitors=()):
    """(codes, scales) of every batch (int16 samples (n, count), G, noise): its table is written, then every
    sample measured and quantized."""
    packets = Packets(unit, lanes, rng, lambda: int(rng.integers(-(1 << 15), 1 << 15)))
    scales = []

    async def testbench(ctx):
        for samples, bits, noise in batches:
            await write_table(ctx, unit, gradient.reciprocals(bits), rng)
            for number, sample in enumerate(samples):
                ctx.set(unit.measure, 1)
                await packets.send(ctx, sample)
                for _ in range(unit.scale_latency - 1):
                    await ctx.tick()
                # Nothing of this is there before the first beat.
                ctx.set(unit.measure, 0)
                ctx.set(unit.g_bits, bits)
                ctx.set(unit.noise, int(noise))
                ctx.set(unit.state, stream_state(seed, 0, 0, number))
                scales.append(ctx.get(unit.scale))
                await packets.send(ctx, sample)
                for _ in range(unit.latency):
                    await ctx.tick()

    limit = sum(20 * samples.size + 1000 for samples, _, _ in batches)
    simulate(unit, testbench, monitors=[packets.watch, *monitors], limit=limit)
    ends = np.cumsum([len(samples) for samples, _, _ in batches])[:-1]
    return zip(np.split(np.array(packets.codes), ends), np.split(np.array(scales), ends), strict=True)


def check(unit, lanes, batches, seed, rng, **options):
    """Compares codes and scales of the batches with golden's."""
    for (samples, bits, noise), found in zip(
        batches, run(unit, lanes, batches, seed, rng, **options), strict=True
    ):
        drawn = noise_bytes(seed, 0, 0, *samples.shape) if noise else None
        for one, other in zip(found, gradient.quantize_words(samples, bits, drawn), strict=True):
            np.testing.assert_array_equal(one, other, f"G {bits}")


@pytest.mark.parametrize("lanes", [1, 3, 4, 8])
def test_codes_and_scales_are_those_of_golden(lanes, rng, seed):
    batches = [(draw_samples(rng, 19), int(bits), bits != 5) for bits in rng.permutation(np.arange(1, 9))]
    check(GradientQuantizer(lanes=lanes), lanes, batches, seed, rng)


def test_without_noise(rng, seed):
    batches = [(draw_samples(rng, 18), bits, False) for bits in (1, 4, 8)]
    check(GradientQuantizer(lanes=2), 2, batches, seed, rng)


def test_verilog_lints_clean():
    assert lint(export(GradientQuantizer(lanes=3), name=MODULE)) == []


@pytest.mark.icarus
def test_verilog(rng, seed, tmp_path):
    unit = GradientQuantizer(lanes=3)
    recorder = Recorder(unit)
    samples = draw_samples(rng, 22)
    check(unit, 3, [(samples, 6, True)], seed, rng, monitors=[recorder.watch])
    assert check_verilog(recorder, GradientQuantizer(lanes=3), 3, "scale", tmp_path) == samples.size


@pytest.mark.parametrize("lanes", [2, 8])
def test_another_width_of_the_scale(lanes, rng, seed, monkeypatch):
    monkeypatch.setattr(gradient, "SCALE_BITS", 8)
    monkeypatch.setattr(gradient, "STEP", 1 << 7)
    batches = [(draw_samples(rng, 19), bits, bits != 7) for bits in (1, 4, 7, 8)]
    check(GradientQuantizer(lanes=lanes, scale_bits=8), lanes, batches, seed, rng)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"lanes": 0}, "lanes is 0; accepted: an integer in 1..8"),
        ({"lanes": 9}, "lanes is 9; accepted: an integer in 1..8"),
        ({"lanes": 4, "scale_bits": 15}, "scale_bits is 15; accepted: an integer in 1..14"),
    ],
)
def test_errors(parameters, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        GradientQuantizer(**parameters)
