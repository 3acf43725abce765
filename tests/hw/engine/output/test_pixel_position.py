"""Where pixels stand in their pooling windows, against the windows' definition."""

import pytest

from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.pixel_position import PixelPosition
from dorefa.hw.interface import program

from ...support import program_values, simulate
from .pool_windows import Axis, axes, check_axis_place, draw_axis, pooled_network, raster_sets

CONFIG = EngineConfig(
    lanes=8,
    rows=2,
    quant=2,
    fetch_bits=8,
    feature_depth=64,
    param_depth=16,
    pool_depth=16,
    line_depth=64,
)


def run(config, layers, rng, tiles=1):
    """Steps through the layers (rows, columns, descriptor) as the drain does, with idle cycles."""
    unit = PixelPosition(config)
    slots = config.pool_slots
    steps = sum(rows.computed * columns.computed for rows, columns, _ in layers) * tiles

    def check(ctx, rows, columns, pixel, values):
        place = ctx.get(unit.o)
        assert ctx.get(unit.last) == (pixel == (rows.computed - 1, columns.computed - 1))
        for axis, name, at in ((rows, "y", pixel[0]), (columns, "x", pixel[1])):
            said = [place[f"{name}_{what}"] for what in ("first", "slot", "closes")]
            check_axis_place(axis, at, slots, *said)
        if place.x_closes:
            before = sum(end < pixel[1] for _, end in columns.spans)
            assert place.line == before * values["pixel_groups"]

    async def testbench(ctx):
        for rows, columns, values in layers:
            ctx.set(unit.layer, {name: values[name] for name in program.fields(config)})
            ctx.set(unit.start, 1)
            await ctx.tick()
            ctx.set(unit.start, 0)
            for pixels in raster_sets(rows, columns, config.cols):
                for tile in range(tiles):
                    for number, pixel in enumerate(pixels):
                        while rng.random() < 0.2:
                            await ctx.tick()
                        check(ctx, rows, columns, pixel, values)
                        tile_ends = number == len(pixels) - 1
                        ctx.set(unit.column_ends, 1)
                        ctx.set(unit.tile_ends, tile_ends)
                        ctx.set(unit.set_ends, tile_ends and tile == tiles - 1)
                        await ctx.tick()
                        for port in (unit.column_ends, unit.tile_ends, unit.set_ends):
                            ctx.set(port, 0)

    simulate(unit, testbench, limit=2 * steps + 2 * len(layers) + 100)


@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_every_window_along_one_axis(kernel, rng):
    """All strides, paddings and sizes that the engine accepts, and it refuses exactly those with two
    windows that end at one pixel."""
    slots = {}
    for axis in axes(range(1, 6), [kernel], range(1, 5)):
        for rows, columns in ((axis, Axis(2)), (Axis(2), axis)):
            integer = pooled_network(rng, rows, columns)
            config = CONFIG.replace(pool_slots=axis.overlap)
            refused = [problem for problem in find_problems(integer, config) if "ends two" in problem]
            assert bool(refused) == (not axis.accepted), axis
            if axis.accepted:
                part, values = program_values(integer, config)
                assert part.geometry.computed == (rows.computed, columns.computed)
                slots.setdefault(axis.overlap, []).append((rows, columns, values))
    for count, layers in slots.items():
        run(CONFIG.replace(pool_slots=count), layers, rng)


@pytest.mark.parametrize("cols, tiles", [(1, 2), (2, 1), (3, 2), (4, 3)])
@pytest.mark.parametrize("slots", [4, 5])
def test_sets_of_columns(cols, tiles, slots, rng):
    """Tiles go back to the set's first pixel; an engine may have more slots than a layer needs."""
    layers = []
    config = CONFIG.replace(cols=cols, pool_slots=slots)
    for _ in range(12):
        rows, columns = draw_axis(rng, 6), draw_axis(rng, 6)
        integer = pooled_network(rng, rows, columns, channels=2 * tiles)
        layers.append((rows, columns, program_values(integer, config)[1]))
        assert layers[-1][2]["pixel_groups"] == tiles
    run(config, layers, rng, tiles)


def test_longest_kernel(rng):
    """Positions within a window of 63 pixels, in windows that overlap eight times."""
    config = CONFIG.replace(pool_slots=8, feature_depth=256, line_depth=256)
    axis = Axis(90, 63, 8, 62, 7)
    assert axis.accepted and axis.overlap == 8
    integer = pooled_network(rng, Axis(1), axis)
    run(config, [(Axis(1), axis, program_values(integer, config)[1])], rng)


def test_widest_map(rng):
    """Positions along an axis of 1,023 pixels."""
    config = CONFIG.replace(feature_depth=1024, line_depth=1024)
    axis = Axis(1023)
    for rows, columns in ((Axis(1), axis), (axis, Axis(1))):
        integer = pooled_network(rng, rows, columns)
        run(config, [(rows, columns, program_values(integer, config)[1])], rng)
