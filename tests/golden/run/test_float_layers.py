"""Float layers against their definitions written out."""

import itertools

import numpy as np
import pytest

from dorefa.golden import BatchNorm, Pool
from dorefa.golden.run import float_layers


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [
        ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1), 1),
        ((3, 2), (2, 1), (1, 0, 2, 3), (1, 2), 2),
        ((2, 3), (1, 3), (0, 4, 0, 1), (3, 1), 3),
    ],
)
def test_convolve(kernel, stride, padding, dilation, groups, dtype, rng):
    # Small integers: sums are exact, so the comparison is too.
    x = rng.integers(-9, 10, (2, 6, 5, 6)).astype(dtype)
    weight = rng.integers(-9, 10, (6, *kernel, 6 // groups)).astype(dtype)
    result = float_layers.convolve(
        x, weight, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    rows = (6 + padding[0] + padding[2] - dilation[0] * (kernel[0] - 1) - 1) // stride[0] + 1
    columns = (5 + padding[1] + padding[3] - dilation[1] * (kernel[1] - 1) - 1) // stride[1] + 1
    assert result.shape == (2, rows, columns, 6) and result.dtype == dtype
    inner = 6 // groups
    for n, i, j, o in np.ndindex(result.shape):
        total = 0
        for ky, kx, c in itertools.product(range(kernel[0]), range(kernel[1]), range(inner)):
            y = i * stride[0] + ky * dilation[0] - padding[0]
            x0 = j * stride[1] + kx * dilation[1] - padding[1]
            if 0 <= y < 6 and 0 <= x0 < 5:
                total += weight[o, ky, kx, c] * x[n, y, x0, o // inner * inner + c]
        assert result[n, i, j, o] == total


def test_fully_connected_flattens_in_memory_order(rng):
    x = rng.integers(-9, 10, (3, 2, 2, 2)).astype(np.float64)
    weight = rng.integers(-9, 10, (4, 1, 1, 8))
    expected = np.einsum("nk,ok->no", x.reshape(3, 8), weight[:, 0, 0])
    assert np.array_equal(float_layers.fully_connected(x, weight), expected)


def test_batch_norm():
    norm = BatchNorm(
        gamma=np.array([2, -1], np.float32),
        beta=np.array([0.5, 1], np.float32),
        mean=np.array([1, 3], np.float32),
        var=np.array([3, 0.25], np.float32),
        eps=1.0,
    )
    x = np.array([[[[5.0, 3.0]]]])
    assert float_layers.batch_norm(x, norm).tolist() == [[[[4.5, 1.0]]]]
    x = np.array([[[[1.0, 4.0]]]])
    assert float_layers.batch_norm(x, norm)[0, 0, 0, 1] == -1 / np.sqrt(1.25) + 1


def test_clip():
    x = np.array([-1.0, 0, 0.25, 1, 7])
    assert float_layers.clip(x).tolist() == [0, 0, 0.25, 1, 1]


def test_pooling(rng):
    x = rng.normal(size=(2, 5, 6, 3)) - 10
    pool = Pool(kind="max", kernel=(2, 3), stride=(2, 2), padding=(1, 2, 0, 0))
    result = float_layers.max_pool(x, pool)
    assert result.shape == (2, 3, 3, 3)
    for n, i, j, c in np.ndindex(result.shape):
        y, x0 = 2 * i - 1, 2 * j - 2
        # All values are negative: a padding of zeros would win.
        assert result[n, i, j, c] == x[n, max(y, 0) : y + 2, max(x0, 0) : x0 + 3, c].max()
    x = rng.integers(-9, 10, (1, 4, 5, 2)).astype(float)
    result = float_layers.average_pool(x, Pool(kind="average", kernel=(2, 2), stride=(2, 3)))
    assert result.shape == (1, 2, 2, 2)
    assert result[0, 1, 1, 1] == x[0, 2:4, 3:5, 1].mean()
