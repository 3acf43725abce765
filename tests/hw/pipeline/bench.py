# amaranth: UnusedElaboratable=no
"""A pipeline in Amaranth's simulator: packets in, results out, both ends with random waits."""

from dataclasses import dataclass, field

import numpy as np

from dorefa.golden import lower, random_network, run_integer
from dorefa.golden.network.encoding import Encoding
from dorefa.hw.pipeline.pipeline import Pipeline
from dorefa.hw.pipeline.plan import make_plan

from ..support import simulate


@dataclass
class Outcome:
    """What a pipeline did: cycles of beats that it took, and per packet of results its numbers, the cycle of
    the last one and whether it was marked."""

    taken: list = field(default_factory=list)
    results: list = field(default_factory=list)
    ends: list = field(default_factory=list)
    marked: list = field(default_factory=list)


def network_of(seed, **options):
    """A small random network that a pipeline runs."""
    drawn = random_network(
        seed,
        max_macs=20_000,
        max_size=1 + seed % 8,
        max_channels=(3, 8, 16)[seed % 3],
        encodings=list(Encoding) if seed % 2 else (Encoding.BIPOLAR,),
        allow_average=True,
        allow_pool_padding=True,
        wide_padding=False,
        **options,
    )
    return lower(drawn)


def plan_of(network, rng):
    """A plan with random choices, and no search."""
    return make_plan(
        network,
        evaluations=0,
        absorbs=bool(rng.integers(2)),
        pace=int(rng.choice([1, 1, 2, 4])),
        every=int(rng.choice([1, 2])),
    )


def expected(network, images):
    """Results of images, flat."""
    return run_integer(network, images)[network.layers[-1].name].reshape(len(images), -1)


def packet(image):
    """(word, last) of the beats of an image."""
    pixels = np.ascontiguousarray(image, np.uint8).reshape(-1, image.shape[-1])
    return [
        (int.from_bytes(pixel.tobytes(), "little"), at == len(pixels) - 1) for at, pixel in enumerate(pixels)
    ]


def run(plan, packets, count, *, gaps=0, stalls=0, rng=None):
    """The :class:`Outcome` of packets of beats, after `count` packets of results."""
    pipeline, outcome = Pipeline(plan), Outcome()
    beats = [beat for beats in packets for beat in beats]
    size = int(np.prod(plan.stages[-1].layer.out_shape))
    limit = (len(beats) * plan.pace + count * size) * 100 // (100 - max(gaps, stalls)) * 4
    limit += 2 * (plan.latency + plan.flush * plan.pace) + 200

    async def send(ctx):
        for word, last in beats:
            while gaps and rng.integers(100) < gaps:
                await ctx.tick()
            ctx.set(pipeline.i.payload.data, word)
            ctx.set(pipeline.i.payload.last, last)
            ctx.set(pipeline.i.valid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(pipeline.i.ready)
            ctx.set(pipeline.i.valid, 0)

    async def take(ctx):
        cycle, numbers, bits = 0, [], pipeline.result_bits
        ports = (pipeline.o.valid, pipeline.o.ready, pipeline.o.payload, pipeline.i.valid & pipeline.i.ready)
        ctx.set(pipeline.o.ready, 1)
        async for _, _, valid, ready, payload, taken in ctx.tick().sample(*ports):
            if taken:
                outcome.taken.append(cycle)
            if valid and ready:
                numbers.append(payload.data - (payload.data >> (bits - 1) << bits))
                assert payload.last or not payload.error
                if payload.last:
                    outcome.results.append(numbers)
                    outcome.ends.append(cycle)
                    outcome.marked.append(bool(payload.error))
                    numbers = []
            if len(outcome.results) == count:
                return
            ctx.set(pipeline.o.ready, not (stalls and rng.integers(100) < stalls))
            cycle += 1

    simulate(pipeline, take, limit=limit, monitors=(send,))
    return outcome
