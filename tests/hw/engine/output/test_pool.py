"""Pooling over windows of every kernel, stride and padding, against NumPy."""

import numpy as np
import pytest
from amaranth import Cat, signed, unsigned

from dorefa.hw.config.engine import EngineConfig, pool_spacing
from dorefa.hw.engine.output.pool import AxisPool, WindowPool, pool_latency

from ...support import fields_of, flat, simulate
from .pool_windows import Axis, axes, axis_place, closes_both, draw_axis, raster_sets

BASE = EngineConfig(
    lanes=8, rows=4, quant=2, fetch_bits=8, param_depth=64, pool_depth=6, line_depth=48, pool_slots=4
)
CODES, SUMS = unsigned(3), signed(9)


def draw_values(rng, shape, count):
    low = -(1 << (shape.width - 1)) if shape.signed else 0
    return rng.integers(low, low + (1 << shape.width), count)


def wrapped(values, shape):
    """Sums in the memory's width: whoever sizes the engine makes it wide enough."""
    masked = values & ((1 << shape.width) - 1)
    return masked - ((masked >> (shape.width - 1) << shape.width) if shape.signed else 0)


class Stream:
    """Groups of several layers on their way through a pool: what goes in, what must come out.

    Tiles of a set follow one another, the columns of a tile, the groups of a column.
    """

    def __init__(self, config, shape, rng):
        self.config, self.shape, self.rng = config, shape, rng
        self.sent, self.expected = [], []

    def add(self, rows, columns, tiles, *, sums=0, enable=1):
        """One layer; `tiles`: groups of each tile of a pixel."""
        config, rng = self.config, self.rng
        groups, lanes = sum(tiles), config.quant
        rest = max(0, pool_spacing(config) - config.cols * groups)
        values = draw_values(rng, self.shape, (rows.computed, columns.computed, groups, lanes))
        combine = np.sum if sums else np.max
        pooled = {
            (row[1], column[1]): wrapped(
                combine(values[row[0] : row[1] + 1, column[0] : column[1] + 1], axis=(0, 1)), self.shape
            )
            for row in rows.spans
            for column in columns.spans
        }
        for pixels in raster_sets(rows, columns, config.cols):
            first = 0
            for count in tiles:
                for column, pixel in enumerate(pixels):
                    for index in range(first, first + count):
                        group = self.group(rows, columns, pixel, groups) | {
                            "index": index,
                            "column": column,
                            "count": 1 + index % lanes,
                            "param": index % 7,
                            "ends_set": int(rng.integers(2)),
                        }
                        idle = rest if index == groups - 1 else 0
                        self.sent.append((values[(*pixel, index)], group, sums, enable, idle))
                        if not enable:
                            self.expected.append((values[(*pixel, index)], group))
                        elif closes_both(rows, columns, pixel):
                            self.expected.append((pooled[pixel][index], group))
                first += count

    def group(self, rows, columns, pixel, groups):
        slots, rng = self.config.pool_slots, self.rng
        place = {}
        for name, axis, at in (("y", rows, pixel[0]), ("x", columns, pixel[1])):
            parts = axis_place(axis, at, slots, rng)
            place |= {f"{name}_{part}": v for part, v in zip(("first", "slot", "closes"), parts, strict=True)}
        line = sum(end < pixel[1] for _, end in columns.spans) * groups
        return {"place": place | {"line": line}}


