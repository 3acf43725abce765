"""The order of columns: sets arrive tile by tile and leave pixel by pixel."""

import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.column_order import ColumnOrder

from ...support import fields_of, flat, memories_of, simulate

BASE = EngineConfig(lanes=8, rows=4, quant=2, fetch_bits=8, out_bits=3, a_bits=3, pool_depth=6)
CODE_BITS = 3


def draw_sets(config, tiles, rng, pooled):
    """Sets of one layer as (cycle's input, expected output): per cycle what the pool gives.

    `pooled`: pixels of a set end a window or not, at random; a set may leave none at all.
    """
    groups = sum(tiles)
    cycles, expected = [], []
    sets = 12
    for number in range(sets):
        used = max(1, config.cols - 1) if number == sets - 1 else config.cols
        kept = [not pooled or rng.random() < 0.5 for _ in range(used)]
        if number == sets - 1:
            kept[-1] = True  # the last pixel of a layer ends its last window
        codes = rng.integers(0, 1 << CODE_BITS, (used, groups, config.total_quant))
        counts = [int(rng.integers(1, config.total_quant + 1)) for _ in range(groups)]
        first = 0
        for count in tiles:
            for column in range(used):
                for index in range(first, first + count):
                    ends = column == used - 1 and index == groups - 1
                    marks = {
                        "column": sum(kept[:column]),
                        "index": index,
                        "count": counts[index],
                        "ends_set": ends,
                        "ends_layer": ends and number == sets - 1,
                    }
                    cycles.append((kept[column], codes[column, index], marks, ends, sum(kept)))
            first += count
        places = [(column, index) for column in range(used) if kept[column] for index in range(groups)]
        for column, index in places:
            last = (column, index) == places[-1] and number == sets - 1
            expected.append((codes[column, index].tolist(), counts[index], last))
    return cycles, expected


@pytest.mark.parametrize("cols", [2, 3, 4])
@pytest.mark.parametrize("tiles", [[1], [1, 1], [2, 2, 1], [6]], ids=str)
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("gaps, engines", [(0, 1), (0.2, 1), (0, 2)])
def test_storage_order(cols, tiles, pooled, gaps, engines, rng):
    """At full rate and with gaps, two layers after one another."""
    config = BASE.replace(cols=cols, pool_depth=sum(tiles), engines=engines)
    unit = ColumnOrder(config, code_bits=CODE_BITS)
    layers = [draw_sets(config, tiles, rng, pooled) for _ in range(2)]
    cycles = sum(len(sent) for sent, _ in layers)

    async def feed(ctx):
        for number, (sent, _) in enumerate(layers):
            for kept, codes, marks, ends, columns in sent:
                while rng.random() < gaps:
                    ctx.set(unit.valid, 0)
                    ctx.set(unit.set_ends, 0)
                    await ctx.tick()
                ctx.set(unit.codes, flat(codes, CODE_BITS))
                ctx.set(unit.group, marks)
                ctx.set(unit.valid, kept)
                ctx.set(unit.set_ends, ends)
                ctx.set(unit.columns, columns if ends else 0)
                await ctx.tick()
            ctx.set(unit.valid, 0)
            ctx.set(unit.set_ends, 0)
            while len(taken) < sum(len(layer[1]) for layer in layers[: number + 1]):
                await ctx.tick()

    taken = []

    async def check(ctx):
        expected = [group for _, groups in layers for group in groups]
        while len(taken) < len(expected):
            _, _, valid, codes, count, last = await ctx.tick().sample(
                unit.o_valid, unit.o_codes, unit.o_count, unit.o_last
            )
            if valid:
                taken.append((fields_of(codes, CODE_BITS, config.total_quant), count, bool(last)))
                assert taken[-1] == expected[len(taken) - 1], len(taken)
        for _ in range(5):
            _, _, valid = await ctx.tick().sample(unit.o_valid)
            assert not valid

    simulate(unit, feed, check, limit=4 * cycles + 500)


def test_groups_leave_in_a_row_four_cycles_after_the_set(rng):
    config = BASE.replace(cols=2)
    unit = ColumnOrder(config, code_bits=CODE_BITS)

    async def testbench(ctx):
        ctx.set(unit.valid, 1)
        for column in range(2):
            for index in range(3):
                ends = column == 1 and index == 2
                ctx.set(unit.group, {"column": column, "index": index, "count": 2, "ends_set": ends})
                ctx.set(unit.set_ends, ends)
                ctx.set(unit.columns, 2)
                await ctx.tick()
        ctx.set(unit.valid, 0)
        ctx.set(unit.set_ends, 0)
        seen = []
        for _ in range(12):
            _, _, valid = await ctx.tick().sample(unit.o_valid)
            seen.append(valid)
        assert seen == [0, 0, 0] + [1] * 6 + [0] * 3

    simulate(unit, testbench, limit=30)


@pytest.mark.parametrize("cols, depth", [(4, 6), (3, 8), (2, 1)])
def test_the_memory_holds_two_sets(cols, depth):
    """Columns and groups each to the next power of two, so that no address is added up."""
    _, memories = memories_of(ColumnOrder(BASE.replace(cols=cols, pool_depth=depth), code_bits=CODE_BITS))
    (memory,) = memories.values()
    assert memory.depth == 2 * (1 << (cols - 1).bit_length()) * (1 << (depth - 1).bit_length())
