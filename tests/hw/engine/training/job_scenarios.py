"""What an engine that trains is asked to do, and what must come of it."""

import math

import numpy as np

from dorefa.golden.backward.job import Job
from dorefa.golden.backward.planes import run_planes
from dorefa.golden.lowering.lower import lower
from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.gradient import quantize_words, reciprocals
from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.golden.quantizers.weight_thresholds import threshold_words, weight_thresholds
from dorefa.golden.run.integer import run_integer
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.packets import weight_packet
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.interface.registers import Mode

from ...support import draw_layer, network
from .job_bench import beats_of, job_descriptor, jobs_weights

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
    param_depth=6,
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
    """Words are measured and quantized; with a job, what it makes of their codes and weights is right too."""
    count = int(rng.integers(1, 14)) if one is None else math.prod(one.in_shape)
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
        bench.weights += jobs_weights(computed, weights)
        sums = run_planes(one, images, weights) - computed.constants(weights)[:, None, None]
        expected += sums.astype("<i4").tobytes()
    await bench.quantize(
        ctx, Mode.QUANTIZE_GRADIENTS, words, bits, state=state, layers=one is not None, start=start
    )
    assert (await bench.results(ctx)).tobytes() == expected, f"G {bits}, {count} words, k {scales[0]}"


async def weights_are_right(ctx, bench, rng, bits):
    weights = rng.normal(size=int(rng.integers(1, 10))).astype(np.float32)
    largest = np.abs(weights).max()
    assert await bench.measure(ctx, Mode.MEASURE_WEIGHTS, weights) == largest.view(np.uint32)
    await bench.table(ctx, bench.map.thresholds, threshold_words(weight_thresholds(largest, bits)), first=1)
    await bench.quantize(ctx, Mode.QUANTIZE_WEIGHTS, weights, bits)
    assert (await bench.results(ctx) == quantize_weights(weights, bits)[0]).all(), f"W {bits}"


async def dropped(ctx, bench, one, mode, fault):
    """Sends a packet that is wrong; the next one is right."""
    port, right = bench.config.port_bytes, beats_of(bytes(48), bench.config.port_bytes)
    beats = {
        "short": [*right[:-2], (*right[-2][:2], 1)],
        "long": [*right[:-1], (*right[-1][:2], 0), (0, 1, 0), (0, 1, 1)],
        "part of a word": [*right[:-1], (0, 1, 1)],
        "beat that is not full": [right[0], (0, 3, 0), (0, 3, 0), *right[2:]],
        "nothing": [(0, 0, 1)],
        "nothing at the end": [*right[:-1], (*right[-1][:2], 0), (0, 0, 1)],
    }[fault]
    assert len(right) == 48 // port
    computed = JobPass(part=one, config=bench.config)
    await bench.table(ctx, bench.map.program, job_descriptor(computed))
    # What an image is dropped for keeps its weights for the next one.
    await bench.registers(ctx, image_bytes=48, program_start=0, layers=1, job={"mode": mode, "code_bits": 3})
    await bench.send(ctx, b"", beats=beats)
    assert await bench.idle(ctx) == 2, f"{mode}, {fault}"
    await bench.registers(ctx, status=2)
    assert await bench.idle(ctx) == 0
    if mode in (Mode.QUANTIZE_GRADIENTS, Mode.QUANTIZE_WEIGHTS):
        # The codes of all beats before the first that is wrong.
        left = {"short": len(right) - 2, "part of a word": len(right) - 1, "nothing": 0}
        left |= {"beat that is not full": 1}
        words = left.get(fault, len(right)) * port // (2 if mode == Mode.QUANTIZE_GRADIENTS else 4)
        assert len(await bench.results(ctx)) == words, f"{mode}, {fault}"
    assert not bench.packets


def inference(rng, config):
    """(a small network for the engine, what it makes of two images)."""
    layers = (
        draw_layer(rng, "conv", (3, 2, 2, 2), w_bits=2),
        draw_layer(rng, "scores", (5, 3, 3, 3), a_bits=None),
    )
    compiled = compile_network(lower(network((4, 4, 2), 3, *layers)), config)
    images = rng.integers(0, 8, (2, 4, 4, 2)).astype(np.uint8)
    (*_, scores) = run_integer(compiled.network, images).values()
    return compiled, images, scores.reshape(2, -1)


async def inference_is_right(ctx, bench, rng):
    """A network between jobs, all of its memories written again."""
    compiled, images, scores = inference(rng, bench.config)
    await bench.registers(ctx, program_start=0, job={"mode": Mode.IMAGE})
    await bench.write(ctx, compiled.host_writes())
    for image, expected in zip(images, scores, strict=True):
        if bench.map.weights is None:
            packets = [weight_packet(words, bench.config) for words in compiled.weight_packets]
            bench.weights += enumerate(packets)
        await bench.send(ctx, image)
        assert ((await bench.results(ctx)).view("<i4") == expected).all()


async def some_job(ctx, bench, rng, kind):
    bits = int(rng.integers(1, 9))
    if kind == "kept":
        await sums_are_right(ctx, bench, job(), draw(rng, job(), 2), start=int(rng.integers(9)), hold=1)
        await bench.registers(ctx, job={"hold_weights": 0})
    elif kind == "own":
        one = job(w_bits=bits, in_shape=(2, 2, 3), a_bits=1)
        await sums_are_right(ctx, bench, one, draw(rng, one, 2, 2))
    elif kind == "shared":
        one = job(in_shape=(2, 2, 6), groups=3, out_channels=27, shared_weights=True)
        await sums_are_right(ctx, bench, one, draw(rng, one, 1))
    elif kind == "gradients":
        await gradients_are_right(ctx, bench, rng, bits)
    elif kind == "sums of codes":
        await gradients_are_right(ctx, bench, rng, bits, job(a_bits=bits, w_bits=1))
    elif kind == "weights":
        await weights_are_right(ctx, bench, rng, bits)
    elif kind == "network":
        await inference_is_right(ctx, bench, rng)
    else:
        fault = FAULTS[rng.integers(len(FAULTS))]
        words = [*Mode][1:] if "word" in fault or "not full" in fault or "end" in fault else [*Mode]
        await dropped(ctx, bench, job(), words[rng.integers(len(words))], fault)


FAULTS = ("short", "long", "part of a word", "beat that is not full", "nothing", "nothing at the end")
KINDS = ("kept", "own", "shared", "gradients", "sums of codes", "weights", "network", "dropped")
# Those that need no stream of weights.
ALONE = tuple(kind for kind in KINDS if kind not in ("own", "sums of codes"))
