"""Sums as floats: their type, and what thresholds and pooling make of them."""

import numpy as np
import pytest

from dorefa.golden import Pool
from dorefa.golden.run import exact_sums, matmul
from dorefa.golden.run.integer import _pooled_codes


def test_sums_are_the_narrowest_float_that_holds_them():
    codes, values = np.full((1, 1, 1, 257), 255, np.uint8), np.full((1, 1, 1, 257), 256, np.int32)
    # 257 * 255 * 256 is 2^24 - 256, one more would be 2^24.
    assert exact_sums.exact_sums(codes, values).dtype == np.float32
    values[0, 0, 0, 0] += 1
    assert exact_sums.exact_sums(codes, values).dtype == np.float32
    values[0, 0, 0, 0] += 1
    sums = exact_sums.exact_sums(codes, values)
    assert sums.dtype == np.float64 and sums.item() == 257 * 255 * 256 + 2 * 255


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("levels", [3, 31])
def test_thresholds_that_no_sum_reaches(kind, levels):
    limit = 1 << (24 if kind == np.float32 else 53)
    sums = np.array([1 - limit, -1, 0, limit - 1])
    near = [-limit - 1, -limit + 1, -limit + 2, 0, limit - 1, limit, limit + 1, 1 << 62]
    thresholds = np.sort([[-(1 << 62), *near][:levels] + [1 << 62] * max(0, levels - 9), [limit] * levels])
    inverted = np.array([False, True])
    expected = [[int((sum_ >= row).sum()) for row in thresholds] for sum_ in sums]
    expected = np.array(expected) * [1, -1] + [0, levels]
    maps = np.tile(sums[:, None], (1, 2))[None, None]
    for accumulators in (maps, maps.astype(kind)):
        codes = matmul.apply_thresholds(accumulators, thresholds, inverted)
        assert codes[0, 0].tolist() == expected.tolist()


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 1, 0, 0)])
@pytest.mark.parametrize("turned", [False, True])
def test_pooled_sums_have_the_pooled_codes(padding, turned, rng):
    pool = Pool(kernel=(2, 2), stride=(2, 2), padding=padding, kind="max")
    thresholds, inverted = np.sort(rng.integers(-50, 50, (3, 7))), np.full(3, turned)
    sums = rng.integers(-53, 54, (2, 6, 6, 3)).astype(np.float32)
    codes = matmul.max_pool(matmul.apply_thresholds(sums, thresholds, inverted), pool)
    assert np.array_equal(_pooled_codes(sums, thresholds, inverted, pool), codes)
