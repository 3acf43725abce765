"""Columns of every set on their lines, counted pixel by pixel."""

import numpy as np
import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.reader.column_segments import ColumnSegments

from ...support import simulate


def segments(cols, pixels, lines, shares):
    """(columns' bits, whether the line ends, whether the set ends) of a layer's segments."""
    total, at, made = pixels * lines, 0, []
    while at < total:
        column = at % cols
        count = min(cols - column, pixels - at % pixels) if shares else 1
        at += count
        made.append(((1 << count) - 1 << column, at % pixels == 0, at % cols == 0 or at == total))
    return made


async def count(ctx, unit, layer, groups, rng):
    """A layer of (pixels, lines, shares); every set again for each channel group."""
    pixels, _, shares = layer
    sets = [[]]
    for segment in segments(len(unit.columns), *layer):
        sets[-1].append(segment)
        if segment[2]:
            sets.append([])
    ctx.set(unit.pixels, pixels)
    ctx.set(unit.shares, shares)
    ctx.set(unit.start, 1)
    ctx.set(unit.keep, 1)
    await ctx.tick()
    ctx.set(unit.start, 0)
    ctx.set(unit.keep, 0)
    for own in sets[:-1]:
        for group in range(groups):
            for columns, ends_line, ends_set in own:
                for _ in range(int(rng.integers(3))):
                    await ctx.tick()
                assert (ctx.get(unit.columns), ctx.get(unit.ends_line)) == (columns, ends_line)
                again = ends_set and group < groups - 1
                ctx.set(unit.goes_on, 1)
                ctx.set(unit.keep, ends_set and not again)
                ctx.set(unit.back, again)
                await ctx.tick()
                for port in (unit.goes_on, unit.keep, unit.back):
                    ctx.set(port, 0)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("cols", [2, 3, 5])
def test_layers(cols, groups, rng):
    """Layers of lines of any length."""
    unit = ColumnSegments(EngineConfig(cols=cols))

    async def testbench(ctx):
        for _ in range(12):
            layer = int(rng.integers(1, 12)), int(rng.integers(1, 5)), int(rng.integers(2))
            await count(ctx, unit, layer, groups, rng)

    simulate(unit, testbench, limit=10_000)


def test_longest_lines(rng):
    unit = ColumnSegments(EngineConfig(cols=4))

    async def testbench(ctx):
        await count(ctx, unit, (1023, 2, 1), 1, rng)

    simulate(unit, testbench, limit=2000)


def test_the_reference_itself():
    assert [columns for columns, _, _ in segments(4, 6, 2, True)] == [0b1111, 0b0011, 0b1100, 0b1111]
    assert np.array(segments(2, 3, 1, False)).tolist() == [[1, 0, 0], [2, 0, 1], [1, 1, 1]]
