"""Columns that share reads: patches of random layers against NumPy windows."""

import numpy as np
import pytest

from .reader_bench import integer_network, run
from .reader_layers import draw_blocks, draw_geometry, draw_plane_groups


@pytest.mark.parametrize("case", range(300, 332))
def test_random_layers(case, seed):
    rng = np.random.default_rng([seed, case])
    shape, in_shape, fields = draw_geometry(rng)
    integer = integer_network(rng, shape, in_shape, int(rng.integers(1, 4)), **fields)
    fetch = int(rng.choice([8, 16]))
    sizes = {
        "lanes": fetch * int(rng.integers(1, 5)),
        "fetch": fetch,
        "cols": int(rng.integers(2, 7)),
        "slots": int(rng.choice([2, 4])),
        "in_address": int(rng.integers(0, 5)),
        "spare": int(rng.integers(0, 3)),
        "slow": float(rng.choice([0, 0.5])),
    }
    print(shape, in_shape, fields, sizes)
    run(integer, rng=rng, column_reads="shared", **sizes)


@pytest.mark.parametrize("case", range(400, 416))
def test_plane_groups(case, seed):
    """Images of more planes than are read together: every part may be flushed and cleared."""
    rng = np.random.default_rng([seed, case])
    integer, source = draw_plane_groups(rng)
    fetch = int(rng.choice([8, 16]))
    run(
        integer,
        fetch * int(rng.integers(1, 5)),
        fetch,
        int(rng.integers(2, 6)),
        2,
        rng,
        source=source,
        column_reads="shared",
    )


@pytest.mark.parametrize("case", range(500, 516))
def test_blocks(case, seed):
    """Maps that several passes have left: a pixel's channels lie in blocks of fewer."""
    rng = np.random.default_rng([seed, case])
    integer, source = draw_blocks(rng)
    run(
        integer,
        8 * int(rng.integers(1, 5)),
        8,
        int(rng.integers(2, 6)),
        2,
        rng,
        source=source,
        in_address=int(rng.integers(0, 5)),
        column_reads="shared",
    )


EDGES = {
    # One bit per patch; sixteen columns in one fetch.
    "one_product": ((1, 1, 1, 1), (3, 20, 1), {}, 8, 8, 16),
    # Lines shorter than a set: of several lines each.
    "short_lines": ((1, 3, 3, 2), (6, 3, 2), {"padding": (1, 0, 1, 0)}, 16, 8, 5),
    # Padding wider than the kernel, on every side.
    "only_padding": ((1, 2, 2, 1), (1, 1, 1), {"padding": (3, 3, 3, 3)}, 8, 8, 4),
    # A run longer than the map's row, most of it padding.
    "wide_kernel": ((1, 1, 7, 3), (2, 1, 3), {"padding": (0, 3, 0, 5)}, 16, 8, 3),
    # Patches of whole words: nothing to clear, and with whole bytes nothing to flush.
    "exact_words": ((1, 2, 2, 8), (3, 5, 8), {}, 16, 16, 4),
    # Windows with gaps between them share nothing.
    "gaps": ((1, 1, 1, 8), (4, 13, 8), {"stride": (2, 3)}, 8, 8, 3),
    # A map that fills its memory words exactly, read to the last bit.
    "exact_map": ((1, 3, 3, 1), (8, 8, 1), {}, 16, 8, 4),
    # Narrow runs over many words; columns that end in the step of the last one.
    "long_patches": ((1, 5, 2, 13), (7, 6, 13), {}, 32, 32, 4),
    "one_pixel": ((1, 3, 3, 2), (3, 3, 2), {}, 32, 16, 4),
    # Two columns, runs of several words that begin within one.
    "two_columns": ((1, 2, 3, 5), (4, 6, 5), {"padding": (1, 0, 0, 1)}, 24, 8, 2),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(name, rng):
    shape, in_shape, fields, lanes, fetch, cols = EDGES[name]
    integer = integer_network(rng, shape, in_shape, 2, **fields)
    run(integer, lanes, fetch, cols, 2, rng, column_reads="shared")


def test_layers_after_one_another(rng):
    """Nothing of a map or patch before is left: the second run clears what the first wrote."""
    integer = integer_network(rng, (1, 2, 3, 2), (4, 5, 2), 3, padding=(1, 0, 0, 2))
    run(integer, 32, 8, 3, 2, rng, in_address=1, repeats=3, column_reads="shared")
