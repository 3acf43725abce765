# amaranth: UnusedElaboratable=no
"""A map leaves when it is whole, code by code as it came, as fast as the port is wide."""

import numpy as np
import pytest

from dorefa.hw.hybrid.code_store import CodeStore

from ..support import simulate


def run(unit, maps, rng, *, gaps=0, stalls=0):
    """Feeds maps, arrays (pixels, channels) of codes; returns the beats of each, arrays of codes, and of all
    beats the cycles since the last pixel came."""
    bits, seen, times = len(unit.word) // maps[0].shape[1], [[]], []
    cycle, ended = [0], [0]

    async def feed(ctx):
        for codes in maps:
            for at, pixel in enumerate(codes):
                while rng.random() < gaps:
                    await ctx.tick()
                ctx.set(unit.word, sum(int(code) << bits * channel for channel, code in enumerate(pixel)))
                ctx.set(unit.valid, 1)
                if at == len(codes) - 1:
                    ended[0] = cycle[0]
                await ctx.tick()
                ctx.set(unit.valid, 0)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(unit.taken)

    async def watch(ctx):
        ctx.set(unit.o.ready, 1)
        async for _, _, valid, ready, beat in ctx.tick().sample(unit.o.valid, unit.o.ready, unit.o.payload):
            if valid and ready:
                times.append(cycle[0] - ended[0])
                assert beat.keep == (1 << len(unit.o.payload.keep)) - 1
                seen[-1].append(np.frombuffer(beat.data.to_bytes(beat.keep.bit_length(), "little"), np.uint8))
                if beat.last:
                    seen.append([])
            cycle[0] += 1
            ctx.set(unit.o.ready, rng.random() >= stalls)

    simulate(unit, feed, limit=20_000, monitors=[watch])
    assert seen.pop() == [], "a map that does not end"
    return seen, times


@pytest.mark.parametrize(
    "pixels, channels, bits, beat_codes",
    [(1, 1, 1, 1), (1, 6, 2, 3), (5, 4, 3, 4), (4, 6, 8, 1), (7, 8, 2, 2)],
)
def test_maps_leave_as_they_came(pixels, channels, bits, beat_codes, rng):
    maps = [rng.integers(0, 1 << bits, (pixels, channels)) for _ in range(3)]
    unit = CodeStore(pixels=pixels, channels=channels, bits=bits, beat_codes=beat_codes)
    seen, times = run(unit, maps, rng)
    assert [np.concatenate(beats).tolist() for beats in seen] == [codes.ravel().tolist() for codes in maps]
    beats = pixels * channels // beat_codes
    assert times == 3 * [CodeStore.latency + beat for beat in range(beats)]


def test_waits_on_both_sides(rng):
    maps = [rng.integers(0, 4, (6, 6)) for _ in range(5)]
    unit = CodeStore(pixels=6, channels=6, bits=2, beat_codes=3)
    seen, _ = run(unit, maps, rng, gaps=0.5, stalls=0.6)
    assert [np.concatenate(beats).tolist() for beats in seen] == [codes.ravel().tolist() for codes in maps]
