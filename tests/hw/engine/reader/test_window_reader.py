"""Run generator, window reader and patch buffer: patches of random layers against NumPy windows."""

import numpy as np
import pytest

from dorefa.hw.compiler.geometry import PassGeometry
from dorefa.hw.compiler.map_layout import MapLayout

from .reader_bench import draft, integer_network, run
from .reader_layers import draw_blocks, draw_geometry, draw_plane_groups


@pytest.mark.parametrize("case", range(24))
def test_random_layers(case, seed):
    rng = np.random.default_rng([seed, case])
    shape, in_shape, fields = draw_geometry(rng)
    integer = integer_network(rng, shape, in_shape, int(rng.integers(1, 4)), **fields)
    fetch = int(rng.choice([8, 16]))
    sizes = {
        "lanes": int(rng.integers(fetch, 40)),
        "fetch": fetch,
        "cols": int(rng.integers(1, 4)),
        "slots": int(rng.choice([2, 4])),
        "in_address": int(rng.integers(0, 5)),
        "spare": int(rng.integers(0, 3)),
        "slow": float(rng.choice([0, 0.5])),
    }
    print(shape, in_shape, fields, sizes)
    run(integer, rng=rng, **sizes)


@pytest.mark.parametrize("case", range(200, 216))
def test_plane_groups(case, seed):
    """Images of more planes than are read together."""
    rng = np.random.default_rng([seed, case])
    integer, source = draw_plane_groups(rng)
    fetch = int(rng.choice([8, 16]))
    run(
        integer,
        int(rng.integers(fetch, 40)),
        fetch,
        int(rng.integers(1, 4)),
        2,
        rng,
        source=source,
        in_address=int(rng.integers(0, 5)),
    )


@pytest.mark.parametrize("case", range(100, 116))
def test_blocks(case, seed):
    """Maps that several passes have left, of whole blocks or with a last one filled up with zeros."""
    rng = np.random.default_rng([seed, case])
    integer, source = draw_blocks(rng)
    run(
        integer,
        int(rng.integers(8, 40)),
        8,
        int(rng.integers(1, 4)),
        2,
        rng,
        source=source,
        in_address=int(rng.integers(0, 5)),
    )


@pytest.mark.parametrize("channels", [8, 5])
def test_whole_map_of_blocks(channels, rng):
    """A kernel over the whole map: blocks that end with a word follow one another in one run."""
    integer = integer_network(rng, (1, 2, 2, 3 * channels), (2, 2, 3 * channels), 2)
    source = MapLayout(shape=(2, 2, 3 * channels), blocks=3, channels=channels)
    geometry = PassGeometry.of(integer.layers[0], draft(16, 8, 1), source=source)
    assert geometry.runs == ((1, 1, 1, 96) if channels == 8 else (3, 1, 1, 20))
    run(integer, 16, 8, 1, 2, rng, source=source, in_address=3)


DEGENERATE = {
    # K = 1: one bit per patch, everything else of the word is zero.
    "one_product": ((1, 1, 1, 1), (3, 3, 1), {}, 8, 8, 1),
    # The kernel covers the map's width: its rows are one run.
    "full_width": ((1, 2, 4, 2), (5, 4, 2), {}, 11, 8, 2),
    # A fully connected layer's shape: the whole map is one run over several words.
    "whole_map": ((1, 1, 1, 40), (1, 1, 40), {}, 13, 8, 3),
    # Padding wider than the kernel: windows that lie wholly in the padding.
    "only_padding": ((1, 2, 2, 1), (1, 1, 1), {"padding": (3, 3, 3, 3)}, 8, 8, 2),
    # Wide padding on the right alone: offsets far beyond the map's row.
    "right_padding": ((1, 1, 1, 4), (1, 1, 4), {"padding": (0, 0, 0, 9)}, 8, 8, 1),
    # A run longer than the map's row, most of it padding.
    "wide_kernel": ((1, 1, 7, 3), (2, 1, 3), {"padding": (0, 3, 0, 3)}, 9, 8, 1),
    # Patch words that end exactly with the patch: nothing to clear.
    "exact_words": ((1, 2, 2, 4), (3, 3, 4), {}, 16, 16, 1),
    # A map that fills its memory words exactly, read to the last bit.
    "exact_map": ((1, 3, 3, 1), (8, 8, 1), {}, 9, 8, 4),
    # More columns than pixels.
    "one_pixel": ((1, 3, 3, 2), (3, 3, 2), {}, 18, 16, 4),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_layers(name, rng):
    shape, in_shape, fields, lanes, fetch, cols = DEGENERATE[name]
    run(integer_network(rng, shape, in_shape, 2, **fields), lanes, fetch, cols, 2, rng)


def test_layers_after_one_another(rng):
    """Nothing of a map or patch before is left: the second run clears what the first wrote."""
    integer = integer_network(rng, (1, 2, 3, 2), (4, 4, 2), 3, padding=(1, 0, 0, 2))
    run(integer, 17, 16, 2, 2, rng, in_address=1, repeats=3)


@pytest.mark.parametrize("blocks", [1, 3])
def test_layers_beside_images_in_groups_of_planes(blocks, rng):
    """Their planes are one group, and a part ends with the last block of channels alone."""
    integer = integer_network(rng, (1, 2, 2, 6), (3, 3, 6), 2)
    source = MapLayout(shape=(3, 3, 6), blocks=blocks, channels=6 // blocks)
    planes = {"a_bits": 4, "out_bits": 2, "plane_groups": 2, "patch_depth": 8, "image_patch_depth": 8}
    run(integer, 8, 8, 2, 2, rng, source=source, **planes)


def test_distances_of_several_words(rng):
    """Of a feature memory of so many bits that a word of the program does not hold a distance."""
    integer = integer_network(rng, (2, 2, 2, 2), (3, 3, 4), 2, groups=2, padding=(1, 2, 1, 1))
    run(integer, 16, 8, 2, 2, rng, spare=130)


def test_runs_of_more_bits_than_the_feature_memory(rng):
    """28 bits, of which 4 lie in the map, beside 16 of the memory."""
    integer = integer_network(rng, (1, 1, 7, 4), (1, 1, 4), 2, padding=(0, 3, 0, 3))
    run(integer, 30, 8, 1, 2, rng, feature_depth=2, image_depth=2)


def test_image_planes_are_shallow(rng):
    """Planes beyond `out_bits` hold the image only; a body layer's deeper patches ignore them."""
    integer = integer_network(rng, (1, 2, 2, 5), (3, 3, 5), 2)
    shallow = {"a_bits": 3, "out_bits": 2, "image_depth": 2, "image_patch_depth": 1}
    run(integer, 8, 8, 1, 2, rng, in_address=7, **shallow)
