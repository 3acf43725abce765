"""Wide results: what tiles are promised of the queue, and how long a group takes."""

import pytest

from dorefa.hw.engine.output.wide_results import WideResults

from ...support import simulate
from .test_wide_results import AHEAD, BASE


def test_every_place_is_promised_and_other_layers_take_none():
    """Tiles of one group end until the room beyond the largest tile is promised; tiles of other layers end at
    any time."""
    unit = WideResults(BASE, ahead=AHEAD)
    most = -(-BASE.rows // BASE.quant)
    raw = {"raw": 1, "full_groups": 1, "last_groups": 1}

    async def testbench(ctx):
        ctx.set(unit.tile.ends, 1)
        ctx.set(unit.layer, raw | {"raw": 0})
        for _ in range(2 * unit.queue.depth):
            assert ctx.get(unit.tile_ready)
            await ctx.tick()
        ctx.set(unit.layer, raw)
        tiles = 0
        while ctx.get(unit.tile_ready):
            tiles += 1
            await ctx.tick()
        assert tiles == unit.queue.depth - most + 1
        ctx.set(unit.layer, raw | {"raw": 0})
        assert ctx.get(unit.tile_ready)

    simulate(unit, testbench, limit=4 * unit.queue.depth)


@pytest.mark.parametrize("encoding, cycles", [("bipolar", 4), ("any", 3)])
def test_latency(encoding, cycles):
    unit = WideResults(BASE.replace(encoding=encoding), ahead=AHEAD)

    async def testbench(ctx):
        ctx.set(unit.valid, 1)
        for cycle in range(cycles + 1):
            assert ctx.get(unit.o.valid) == (cycle == cycles), cycle
            await ctx.tick()
            ctx.set(unit.valid, 0)

    simulate(unit, testbench, limit=10)
