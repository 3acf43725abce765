"""Jobs through the ports of an engine that trains: images, words, codes, sums."""

import numpy as np
import pytest

from dorefa.golden.backward.planes import run_planes
from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.gradient import quantize_words, reciprocals
from dorefa.golden.quantizers.weight_thresholds import threshold_words, weight_thresholds
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.interface.registers import Mode

from .job_bench import JobBench
from .job_scenarios import (
    ALONE,
    ENGINE,
    FAULTS,
    KINDS,
    draw,
    draw_words,
    dropped,
    gradients_are_right,
    job,
    some_job,
    sums_are_right,
    weights_are_right,
)


@pytest.mark.parametrize("source", ["stream", "onchip"])
def test_weights_stay_for_all_images_of_a_job(rng, source):
    async def scenario(ctx, bench):
        for start in (5, 0):
            await sums_are_right(ctx, bench, job(), draw(rng, job(), 2), start=start, hold=1)
            await bench.registers(ctx, job={"hold_weights": 0})

    JobBench(ENGINE.replace(weights=source), rng, stalls=0.3).run(scenario)


def test_a_packet_drops_the_weights_that_were_kept(rng):
    """By the 0 that it finds, in the very cycle of its first beat; a 1 keeps those of another job."""
    one = job(in_shape=(1, 1, 4), kernel=(1, 1), padding=(0, 0, 0, 0))  # an image is a beat
    first, other = draw(rng, one, 1), draw(rng, one, 2, 2)
    computed = JobPass(part=one, config=ENGINE)

    async def scenario(ctx, bench):
        await sums_are_right(ctx, bench, one, first, hold=1)
        await bench.send(ctx, computed.packets(other[0])[0])
        found = computed.answers((await bench.results(ctx))[None], first[1])
        assert (found == run_planes(one, other[0][:1], first[1])).all()
        assert (await bench.sums(ctx, computed, *other) == run_planes(one, *other)).all()

    JobBench(ENGINE, rng).run(scenario)


@pytest.mark.parametrize("source", ["stream", "onchip"])
def test_channel_groups_with_the_same_weights(rng, source):
    """Of several tiles each."""
    one = job(in_shape=(2, 2, 6), groups=3, out_channels=27, shared_weights=True)

    async def scenario(ctx, bench):
        await sums_are_right(ctx, bench, one, draw(rng, one, 2), hold=1)

    JobBench(ENGINE.replace(weights=source), rng, stalls=0.2).run(scenario)


def test_gradients_of_all_widths(rng):
    async def scenario(ctx, bench):
        for bits in rng.permutation(range(1, 9)):
            await gradients_are_right(ctx, bench, rng, int(bits))

    JobBench(ENGINE, rng, stalls=rng.choice([0, 0.4])).run(scenario)


def test_weights_of_all_widths(rng):
    async def scenario(ctx, bench):
        for bits in rng.permutation(range(1, 9)):
            await weights_are_right(ctx, bench, rng, int(bits))

    JobBench(ENGINE, rng, stalls=rng.choice([0, 0.4])).run(scenario)


@pytest.mark.parametrize("mode", [Mode.QUANTIZE_GRADIENTS, Mode.QUANTIZE_WEIGHTS])
def test_words_wait_for_the_port_of_their_codes(rng, mode):
    """As many beats are taken as there is room for, and none is lost."""
    words, bits = draw_words(rng, 160), 8
    expected = quantize_words(words[None], bits, None)[0]
    if mode == Mode.QUANTIZE_WEIGHTS:
        words = words[:80].astype(np.float32)
        expected = quantize_weights(words, bits)[0]

    async def scenario(ctx, bench):
        await bench.table(ctx, bench.map.reciprocals, reciprocals(bits))
        thresholds = threshold_words(weight_thresholds(np.abs(words).max().astype(np.float32), bits))
        await bench.table(ctx, bench.map.thresholds, thresholds, first=1)
        await bench.measure(ctx, Mode(mode - 1), words)
        bench.shut = 250
        await bench.quantize(ctx, mode, words, bits)
        assert (await bench.results(ctx)).tobytes() == expected.tobytes()
        assert len([cycle for cycle in bench.seen["i"][80:] if cycle < bench.seen["o"][0]]) == 32

    JobBench(ENGINE, rng).run(scenario)


def test_sums_wait_behind_codes(rng):
    async def scenario(ctx, bench):
        bench.shut = 1200
        await gradients_are_right(ctx, bench, rng, 6, job(a_bits=6))

    JobBench(ENGINE, rng).run(scenario)


def test_packets_that_are_dropped(rng):
    """With every fault in every mode that has it, and what follows is right."""
    faults = [(mode, fault) for mode in [*Mode][1:] for fault in FAULTS]
    faults += [(Mode.IMAGE, fault) for fault in ("short", "long", "nothing")]

    async def scenario(ctx, bench):
        for number in rng.permutation(len(faults)):
            await dropped(ctx, bench, job(), *faults[number])
        await sums_are_right(ctx, bench, job(), draw(rng, job(), 1))
        await gradients_are_right(ctx, bench, rng, 5)

    JobBench(ENGINE, rng, stalls=0.2).run(scenario)


@pytest.mark.parametrize("source", ["stream", "onchip"])
def test_job_after_job(rng, source):
    async def scenario(ctx, bench):
        for number in rng.permutation(len(KINDS)):
            if source == "stream" or KINDS[number] in ALONE:
                await some_job(ctx, bench, rng, KINDS[number])

    JobBench(ENGINE.replace(weights=source), rng, stalls=0.3).run(scenario)


def draw_engine(rng):
    """A random engine for the jobs above."""
    engines, quant = int(rng.integers(1, 3)), int(rng.integers(1, 5))
    port_bytes = int(rng.choice([4, 8, 16]))
    # The codes of a beat leave in one beat of results.
    quant = max(quant, port_bytes // 8)
    return ENGINE.replace(
        lanes=int(rng.integers(16, 41)),
        rows=quant * int(rng.integers(1, 4)),
        quant=quant,
        engines=engines,
        port_bytes=port_bytes,
        encoding=str(rng.choice(["bipolar", "any"])),
        prefetch=int(rng.integers(2)),
        weights=str(rng.choice(["stream", "onchip"])),
        weight_depth=512,
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", [pytest.param(0, marks=pytest.mark.sample), 1, 2, 3])
def test_jobs_on_random_engines(seed, number):
    rng = np.random.default_rng([seed, number])
    config = draw_engine(rng)
    kinds = KINDS if config.weights == "stream" else ALONE

    async def scenario(ctx, bench):
        for _ in range(25):
            await some_job(ctx, bench, rng, kinds[rng.integers(len(kinds))])

    JobBench(config, rng, stalls=rng.choice([0, 0.3])).run(scenario, limit=100_000)
