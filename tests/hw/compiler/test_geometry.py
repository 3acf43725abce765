"""Loop counts of layers against counting by brute force."""

import numpy as np
import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool
from dorefa.golden.network.shapes import layer_shapes
from dorefa.golden.random.network import random_network
from dorefa.hw.compiler.geometry import PassGeometry, as_convolution
from dorefa.hw.compiler.map_layout import MapLayout
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.interface.readers import READERS

from ..support import draw_layer, network


def geometry_of(layer, *, source=None, groups=None, channels=None, **sizes):
    """A PassGeometry of these sizes, the whole layer on a dense map unless told otherwise."""
    sizes = {
        "lanes": 16,
        "rows": 2,
        "cols": 1,
        "quant": 1,
        "fetch_bits": 8,
        "engines": 1,
        "reader": READERS["separate"],
        "pool_spacing": 1,
    } | sizes
    source = source or MapLayout.dense(layer.in_shape)
    return PassGeometry(
        layer=as_convolution(layer, source.shape),
        source=source,
        groups=groups or layer.groups,
        channels=channels or len(layer.codes) // layer.groups,
        **sizes,
    )


def geometries(rng, **sizes):
    """Geometries of random networks' layers on random arrays: whole layers, and some passes of one
    channel group or of some channels, some on maps of several blocks."""
    for number in range(40):
        integer = lower(
            random_network(
                int(rng.integers(1 << 31)),
                max_macs=20_000,
                residual=bool(number % 2),
                allow_average=True,
                allow_pool_padding=True,
            )
        )
        for layer in integer.layers:
            drawn = {
                "lanes": int(rng.integers(8, 80)),
                "rows": int(rng.integers(1, 20)),
                "cols": int(rng.integers(1, 5)),
                "quant": int(rng.integers(1, 9)),
            }
            if layer.kind == "conv":
                channels, per_group = layer.in_shape[2], layer.in_shape[2] // layer.groups
                if rng.random() < 0.3 and layer.groups == 1:
                    block = int(rng.integers(1, channels + 1))
                    blocks = -(-channels // block)
                    drawn["source"] = MapLayout(shape=layer.in_shape, blocks=blocks, channels=block)
                elif rng.random() < 0.5 and layer.groups > 1:
                    drawn["source"] = MapLayout(shape=layer.in_shape, blocks=layer.groups, channels=per_group)
                if rng.random() < 0.3:
                    drawn["groups"] = 1
                    drawn["channels"] = int(rng.integers(1, len(layer.codes) // layer.groups + 1))
            yield geometry_of(layer, **drawn | sizes)


def computed_pixels(layer):
    """Convolution pixels that a pooling window, or a trunk that is kept, needs; and those in gaps."""
    if layer.pool is None or layer.trunk:
        return set(np.ndindex(layer.conv_shape[:2]))
    used = set()
    for y, x in np.ndindex(layer.out_shape[:2]):
        for dy, dx in np.ndindex(layer.pool.kernel):
            used.add(
                (
                    y * layer.pool.stride[0] - layer.pool.padding[0] + dy,
                    x * layer.pool.stride[1] - layer.pool.padding[1] + dx,
                )
            )
    inside = {pixel for pixel in used if pixel in set(np.ndindex(layer.conv_shape[:2]))}
    bottom, right = (max(pixel[axis] for pixel in inside) for axis in (0, 1))
    return set(np.ndindex(bottom + 1, right + 1))


def test_loop_counts(rng):
    for geometry in geometries(rng):
        layer, source = geometry.layer, geometry.source
        channels = range(geometry.channels)
        tiles = [channels[n : n + geometry.rows] for n in channels[:: geometry.rows]]
        groups = [len(range(0, len(tile), geometry.quant)) for _ in range(geometry.groups) for tile in tiles]
        # The blocks of one channel group, with the channels that fill them up.
        reduction = int(np.prod(layer.codes.shape[1:3])) * source.blocks * source.channels // layer.groups
        assert geometry.reduction == reduction >= layer.codes[0].size
        assert source.blocks > 1 or reduction == layer.codes[0].size
        assert geometry.words == len(range(0, reduction, geometry.lanes))
        assert (geometry.tiles, geometry.last_rows) == (len(tiles), len(tiles[-1]))
        assert geometry.pixel_groups == sum(groups)
        assert geometry.last_groups == groups[-1]
        if len(tiles) > 1:
            assert geometry.full_groups == groups[0]
        assert geometry.tile_cycles == geometry.words * layer.w_bits * layer.a_bits
        assert geometry.weight_words == geometry.groups * len(tiles) * layer.w_bits * geometry.words
        pixels = computed_pixels(layer)
        assert geometry.pixels == len(pixels)
        assert geometry.sets == len(range(0, len(pixels), geometry.cols))
        assert geometry.patches == geometry.sets * geometry.groups
        work = len(tiles) * geometry.tile_cycles * geometry.groups
        assert geometry.bound == work * len(range(0, len(pixels), geometry.cols))
        per_line = sum(groups) * layer.out_shape[1]
        lines = layer.pool is not None and (layer.pool.kernel[0], layer.pool.stride[0]) != (1, 1)
        assert geometry.line_groups == (per_line if lines else 0)


def test_copy_steps(rng):
    """Bit by bit: a step ends with its run, its piece of a word, or the patch."""
    for geometry in geometries(rng, fetch_bits=int(rng.choice([8, 16]))):
        blocks, rows, per_row, bits = geometry.runs
        # Blocks whose words leave a gap are never one run.
        assert blocks * rows * per_row * bits == geometry.reduction
        steps = 0
        for position in range(geometry.reduction):
            in_word = position % geometry.lanes
            starts_piece = in_word % geometry.fetch_bits == 0
            steps += position % bits == 0 or starts_piece
        pieces = [
            position
            for position in range(geometry.reduction, geometry.words * geometry.lanes)
            if position % geometry.lanes % geometry.fetch_bits == 0
        ]
        unfinished = geometry.reduction % geometry.lanes % geometry.fetch_bits != 0
        unfinished &= geometry.reduction % geometry.lanes != 0
        assert geometry.copy_steps == (steps, len(pieces) + unfinished)


def first_layer(rng, shape, in_shape, **fields):
    body = draw_layer(rng, "conv", shape, **fields)
    outputs = int(np.prod(layer_shapes(body, in_shape).out_shape))
    last = draw_layer(rng, "fc", (1, 1, 1, outputs), a_bits=None, kind="fc")
    return lower(network(in_shape, 2, body, last)).layers[0]


@pytest.mark.parametrize(
    "shape, in_shape, fields, runs",
    [
        # One run per kernel row: dense in x and channel.
        ((2, 3, 3, 4), (6, 6, 4), {}, (1, 3, 1, 12)),
        # The kernel covers the map's width: one run.
        ((2, 3, 6, 4), (6, 6, 4), {}, (1, 1, 1, 72)),
        # Unless rows of padding or of dilation lie between, or channel groups part the run.
        ((2, 3, 6, 4), (6, 6, 4), {"padding": (1, 0, 0, 0)}, (1, 3, 1, 24)),
        ((2, 2, 6, 4), (6, 6, 4), {"dilation": (2, 1)}, (1, 2, 1, 24)),
        ((2, 3, 6, 2), (6, 6, 4), {"groups": 2}, (1, 3, 6, 2)),
        # Dilated along x: one run per kernel column.
        ((2, 3, 3, 4), (6, 6, 4), {"dilation": (1, 2)}, (1, 3, 3, 4)),
        # A kernel of one column has nothing to dilate.
        ((2, 3, 1, 4), (6, 6, 4), {"dilation": (1, 2)}, (1, 3, 1, 4)),
    ],
)
def test_runs(shape, in_shape, fields, runs, rng):
    layer = first_layer(rng, shape, in_shape, **fields)
    assert geometry_of(layer).runs == runs


@pytest.mark.parametrize(
    "shape, in_shape, channels, fields, runs",
    [
        # Three blocks of four channels: their rows one after the other in each.
        ((2, 3, 3, 12), (6, 6, 12), 4, {}, (3, 3, 1, 12)),
        # Two channel groups of two blocks each.
        ((2, 3, 3, 8), (6, 6, 16), 4, {"groups": 2}, (2, 3, 1, 12)),
        # The last block of five is filled up with three channels.
        ((2, 1, 1, 12), (6, 6, 12), 5, {}, (3, 1, 1, 5)),
        # The whole map: one run where blocks end with a word (of 8 bits), else one a block.
        ((2, 2, 2, 12), (2, 2, 12), 4, {}, (1, 1, 1, 48)),
        ((2, 2, 2, 15), (2, 2, 15), 5, {}, (3, 1, 1, 20)),
        # Part of the rows of a map of blocks that end with a word.
        ((2, 2, 2, 12), (4, 2, 12), 4, {}, (3, 1, 1, 16)),
    ],
)
def test_runs_of_blocks(shape, in_shape, channels, fields, runs, rng):
    layer = first_layer(rng, shape, in_shape, **fields)
    source = MapLayout(shape=in_shape, blocks=-(-in_shape[2] // channels), channels=channels)
    assert geometry_of(layer, source=source).runs == runs


def test_overlapping_pool(rng):
    """A 3x3 window of stride 2 reads 25 pixels, each computed once."""
    pool = Pool(kind="max", kernel=(3, 3), stride=(2, 2))
    layer = first_layer(rng, (4, 1, 1, 2), (6, 6, 2), pool=pool)
    geometry = geometry_of(layer, rows=4)
    # The sixth row and column belong to no window.
    assert (geometry.computed, geometry.patches) == ((5, 5), 25)
    assert geometry.bound == 25 * 2
    assert geometry.line_groups == 2 * 4


def test_fully_connected(rng):
    """The convolution that covers the map it reads, block by block where there are several."""
    integer = lower(random_network(5, max_macs=20_000))
    last, before = integer.layers[-1], integer.layers[-2].out_shape
    assert last.in_shape == (1, 1, int(np.prod(before)))
    made = as_convolution(last, before)
    assert (made.kind, made.in_shape, made.conv_shape) == ("conv", before, (1, 1, len(last.codes)))
    assert (made.codes == last.codes.reshape(len(last.codes), *before)).all()
    assert as_convolution(integer.layers[0], integer.input_shape) is integer.layers[0]


def test_engines_count_together(rng):
    layer = first_layer(rng, (20, 1, 1, 2), (3, 3, 2))
    config = EngineConfig(lanes=8, rows=4, quant=2, fetch_bits=8, engines=3)
    geometry = PassGeometry.of(layer, config)
    assert (geometry.rows, geometry.quant, geometry.engines) == (12, 6, 3)
    assert (geometry.tiles, geometry.last_rows, geometry.pixel_groups) == (2, 8, 2 + 2)
