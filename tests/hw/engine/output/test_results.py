"""Results: existing lanes only, offsets added, stalls respected."""

import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.results import Results

from ...support import receive, simulate

BASE = EngineConfig(lanes=8, rows=4, quant=3, fetch_bits=8, acc_bits=10)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoding": "any"},  # no offset
        {"quant": 1},
        {"acc_bits": 40, "quant": 4},  # 64-bit results
        {"acc_bits": 32},  # the sum of accumulator and offset is as wide as the port
    ],
    ids=lambda changes: "-".join(f"{k}{v}" for k, v in changes.items()) or "base",
)
@pytest.mark.parametrize("gaps, stalls", [(0, 0), (0.5, 0), (0, 0.6), (0.4, 0.4)])
def test_results(changes, gaps, stalls, rng):
    config = BASE.replace(**changes)
    unit = Results(config)
    # Sums are at most as wide as the port.
    half = 1 << (config.acc_bits - (2 if config.acc_bits == 32 else 1))
    groups, expected = [], []
    for number in range(40):
        count = int(rng.integers(1, config.quant + 1))
        values = [int(v) for v in rng.integers(-half, half, config.quant)]
        offsets = [int(v) for v in rng.integers(-half, half, config.quant)]
        ends = number % 4 == 3
        # The first of every two passes is not the program's last.
        image = number % 8 >= 4
        groups.append((values, offsets, count, ends, image))
        for lane in range(count):
            value = values[lane] + (offsets[lane] if config.xnor else 0)
            expected.append((value, int(image and ends and lane == count - 1)))
    passes = sum(ends for *_, ends, _ in groups)
    dones = []

    async def feed(ctx):
        held = [0] * config.quant
        for values, offsets, count, ends, image in groups:
            offered = False
            taken = False
            # The descriptor changes when the pass before has sent its last.
            while ctx.get(unit.ends_image) != image and ctx.get(unit.o.valid):
                await ctx.tick()
            ctx.set(unit.ends_image, image)
            while not taken:
                offered = offered or rng.random() >= gaps
                ctx.set(unit.valid, offered)
                for lane, value in enumerate(values):
                    # Values and group count only when they are taken.
                    ctx.set(unit.values[lane], value if offered else -1)
                ctx.set(unit.group, {"count": count, "ends_layer": ends})
                _, _, ready = await ctx.tick().sample(unit.ready)
                taken = offered and ready
                for lane in range(config.quant):
                    # The parameters answer in the cycle after: only then are offsets right.
                    held[lane] = offsets[lane] if taken else 0x55
                    ctx.set(unit.offsets[lane], held[lane])
            ctx.set(unit.valid, 0)
            await ctx.tick()
            for lane in range(config.quant):
                ctx.set(unit.offsets[lane], 0x2A)

    async def take(ctx):
        results, _ = await receive(ctx, unit.o, lambda taken: len(taken) == len(expected), rng, stalls=stalls)
        assert [(result.data, result.last) for result in results] == expected
        for _ in range(4):
            await ctx.tick()
        assert len(dones) == passes == 2 * sum(last for _, last in expected)

    async def count_done(ctx):
        while True:
            _, _, done, valid, ready, last = await ctx.tick().sample(
                unit.done, unit.o.valid, unit.o.ready, unit.o.payload.last
            )
            assert not last or done == (valid and ready)
            if done:
                assert valid and ready
                dones.append(1)

    simulate(unit, feed, take, limit=2000, monitors=[count_done])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ready_again_behind_the_last_one(count):
    """A group that is offered all the time is taken once for each time that its results leave."""
    unit = Results(BASE)

    async def testbench(ctx):
        ctx.set(unit.valid, 1)
        ctx.set(unit.group, {"count": count, "ends_layer": 0})
        ctx.set(unit.o.ready, 1)
        seen = []
        for _ in range(3 * (count + 2)):
            _, _, ready, valid = await ctx.tick().sample(unit.ready, unit.o.valid)
            seen.append((ready, valid))
        assert seen == [(1, 0), (0, 0), *[(0, 1)] * count] * 3

    simulate(unit, testbench, limit=20)
