"""Jobs through the ports of an engine that trains: images, words, codes, sums."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.interface.registers import Mode

from .job_bench import JobBench
from .job_scenarios import (
    ENGINE,
    FAULTS,
    KINDS,
    draw,
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
            await sums_are_right(ctx, bench, job(), draw(rng, job(), 3), start=start, hold=1)
            await bench.registers(ctx, job={"hold_weights": 0})

    JobBench(ENGINE.replace(weights=source), rng, stalls=0.3).run(scenario)


@pytest.mark.parametrize("source", ["stream", "onchip"])
def test_channel_groups_with_the_same_weights(rng, source):
    """Of several tiles each."""
    one = job(in_shape=(3, 3, 6), groups=3, out_channels=27, shared_weights=True)

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
            if source == "stream" or KINDS[number] not in ("own", "sums of codes"):
                await some_job(ctx, bench, rng, KINDS[number])

    JobBench(ENGINE.replace(weights=source), rng, stalls=0.3).run(scenario)


def draw_engine(rng):
    """A random engine for the jobs above."""
    rows = int(rng.integers(2, 9))
    return ENGINE.replace(
        lanes=int(rng.integers(16, 40)),
        rows=2 * rows,
        quant=2 * int(rng.integers(1, rows + 1)),
        port_bytes=int(rng.choice([4, 8, 16])),
        fetch_bits=int(rng.choice([16, 32])) if rows < 0 else 16,
        encoding=str(rng.choice(["bipolar", "any"])),
        prefetch=int(rng.integers(2)),
        engines=int(rng.integers(1, 3)),
    )


@pytest.mark.slow
@pytest.mark.sample
def test_jobs_on_random_engines(rng):
    for _ in range(4):
        try:
            config = draw_engine(rng)
        except InputError:
            continue

        async def scenario(ctx, bench):
            for _ in range(25):
                await some_job(ctx, bench, rng, KINDS[rng.integers(len(KINDS))])

        JobBench(config, rng, stalls=rng.choice([0, 0.3])).run(scenario, limit=60_000)