def run(unit, stream, gaps, rng):
    """Feeds a Stream and checks values and groups."""
    config, width = stream.config, stream.shape.width

    async def feed(ctx):
        idle = 0
        for values, group, sums, enable, after in stream.sent:
            if idle:
                ctx.set(unit.valid, 0)
                await ctx.tick().repeat(idle)
            idle = after
            while rng.random() < gaps:
                ctx.set(unit.valid, 0)
                # What is not valid must not be kept.
                for lane in range(config.quant):
                    ctx.set(unit.values[lane], -1)
                await ctx.tick()
            if (sums, enable) != (ctx.get(unit.sums), ctx.get(unit.enable)):
                # Another kind of layer starts when the one before has left.
                ctx.set(unit.valid, 0)
                await ctx.tick().repeat(pool_latency(config))
            for lane, value in enumerate(values):
                ctx.set(unit.values[lane], int(value))
            ctx.set(unit.group, group)
            ctx.set(unit.sums, sums)
            ctx.set(unit.enable, enable)
            ctx.set(unit.valid, 1)
            await ctx.tick()
        ctx.set(unit.valid, 0)

    async def check(ctx):
        for number, (values, marks) in enumerate(stream.expected):
            valid = False
            while not valid:
                _, _, valid, out, group = await ctx.tick().sample(
                    unit.o_valid, Cat(*unit.o_values), unit.o_group
                )
            mask = (1 << width) - 1
            assert fields_of(out, width, config.quant) == [int(v) & mask for v in values], number
            for name in ("index", "column", "count", "param", "ends_set"):
                assert group[name] == marks[name], (number, name)
        for _ in range(2 * pool_latency(config)):
            _, _, valid = await ctx.tick().sample(unit.o_valid)
            assert not valid, "more groups than windows"

    simulate(unit, feed, check, limit=4 * len(stream.sent) + 200)


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("slots", [1, 2, 3, 4])
def test_every_window_along_one_axis(axis, slots, rng):
    """All layers of so many overlapping windows one after another, nothing cleared in between."""
    config = BASE.replace(pool_slots=slots)
    stream = Stream(config, CODES, rng)
    for windows in axes(range(1, 7), range(1, 5), range(1, 5)):
        if windows.accepted and windows.overlap == slots:
            other = Axis(int(rng.integers(1, 3)))
            rows, columns = (other, windows) if axis == "x" else (windows, other)
            stream.add(rows, columns, [1 + len(stream.sent) % 2])
    assert len(stream.expected) > 20
    unit = AxisPool(config, axis=axis, shape=CODES, operations=("max",))
    run(unit, stream, 0, rng)


@pytest.mark.parametrize(
    "cols, tiles", [(1, [1]), (1, [2, 1]), (2, [1]), (2, [2, 2, 1]), (3, [1, 1]), (1, [3, 2, 1])]
)
@pytest.mark.parametrize("gaps", [0, 0.3])
@pytest.mark.parametrize(
    "shape, operations",
    [
        (CODES, ("max",)),
        (CODES, ("max", "sum")),
        (SUMS, ("sum",)),
        (SUMS, ("max", "sum")),
    ],
)
def test_windows(cols, tiles, gaps, shape, operations, rng):
    """Random windows along both axes; at full rate a group follows itself as soon as it may."""
    config = BASE.replace(cols=cols)
    stream = Stream(config, shape, rng)
    for number in range(10):
        sums = operations[number % len(operations)] == "sum"
        rows, columns = (draw_axis(rng, 6, padding=not sums) for _ in range(2))
        # Every fifth layer does not pool here.
        stream.add(rows, columns, tiles, sums=sums, enable=number % 5 != 4)
    run(WindowPool(config, shape=shape, operations=operations), stream, gaps, rng)


@pytest.mark.parametrize(
    "changes",
    [
        {"pool_depth": 1, "line_depth": 1, "quant": 1, "rows": 1},
        {"pool_slots": 8},
    ],
    ids=["least", "slots"],
)
def test_ends_of_the_sizes(changes, rng):
    """One place in every memory; as many open windows as there are slots."""
    config = BASE.replace(**changes)
    stream = Stream(config, CODES, rng)
    if config.line_depth == 1:
        for kernel in range(1, 5):
            stream.add(Axis(7, kernel, 2), Axis(kernel, kernel, 1), [1])
    else:
        stream.add(Axis(9, 8, 1, 7, 0), Axis(10, 8, 1, 0, 0), [2])
        stream.add(Axis(9, 8, 1, 3, 0), Axis(12, 8, 1, 7, 0), [1])
    run(WindowPool(config, shape=CODES, operations=("max",)), stream, 0, rng)


def test_latency(rng):
    """Cycles from a window's last group to its result."""
    for unit, latency in (
        (AxisPool(BASE, axis="x", shape=CODES, operations=("max",)), pool_latency(BASE) // 2),
        (WindowPool(BASE, shape=CODES, operations=("max",)), pool_latency(BASE)),
    ):
        stream = Stream(BASE, CODES, rng)
        stream.add(Axis(1), Axis(1), [1])
        ((values, group, *_),) = stream.sent

        async def testbench(ctx, unit=unit, latency=latency, values=values, group=group):
            ctx.set(unit.enable, 1)
            ctx.set(unit.group, group)
            ctx.set(unit.valid, 1)
            for lane, value in enumerate(values):
                ctx.set(unit.values[lane], int(value))
            await ctx.tick()
            ctx.set(unit.valid, 0)
            for _ in range(latency - 1):
                assert not ctx.get(unit.o_valid)
                await ctx.tick()
            assert ctx.get(unit.o_valid)
            assert ctx.get(Cat(*unit.o_values)) == flat(values, CODES.width)

        simulate(unit, testbench, limit=10)
