"""Which groups and places streams of trunks promise to a tile, tile by tile."""

import pytest

from .test_trunk_streams_guard import CONFIG, Trunks, of_image, packet


def beats(groups, last=False):
    """Beats of the first image's first packet."""
    return of_image(packet(0, groups, last=last), 1)


async def layer(ctx, unit, *, adds, groups):
    """A pass of tiles of so many groups, which adds a trunk or keeps one; waits until what comes is there."""
    fields = {"full_groups": groups, "trunk_add": adds, "trunk_store": not adds}
    for name, value in fields.items():
        ctx.set(unit.layer[name], value)
    ctx.set(unit.image, 1)
    ctx.set(unit.idle, 0)
    for _ in range(2 * CONFIG.trunk_depth):
        await ctx.tick()


async def stays(ctx, signal, value):
    """Whether a signal has a value for some cycles, from this one on."""
    found = []
    for _ in range(10):
        found.append(ctx.get(signal))
        await ctx.tick()
    return found == [value] * 10


@pytest.mark.parametrize("adds", [False, True])
def test_a_tile_that_follows_at_once_is_promised_nothing_twice(adds):
    """Neither groups nor places, from the very cycle on in which one ends."""
    trunks = Trunks(packet(0, 4, last=False) if adds else [])
    unit = trunks.unit

    async def testbench(ctx):
        await layer(ctx, unit, adds=adds, groups=4)
        assert ctx.get(unit.tile_ready)
        await trunks.pulse(ctx, unit.tile.ends)
        assert await stays(ctx, unit.tile_ready, 0)
        ctx.set(unit.o.ready, 1)
        for _ in range(4):
            await trunks.pulse(ctx, unit.take if adds else unit.keep)
        trunks.beats += beats(4) if adds else []
        for _ in range(10):
            await ctx.tick()
        assert ctx.get(unit.tile_ready)

    trunks.run(testbench)


def test_what_waits_for_a_full_queue_is_not_there():
    depth = CONFIG.trunk_depth
    trunks = Trunks(packet(0, depth + 3, last=False))
    unit = trunks.unit

    async def testbench(ctx):
        await layer(ctx, unit, adds=True, groups=depth)
        assert trunks.taken == depth and ctx.get(unit.tile_ready)
        await trunks.pulse(ctx, unit.tile.ends)
        assert await stays(ctx, unit.tile_ready, 0)
        for _ in range(depth):
            await trunks.pulse(ctx, unit.take)
        assert await stays(ctx, unit.tile_ready, 0)
        trunks.beats += beats(depth - 3)
        for _ in range(2 * depth):
            await ctx.tick()
        assert ctx.get(unit.tile_ready)

    trunks.run(testbench)


@pytest.mark.parametrize("adds, waits", [(False, True), (True, False)])
def test_a_packet_is_short_for_a_tile_that_waits_for_it_alone(adds, waits):
    """Not for one that waits for room, or does not wait yet."""
    trunks = Trunks(packet(0, 2))
    unit = trunks.unit

    async def testbench(ctx):
        ctx.set(unit.waits, waits)
        await layer(ctx, unit, adds=adds, groups=4)
        assert trunks.taken == 2 and not trunks.wrong
        ctx.set(unit.waits, 1)
        await layer(ctx, unit, adds=True, groups=4)
        assert trunks.wrong

    trunks.run(testbench)
