"""Wide results: groups as beats, offsets added, stalls respected; tiles wait, so that no group is lost."""

import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.wide_results import WideResults

from ...support import fields_of, flat, receive, simulate

BASE = EngineConfig(lanes=16, rows=7, quant=3, fetch_bits=16, acc_bits=10, results="wide")
AHEAD = 4


def draw_passes(config, rng):
    """Per pass its descriptor and tiles; a tile is a list of groups (values, offsets, count)."""
    passes, half = [], 1 << (config.acc_bits - 2)
    most = -(-config.rows // config.quant)
    for number in range(6):
        full, last = (int(rng.integers(1, most + 1)) for _ in range(2))
        layer = {"raw": 1, "ends_image": number % 2, "full_groups": full, "last_groups": last}
        tiles = []
        for tile in range(int(rng.integers(1, 7))):
            is_last = tile % 3 == 2 or number % 3 == 0
            groups = [
                [rng.integers(-half, half, config.total_quant).tolist() for _ in range(2)]
                + [int(rng.integers(1, config.total_quant + 1))]
                for _ in range(last if is_last else full)
            ]
            tiles.append((is_last, groups))
        passes.append((layer, tiles))
    return passes


def expected_beats(config, passes):
    """(sums, keep, last) of every beat."""
    for layer, tiles in passes:
        groups = [group for _, groups in tiles for group in groups]
        for number, (values, offsets, count) in enumerate(groups):
            lacks = offsets if config.xnor else [0] * len(values)
            sums = [value + lack for value, lack in zip(values, lacks, strict=True)][:count]
            keep = (1 << (config.result_bits // 8 * count)) - 1
            last = layer["ends_image"] and number == len(groups) - 1
            yield flat(sums, config.result_bits), keep, int(last)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"encoding": "any"},  # no offset
        {"quant": 1, "rows": 2},
        {"acc_bits": 40, "quant": 4},  # 64-bit results
        {"acc_bits": 32},  # sums are as wide as the port
        {"engines": 2, "rows": 6},
    ],
    ids=lambda changes: "-".join(f"{k}{v}" for k, v in changes.items()) or "base",
)
@pytest.mark.parametrize("stalls", [0, 0.3, 0.9])
def test_beats_are_the_groups(changes, stalls, rng):
    """Tiles end as soon as they may, and their groups come one a cycle, `AHEAD` cycles later."""
    config = BASE.replace(**changes)
    unit = WideResults(config, ahead=AHEAD)
    passes = draw_passes(config, rng)
    expected = list(expected_beats(config, passes))
    coming, dones, waited = [], [], []

    async def tiles(ctx):
        for layer, own in passes:
            ctx.set(unit.layer, layer)
            for number, (is_last, groups) in enumerate(own):
                ctx.set(unit.tile, {"ends": 0, "last": is_last})
                while not ctx.get(unit.tile_ready):
                    waited.append(number)
                    await ctx.tick()
                ctx.set(unit.tile.ends, 1)
                ends = number == len(own) - 1
                coming.extend((group, ends and group is groups[-1]) for group in groups)
                await ctx.tick()
                ctx.set(unit.tile.ends, 0)
                # The drain takes the next tile when this one has left.
                for _ in groups[1:]:
                    await ctx.tick()
            while len(dones) < passes.index((layer, own)) + 1:
                await ctx.tick()

    async def drain(ctx):
        stages = [None] * AHEAD
        lacks = [0] * config.total_quant
        while True:
            stages.append(coming.pop(0) if coming else None)
            now = stages.pop(0)
            ctx.set(unit.valid, now is not None)
            (values, offsets, count), ends = now or (([-1] * config.total_quant, lacks, 0), 0)
            for lane in range(config.total_quant):
                ctx.set(unit.values[lane], values[lane])
                ctx.set(unit.offsets[lane], lacks[lane])
            ctx.set(unit.group, {"count": count, "ends_layer": ends})
            # The parameters answer in the cycle after: only then are offsets right.
            lacks = offsets if now else [0x55] * config.total_quant
            await ctx.tick()

    async def take(ctx):
        taken, stamps = await receive(
            ctx, unit.o, lambda taken: len(taken) == len(expected), rng, stalls=stalls
        )
        for number, (beat, (sums, keep, last)) in enumerate(zip(taken, expected, strict=True)):
            kept = keep.bit_count() // (config.result_bits // 8)
            found = fields_of(beat.data, config.result_bits, kept)
            assert flat(found, config.result_bits) == sums, number
            assert (beat.keep, beat.last) == (keep, last), number
        await ctx.tick()
        assert len(dones) == len(passes)
        assert stalls or not waited

    async def count_done(ctx):
        while True:
            _, _, done, valid, ready = await ctx.tick().sample(unit.done, unit.o.valid, unit.o.ready)
            if done:
                assert valid and ready
                dones.append(1)

    simulate(unit, tiles, take, limit=6000, monitors=[drain, count_done])
