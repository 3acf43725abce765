"""The weight memories: every row its own words, all read together."""

import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.array.weight_memory import WeightMemory

from ...support import fields_of, flat, simulate


@pytest.mark.parametrize("rows, depth", [(1, 1), (3, 5), (4, 8)])
def test_words_of_rows(rows, depth, rng):
    """Written in random order, one or several rows at a time, over one another; other rows keep theirs."""
    config = EngineConfig(lanes=11, rows=rows, quant=1, fetch_bits=8, weight_depth=depth)
    unit = WeightMemory(config)
    held = {}

    async def testbench(ctx):
        writes = [(1 << row, address) for row in range(rows) for address in range(depth)]
        writes += [(int(rng.integers(1, 1 << rows)), int(rng.integers(depth))) for _ in range(20)]
        for number in rng.permutation(len(writes)):
            enables, address = writes[number]
            words = rng.integers(0, 1 << 11, rows).tolist()
            held.update({(row, address): words[row] for row in range(rows) if enables >> row & 1})
            ctx.set(unit.w_address, address)
            ctx.set(unit.w_data, flat(words, 11))
            ctx.set(unit.w_en, enables)
            await ctx.tick()
            ctx.set(unit.w_en, 0)
            ctx.set(unit.w_data, 0)
            await ctx.tick()
        for address in [*range(depth), *rng.integers(0, depth, 10).tolist()]:
            ctx.set(unit.address, address)
            await ctx.tick().repeat(unit.latency)
            words = fields_of(ctx.get(unit.w), 11, rows)
            assert words == [held[row, address] for row in range(rows)]

    simulate(unit, testbench, limit=500)


def test_preloaded():
    config = EngineConfig(lanes=8, rows=2, quant=1, fetch_bits=8, weight_depth=4)
    unit = WeightMemory(config, init=[[1, 2], [3]])

    async def testbench(ctx):
        await ctx.tick().repeat(unit.latency)
        assert fields_of(ctx.get(unit.w), 8, 2) == [1, 3]
        ctx.set(unit.address, 1)
        await ctx.tick().repeat(unit.latency)
        assert fields_of(ctx.get(unit.w), 8, 2) == [2, 0]

    simulate(unit, testbench, limit=10)
