"""Jobs through the ports of an engine that trains: images, words, codes, sums."""

import math

import numpy as np
import pytest

from dorefa.golden.backward.job import Job
from dorefa.golden.backward.planes import run_planes
from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.gradient import quantize_words, reciprocals
from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.golden.quantizers.weight_thresholds import threshold_words, weight_thresholds
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.compiler.training.weight_operands import weight_packets
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.interface.registers import Mode

from .job_bench import JobBench, job_descriptor

ENGINE = EngineConfig(
    lanes=16,
    rows=4,
    w_bits=8,
    a_bits=8,
    out_bits=2,
    quant=2,
    fetch_bits=16,
    acc_bits=26,
    port_bytes=4,
    results="wide",
    training=1,
    weights="stream",
    weight_depth=256,
    feature_depth=64,
    image_depth=64,
    patch_depth=16,
    image_patch_depth=16,
    param_depth=4,
    pool_depth=4,
    line_depth=2,
    layer_depth=4,
)


def job(**fields):
    shape = {"in_shape": (3, 4, 3), "out_channels": 6, "kernel": (2, 2), "padding": (0, 1, 1, 0)}
    return Job(**{"layer": "test", "kind": "weight", "w_bits": 2, "a_bits": 3} | shape | fields)


def draw(rng, one, images=2, sets=1):
    """(images, sets of weights) of a job."""
    codes = rng.integers(0, 1 << one.a_bits, (images, *one.in_shape)).astype(np.uint8)
    weights = rng.integers(0, 1 << one.w_bits, (sets, *one.weights_shape)).astype(np.uint8)
    return codes, weights


def draw_words(rng, count):
    """Gradient words int16, some of them the greatest, or all zero."""
    words = rng.integers(-32767, 32768, count) >> rng.integers(0, 16)
    words[rng.random(count) < 0.1] *= rng.integers(-1, 2)
    return words.astype(np.int16)


async def sums_are_right(ctx, bench, one, operands, **fields):
    computed = JobPass(part=one, config=bench.config)
    await bench.table(ctx, bench.map.program, job_descriptor(computed), fields.get("start", 0))
    found = await bench.sums(ctx, computed, *operands, **fields)
    assert (found == run_planes(one, *operands)).all()


async def gradients_are_right(ctx, bench, rng, bits, one=None):
    """Words are measured and quantized, and, with a job, what it makes of their codes and weights is right."""
    count = int(rng.integers(1, 24)) if one is None else math.prod(one.in_shape)
    words, noise, state, start = draw_words(rng, count), None, None, 0
    if rng.random() < 0.7:
        seed = int(rng.integers(1000))
        noise, state = noise_bytes(seed, 1, 2, 1, count), stream_state(seed, 1, 2, 0)
    codes, scales = quantize_words(words[None], bits, noise)
    await bench.table(ctx, bench.map.reciprocals, reciprocals(bits))
    assert await bench.measure(ctx, Mode.MEASURE_GRADIENTS, words) == scales[0]
    expected = codes.tobytes()
    if one is not None:
        computed, start = JobPass(part=one, config=bench.config), int(rng.integers(9))
        images, weights = codes.reshape(1, *one.in_shape), draw(rng, one)[1]
        await bench.table(ctx, bench.map.program, job_descriptor(computed), start)
        bench.weights += weight_packets(computed, weights)
        sums = run_planes(one, images, weights) - computed.constants(weights)[:, None, None]
        expected += sums.astype("<i4").tobytes()
    await bench.quantize(
        ctx, Mode.QUANTIZE_GRADIENTS, words, bits, state=state, layers=one is not None, start=start
    )
    assert (await bench.results(ctx)).tobytes() == expected, f"G {bits}, {count} words, k {scales[0]}"


async def weights_are_right(ctx, bench, rng, bits):
    weights = rng.normal(size=int(rng.integers(1, 20))).astype(np.float32)
    largest = np.abs(weights).max()
    assert await bench.measure(ctx, Mode.MEASURE_WEIGHTS, weights) == largest.view(np.uint32)
    await bench.table(ctx, bench.map.thresholds, threshold_words(weight_thresholds(largest, bits)), first=1)
    await bench.quantize(ctx, Mode.QUANTIZE_WEIGHTS, weights, bits)
    assert (await bench.results(ctx) == quantize_weights(weights, bits)[0]).all(), f"W {bits}"


@pytest.mark.parametrize("stalls", [0, 0.4])
@pytest.mark.parametrize("source", ["stream", "onchip"])
def test_weights_stay_for_all_images_of_a_job(rng, source, stalls):
    async def scenario(ctx, bench):
        for start in (5, 0):
            await sums_are_right(ctx, bench, job(), draw(rng, job(), 3), start=start, hold=1)
            await bench.registers(ctx, job={"hold_weights": 0})

    JobBench(ENGINE.replace(weights=source), rng, stalls=stalls).run(scenario)


def test_each_image_has_its_own_weights(rng):
    async def scenario(ctx, bench):
        await sums_are_right(ctx, bench, job(), draw(rng, job(), 3, 3))

    JobBench(ENGINE, rng, stalls=0.3).run(scenario)


@pytest.mark.parametrize("source", ["stream", "onchip"])
def test_channel_groups_with_the_same_weights(rng, source):
    """Of several tiles each."""
    one = job(in_shape=(3, 4, 6), groups=3, out_channels=27, shared_weights=True)

    async def scenario(ctx, bench):
        await sums_are_right(ctx, bench, one, draw(rng, one, 2), hold=1)

    JobBench(ENGINE.replace(weights=source), rng, stalls=0.2).run(scenario)


@pytest.mark.parametrize("stalls", [0, 0.4])
def test_gradients_become_codes(rng, stalls):
    async def scenario(ctx, bench):
        for bits in rng.permutation(range(1, 9)):
            await gradients_are_right(ctx, bench, rng, int(bits))

    JobBench(ENGINE, rng, stalls=stalls).run(scenario)


def test_sums_follow_codes_in_their_packet(rng):
    async def scenario(ctx, bench):
        for bits in (1, 6, 8):
            await gradients_are_right(ctx, bench, rng, bits, job(a_bits=bits))

    JobBench(ENGINE, rng, stalls=0.3).run(scenario)


@pytest.mark.parametrize("stalls", [0, 0.4])
def test_weights_become_codes(rng, stalls):
    async def scenario(ctx, bench):
        for bits in rng.permutation(range(1, 9)):
            await weights_are_right(ctx, bench, rng, int(bits))

    JobBench(ENGINE, rng, stalls=stalls).run(scenario)
