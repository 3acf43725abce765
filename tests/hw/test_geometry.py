"""Loop counts of layers against counting by brute force."""

import numpy as np
import pytest

from dorefa.golden.lowering import lower
from dorefa.golden.network import Pool
from dorefa.golden.random_network import random_network
from dorefa.hw.geometry import LayerGeometry

from .support import draw_layer, network


def geometries(rng, **sizes):
    """Geometries of random networks' layers on random arrays."""
    for _ in range(25):
        integer = lower(random_network(int(rng.integers(1 << 31)), max_macs=20_000))
        for layer in integer.layers:
            drawn = {
                "lanes": int(rng.integers(8, 80)), "rows": int(rng.integers(1, 20)),
                "cols": int(rng.integers(1, 5)), "quant": int(rng.integers(1, 9)),
                "fetch_bits": 8,
            }  # fmt: skip
            yield LayerGeometry(layer=layer, **drawn | sizes)


def pixels_of(layer, pooled):
    """Convolution pixels (y, x) computed for a pooled pixel, in order."""
    kernel = layer.pool.kernel if layer.pool else (1, 1)
    stride = layer.pool.stride if layer.pool else (1, 1)
    return [
        (pooled[0] * stride[0] + dy, pooled[1] * stride[1] + dx) for dy, dx in np.ndindex(kernel)
    ]


def test_loop_counts(rng):
    for geometry in geometries(rng):
        layer = geometry.layer
        channels = range(len(layer.codes) // layer.groups)
        tiles = [channels[n : n + geometry.rows] for n in channels[:: geometry.rows]]
        groups = [
            len(range(0, len(tile), geometry.quant)) for _ in range(layer.groups) for tile in tiles
        ]
        reduction = layer.codes[0].size
        assert geometry.reduction == reduction
        assert geometry.words == len(range(0, reduction, geometry.lanes))
        assert geometry.group_channels == len(channels)
        assert (geometry.tiles, geometry.last_rows) == (len(tiles), len(tiles[-1]))
        assert geometry.pixel_groups == sum(groups)
        assert geometry.last_groups == groups[-1]
        if len(tiles) > 1:
            assert geometry.full_groups == groups[0]
        assert geometry.tile_cycles == geometry.words * layer.w_bits * layer.a_bits
        assert geometry.weight_words == layer.groups * len(tiles) * layer.w_bits * geometry.words
        positions = list(np.ndindex(layer.out_shape[:2]))
        assert geometry.pixels == len(positions)
        assert geometry.sets == len(range(0, len(positions), geometry.cols))
        assert geometry.patches == geometry.sets * len(pixels_of(layer, (0, 0))) * layer.groups


def test_bound_computes_every_pixel_once(rng):
    """Overlapping pooling windows cost the engine more than the bound; others exactly it."""
    for geometry in geometries(rng, cols=1):
        layer = geometry.layer
        computed = [
            pixel
            for pooled in np.ndindex(layer.out_shape[:2])
            for pixel in pixels_of(layer, pooled)
        ]
        per_pixel = geometry.tile_cycles * geometry.tiles * layer.groups
        overlaps = len(set(computed)) < len(computed)
        assert geometry.bound <= per_pixel * len(computed)
        assert (geometry.bound == per_pixel * len(computed)) == (not overlaps)


def test_copy_steps(rng):
    """Bit by bit: a step ends with its run, its piece of a word, or the patch."""
    for geometry in geometries(rng, fetch_bits=int(rng.choice([8, 16]))):
        rows, per_row, bits = geometry.runs
        assert rows * per_row * bits == geometry.reduction
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


@pytest.mark.parametrize(
    "shape, in_shape, fields, runs",
    [
        # One run per kernel row: dense in x and channel.
        ((2, 3, 3, 4), (6, 6, 4), {}, (3, 1, 12)),
        # The kernel covers the map's width: one run.
        ((2, 3, 6, 4), (6, 6, 4), {}, (1, 1, 72)),
        # Unless rows of padding or of dilation lie between, or channel groups part the run.
        ((2, 3, 6, 4), (6, 6, 4), {"padding": (1, 0, 0, 0)}, (3, 1, 24)),
        ((2, 2, 6, 4), (6, 6, 4), {"dilation": (2, 1)}, (2, 1, 24)),
        ((2, 3, 6, 2), (6, 6, 4), {"groups": 2}, (3, 6, 2)),
        # Dilated along x: one run per kernel column.
        ((2, 3, 3, 4), (6, 6, 4), {"dilation": (1, 2)}, (3, 3, 4)),
        # A kernel of one column has nothing to dilate.
        ((2, 3, 1, 4), (6, 6, 4), {"dilation": (1, 2)}, (3, 1, 4)),
    ],
)
def test_runs(shape, in_shape, fields, runs, rng):
    body = draw_layer(rng, "conv", shape, **fields)
    rows, columns = (
        (in_shape[n] + sum(fields.get("padding", (0, 0, 0, 0))[n::2])
         - (shape[n + 1] - 1) * fields.get("dilation", (1, 1))[n] - 1) + 1 for n in (0, 1)
    )  # fmt: skip
    last = draw_layer(rng, "fc", (1, 1, 1, rows * columns * 2), a_bits=None, kind="fc")
    layer = lower(network(in_shape, 2, body, last)).layers[0]
    geometry = LayerGeometry(layer=layer, lanes=16, rows=2, cols=1, quant=1, fetch_bits=8)
    assert geometry.runs == runs


def test_overlapping_pool(rng):
    """A 3x3 window of stride 2 computes 9 pixels per output where 4 are new."""
    pool = Pool(kind="max", kernel=(3, 3), stride=(2, 2))
    body = draw_layer(rng, "conv", (4, 1, 1, 2), pool=pool)
    last = draw_layer(rng, "fc", (1, 1, 1, 16), a_bits=None, kind="fc")
    layer = lower(network((5, 5, 2), 2, body, last)).layers[0]
    geometry = LayerGeometry(layer=layer, lanes=16, rows=4, cols=1, quant=1, fetch_bits=8)
    assert geometry.patches == 4 * 9
    assert geometry.bound == 2 * 4 * 4
