"""Max pooling and the order of columns."""

import numpy as np
import pytest

from dorefa.hw.config import EngineConfig
from dorefa.hw.pool import ColumnOrder, MaxPool

from .support import fields_of, flat, simulate

BASE = EngineConfig(
    lanes=8, rows=4, quant=2, fetch_bits=8, out_bits=3, a_bits=3, cols=2, pool_depth=4
)


@pytest.mark.parametrize(
    "changes",
    [{}, {"cols": 1}, {"cols": 3}, {"cols": 1, "pool_depth": 1}, {"quant": 1, "out_bits": 1}],
    ids=lambda changes: "-".join(f"{k}{v}" for k, v in changes.items()) or "base",
)
@pytest.mark.parametrize("gaps", [0, 0.3])
def test_maxima(changes, gaps, rng):
    """Windows of 1 to 4 positions; without gaps a group follows itself in the next cycle."""
    config = BASE.replace(**changes)
    unit = MaxPool(config)
    top = 1 << config.out_bits
    sent, expected = [], []
    for window in range(30):
        positions = int(rng.integers(1, 5))
        groups = [
            (column, index)
            for column in range(1 if window % 3 == 0 else config.cols)
            for index in range(1 if window % 3 == 0 else config.pool_depth)
        ]
        codes = rng.integers(0, top, (positions, len(groups), config.quant))
        for position in range(positions):
            for number, (column, index) in enumerate(groups):
                group = {
                    "column": column, "index": index, "count": 1 + window % config.quant,
                    "param": window % 7, "ends_set": number == len(groups) - 1,
                    "pool_first": position == 0, "pool_last": position == positions - 1,
                }  # fmt: skip
                sent.append((codes[position, number], group))
                if position == positions - 1:
                    expected.append((codes[:, number].max(axis=0).tolist(), group))
    taken = []

    async def feed(ctx):
        for codes, group in sent:
            while rng.random() < gaps:
                ctx.set(unit.valid, 0)
                # What is not valid must not be kept.
                ctx.set(unit.codes, (1 << len(unit.codes)) - 1)
                await ctx.tick()
            ctx.set(unit.codes, flat(codes, config.out_bits))
            ctx.set(unit.group, group)
            ctx.set(unit.valid, 1)
            await ctx.tick()
        ctx.set(unit.valid, 0)

    async def check(ctx):
        while len(taken) < len(expected):
            _, _, valid, codes, group = await ctx.tick().sample(
                unit.o_valid, unit.o_codes, unit.o_group
            )
            if valid:
                largest, marks = expected[len(taken)]
                assert fields_of(codes, config.out_bits, config.quant) == largest, len(taken)
                for name, value in marks.items():
                    assert group[name] == value, (len(taken), name)
                taken.append(codes)

    simulate(unit, feed, check, limit=6000)


@pytest.mark.parametrize("cols, tiles, groups", [(2, 1, 1), (2, 2, 2), (3, 1, 2), (4, 2, 1)])
@pytest.mark.parametrize("gaps", [0, 0.2])
def test_storage_order(cols, tiles, groups, gaps, rng):
    """Sets arrive tile by tile at full rate, the last with fewer columns."""
    config = BASE.replace(cols=cols, pool_depth=max(1, tiles * groups))
    unit = ColumnOrder(config)
    sets = 9
    sent, expected = [], []
    for number in range(sets):
        used = cols - 1 if number == sets - 1 else cols
        codes = rng.integers(0, 8, (used, tiles * groups, config.quant))
        counts = [int(rng.integers(1, config.quant + 1)) for _ in range(tiles * groups)]
        for tile in range(tiles):
            for column in range(used):
                for group in range(groups):
                    index = tile * groups + group
                    ends = tile == tiles - 1 and column == used - 1 and group == groups - 1
                    marks = {
                        "column": column, "index": index, "count": counts[index],
                        "ends_set": ends, "ends_layer": ends and number == sets - 1,
                    }  # fmt: skip
                    sent.append((codes[column, index], marks))
        for column in range(used):
            for index in range(tiles * groups):
                ends = column == used - 1 and index == tiles * groups - 1
                expected.append(
                    (codes[column, index].tolist(), counts[index], ends and number == sets - 1)
                )

    async def feed(ctx):
        for codes, marks in sent:
            while rng.random() < gaps:
                ctx.set(unit.valid, 0)
                await ctx.tick()
            ctx.set(unit.codes, flat(codes, config.out_bits))
            ctx.set(unit.group, marks)
            ctx.set(unit.valid, 1)
            await ctx.tick()
        ctx.set(unit.valid, 0)

    async def check(ctx):
        taken = []
        while len(taken) < len(expected):
            _, _, valid, codes, count, last = await ctx.tick().sample(
                unit.o_valid, unit.o_codes, unit.o_count, unit.o_last
            )
            if valid:
                taken.append((fields_of(codes, config.out_bits, config.quant), count, bool(last)))
        assert taken == expected
        for _ in range(5):
            _, _, valid = await ctx.tick().sample(unit.o_valid)
            assert not valid

    simulate(unit, feed, check, limit=2000)


def test_maximum_is_kept_per_lane():
    """The widest code wins in its lane alone."""
    config = BASE.replace(cols=1, pool_depth=1)
    unit = MaxPool(config)

    async def testbench(ctx):
        for number, codes in enumerate([(7, 0), (0, 7)]):
            ctx.set(unit.codes, flat(np.array(codes), 3))
            ctx.set(unit.group, {"pool_first": number == 0, "pool_last": number == 1})
            ctx.set(unit.valid, 1)
            await ctx.tick()
        await ctx.tick()
        assert ctx.get(unit.o_valid)
        assert fields_of(ctx.get(unit.o_codes), 3, 2) == [7, 7]

    simulate(unit, testbench, limit=10)
