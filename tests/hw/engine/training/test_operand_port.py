"""Jobs through the ports of an engine that trains: images, words, codes, sums."""

import numpy as np
import pytest

from dorefa.golden.backward.job import Job
from dorefa.golden.backward.planes import run_planes
from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.gradient import quantize_words, reciprocals
from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.golden.quantizers.weight_thresholds import threshold_words, weight_thresholds
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.compiler.training.weight_operands import weight_packets, weight_writes
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


def draw(rng, job, count, sets):
    images = rng.integers(0, 1 << job.a_bits, (count, *job.in_shape)).astype(np.uint8)
    weights = rng.integers(0, 1 << job.w_bits, (sets, *job.weights_shape)).astype(np.uint8)
    return images, weights


def job(**fields):
    shape = {"layer": "test", "kind": "weight", "kernel": (3, 3), "in_shape": (6, 5, 3), "out_channels": 6}
    return Job(**shape | {"w_bits": 2, "a_bits": 3, "stride": (1, 1), "padding": (1, 1, 1, 1)} | fields)


async def prepare(ctx, bench, computed, start=0):
    await bench.table(ctx, bench.map.program, job_descriptor(computed), start)


async def run_job(ctx, bench, computed, images, weights, *, start=0, hold=0):
    """Sums of images, one job each, whose weights stream in or are written."""
    await bench.registers(
        ctx,
        layers=1,
        image_bytes=computed.image_bytes,
        program_start=start,
        job={"mode": Mode.IMAGE, "hold_weights": hold},
    )
    if bench.map.weights is None:
        bench.weights += weight_packets(computed, weights)
    else:
        await bench.write(ctx, weight_writes(computed, weights[0]))
    answers = []
    for packet in computed.packets(images):
        await bench.send(ctx, packet)
    for _ in images:
        answers.append(await bench.results(ctx))
    return computed.answers(np.stack(answers), weights)


@pytest.mark.parametrize("stalls", [0, 0.4])
@pytest.mark.parametrize("source", ["stream", "onchip"])
def test_weights_stay_for_all_images_of_a_job(rng, source, stalls):
    one = job()
    computed = JobPass(part=one, config=ENGINE.replace(weights=source))
    images, weights = draw(rng, one, 3, 1)

    async def scenario(ctx, bench):
        start = 5
        await prepare(ctx, bench, computed, start)
        for _ in range(2):
            sums = await run_job(ctx, bench, computed, images, weights, start=start, hold=1)
            assert (sums == run_planes(one, images, weights)).all()
            await bench.registers(ctx, job={"hold_weights": 0})

    JobBench(computed.config, rng, stalls=stalls).run(scenario)
