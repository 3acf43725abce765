"""Pooling against the functions of inference, gradients against finite differences."""

import numpy as np
import pytest

from dorefa.golden.network.parts import Pool
from dorefa.golden.run import float_layers
from dorefa.golden.train import pooling

from .support import numeric_gradient

MAXIMA = [
    # Kernel, stride, padding: apart, overlapping, with holes, padded.
    ((2, 2), (2, 2), 0),
    ((3, 2), (2, 1), 0),
    ((1, 3), (1, 4), 0),
    ((3, 3), (2, 2), (1, 1, 1, 1)),
    ((3, 3), (2, 2), (0, 0, 1, 1)),
    ((3, 2), (1, 2), (2, 0, 1, 1)),
]


@pytest.mark.parametrize("kernel, stride, padding", MAXIMA)
def test_max_pool_and_its_gradient(rng, kernel, stride, padding):
    pool = Pool(kind="max", kernel=kernel, stride=stride, padding=padding)
    # Distinct values far apart: a finite difference never changes which one is the maximum. Most are
    # negative, below what a padding of 0 would be.
    x = rng.permutation(2 * 7 * 8 * 3).reshape(2, 7, 8, 3).astype(np.float64) - 300
    y, position = pooling.max_pool(x, pool)
    np.testing.assert_array_equal(y, float_layers.max_pool(x, pool))
    for n, row, column, channel in np.ndindex(y.shape):
        top, left = pool.start(0, row), pool.start(1, column)
        place = divmod(int(position[n, row, column, channel]), kernel[1])
        assert x[n, top + place[0], left + place[1], channel] == y[n, row, column, channel]
    upstream = rng.standard_normal(y.shape)
    gradient = pooling.max_pool_backward(upstream, position, x.shape, pool)
    numeric = numeric_gradient(lambda v: pooling.max_pool(v, pool)[0], x, upstream)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding, expected", [(0, [5, 0, 0, 0]), ((1, 1, 0, 0), [20, 0, 0, 0])])
def test_of_equal_maxima_the_first_gets_the_gradient(padding, expected):
    pool = Pool(kind="max", kernel=(2, 2), stride=(1, 1), padding=padding)
    y, position = pooling.max_pool(np.full((1, 2, 2, 1), -1.0), pool)
    assert (y == -1).all()
    gradient = pooling.max_pool_backward(np.full(y.shape, 5.0), position, (1, 2, 2, 1), pool)
    assert gradient.ravel().tolist() == expected


def test_positions_of_large_windows():
    pool = Pool(kind="max", kernel=(20, 20), stride=(1, 1))
    x = np.zeros((1, 20, 20, 1))
    x[0, 19, 18] = 1
    _, position = pooling.max_pool(x, pool)
    assert position.item() == 19 * 20 + 18
    gradient = pooling.max_pool_backward(np.ones((1, 1, 1, 1)), position, x.shape, pool)
    np.testing.assert_array_equal(gradient, x)


@pytest.mark.parametrize(
    "kernel, stride", [((2, 2), (2, 2)), ((3, 2), (1, 2)), ((2, 1), (3, 4)), ((7, 8), (7, 8))]
)
def test_sum_pool_and_its_gradient(rng, kernel, stride):
    pool = Pool(kind="average", kernel=kernel, stride=stride)
    x = rng.standard_normal((2, 7, 8, 3))
    y = pooling.sum_pool(x, pool)
    np.testing.assert_allclose(y / pool.area, float_layers.average_pool(x, pool))
    codes = rng.integers(0, 4, x.shape, np.uint8)
    np.testing.assert_array_equal(pooling.sum_pool(codes, pool), float_layers.sum_codes(codes, pool))
    upstream = rng.standard_normal(y.shape)
    gradient = pooling.sum_pool_backward(upstream, x.shape, pool)
    numeric = numeric_gradient(lambda v: pooling.sum_pool(v, pool), x, upstream)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)
