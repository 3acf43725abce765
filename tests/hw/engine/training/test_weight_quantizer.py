# amaranth: UnusedElaboratable=no
"""dorefa.hw.engine.training.weight_quantizer against golden, to the bit."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.weight_thresholds import floats, threshold_words, weight_thresholds
from dorefa.hw.engine.training.weight_quantizer import WeightQuantizer
from dorefa.hw.verilog.export import MODULE, export
from dorefa.sim.verilator.lint import lint

from ...replay import Recorder
from ...support import simulate
from .training_bench import Packets, check_verilog, write_table


def draw_weights(rng, bits, count):
    """float32 (count,): weights of any magnitude, zeros of both signs, and the neighbors of thresholds."""
    w = (rng.standard_normal(count) * np.exp(rng.uniform(-6, 2))).astype(np.float32)
    w[:2] = 0, -0.0
    largest = np.abs(w).max()
    near = weight_thresholds(largest, bits)[rng.integers(0, (1 << bits) - 1, count // 2)]
    near = floats(near + rng.integers(-1, 2, near.shape))
    w[2 : 2 + len(near)] = np.clip(near, -largest, largest)
    w[-1] = largest * rng.choice([-1, 1])
    return rng.permutation(w)


def run(unit, lanes, layers, rng, monitors=()):
    """(codes, greatest patterns) of layers [(float32 (count,), W)]: each is measured, then quantized, and
    greater ones behind it, which are not measured."""
    packets = Packets(unit, lanes, rng, lambda: int(rng.integers(1 << 32)))
    found = []

    async def testbench(ctx):
        for w, bits in layers:
            patterns = w.view(np.uint32)
            ctx.set(unit.measure, 1)
            await packets.send(ctx, patterns)
            for _ in range(unit.largest_latency - 1):
                await ctx.tick()
            found.append(ctx.get(unit.largest))
            largest = np.uint32(found[-1]).view(np.float32)
            words = threshold_words(weight_thresholds(largest, bits))
            await write_table(ctx, unit, words, rng, first=1)
            ctx.set(unit.measure, 0)
            ctx.set(unit.w_bits, bits)
            await packets.send(ctx, patterns)
            await packets.send(ctx, (2 * w + 1).view(np.uint32))
            for _ in range(unit.latency):
                await ctx.tick()
            assert ctx.get(unit.largest) == found[-1]

    limit = 4000 + sum(80 * len(w) + 1200 for w, _ in layers)
    simulate(unit, testbench, monitors=[packets.watch, *monitors], limit=limit)
    return packets.codes[::2], found


@pytest.mark.parametrize("lanes", [1, 3, 4, 8])
def test_codes_and_magnitudes_are_those_of_golden(lanes, rng):
    # One after another in the same unit, so that thresholds of more bits lie there for fewer.
    layers = [(draw_weights(rng, int(bits), 53), int(bits)) for bits in rng.permutation(np.arange(1, 9))]
    layers.append((np.array([0, -0.0, 0], np.float32), 3))
    codes, largest = run(WeightQuantizer(lanes=lanes), lanes, layers, rng)
    for (w, bits), found, pattern in zip(layers, codes, largest, strict=True):
        np.testing.assert_array_equal(found, quantize_weights(w, bits)[0])
        assert pattern == np.abs(w).max().view(np.uint32)


def test_verilog_lints_clean():
    assert lint(export(WeightQuantizer(lanes=2), name=MODULE)) == []


@pytest.mark.icarus
def test_verilog(rng, tmp_path):
    unit = WeightQuantizer(lanes=2)
    recorder = Recorder(unit)
    layers = [(draw_weights(rng, bits, 33), bits) for bits in (8, 1, 4)]
    codes, _ = run(unit, 2, layers, rng, monitors=[recorder.watch])
    assert check_verilog(recorder, WeightQuantizer(lanes=2), 2, "largest", tmp_path) == 2 * sum(
        map(len, codes)
    )


def test_errors():
    with pytest.raises(InputError, match="^lanes is 0; accepted: an integer >= 1$"):
        WeightQuantizer(lanes=0)
