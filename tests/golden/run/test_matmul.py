"""Integer convolution and pooling against the sums written out."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden import InputError, Pool, Rescale
from dorefa.golden.run import exact_sums, float_layers, matmul


def written_out(codes, values, stride, padding, dilation, groups):
    """The convolution's definition, one product at a time."""
    batch, height, width, channels = codes.shape
    out_channels, kh, kw, inner = values.shape
    rows = (height + padding[0] + padding[2] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    columns = (width + padding[1] + padding[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    result = np.zeros((batch, rows, columns, out_channels), np.int64)
    for n, i, j, o in np.ndindex(result.shape):
        first = o // (out_channels // groups) * inner
        for y, x, c in itertools.product(range(kh), range(kw), range(inner)):
            row = i * stride[0] + y * dilation[0] - padding[0]
            column = j * stride[1] + x * dilation[1] - padding[1]
            if 0 <= row < height and 0 <= column < width:
                code = int(codes[n, row, column, first + c])
                result[n, i, j, o] += int(values[o, y, x, c]) * code
    return result


GEOMETRIES = [
    {"stride": (1, 1), "padding": (0, 0, 0, 0), "dilation": (1, 1), "groups": 1},
    {"stride": (2, 1), "padding": (1, 0, 2, 3), "dilation": (1, 2), "groups": 2},
    {"stride": (3, 2), "padding": (0, 4, 0, 1), "dilation": (2, 1), "groups": 4},
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3), (3, 2)])
def test_convolve(kernel, geometry, rng):
    codes = rng.integers(0, 256, (2, 7, 6, 4), dtype=np.uint8)
    values = rng.integers(-255, 256, (8, *kernel, 4 // geometry["groups"]), dtype=np.int16)
    expected = written_out(codes, values, **geometry)
    result = matmul.convolve(codes, values, **geometry)
    assert result.dtype == np.int64
    assert np.array_equal(result, expected)


def test_large_sums_stay_exact():
    # 2 * 255 * 255 * 300 is beyond 2^24: odd sums show a product in float32.
    codes = np.full((1, 1, 1, 301), 255, np.uint8)
    values = np.full((2, 1, 1, 301), 255, np.int16)
    values[1, 0, 0, 0] = 254
    result = matmul.convolve(codes, values)
    assert result.ravel().tolist() == [301 * 255 * 255, 301 * 255 * 255 - 255]


def test_sums_that_float64_cannot_hold_are_refused():
    with pytest.raises(InputError, match=r"^convolve: sums reach \d+; accepted: below 2\^53$"):
        matmul.convolve(np.full((1, 1, 1, 1), 255, np.uint8), np.full((1, 1, 1, 1), 1 << 50))


def test_batches_are_split_for_memory(monkeypatch, rng):
    codes = rng.integers(0, 4, (5, 4, 4, 3), dtype=np.uint8)
    values = rng.integers(-3, 4, (2, 3, 3, 3), dtype=np.int16)
    whole = matmul.convolve(codes, values)
    for chunk in (1, 27, 2 * 27, 3 * 2 * 27, 2 * 4 * 27, 9 * 27):
        monkeypatch.setattr(exact_sums, "_CHUNK", chunk)
        assert np.array_equal(matmul.convolve(codes, values), whole)


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (1, 0, 0, 2), (0, 1, 1, 0)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3), (3, 1)])
def test_max_pool(stride, padding, rng):
    codes = rng.integers(0, 256, (2, 7, 5, 3), dtype=np.uint8)
    pool = Pool(kind="max", kernel=(2, 3), stride=stride, padding=padding)
    result = matmul.max_pool(codes, pool)
    for n, i, j, c in np.ndindex(result.shape):
        y, x = i * stride[0] - padding[0], j * stride[1] - padding[1]
        window = codes[n, max(y, 0) : y + 2, max(x, 0) : x + 3, c]
        assert result[n, i, j, c] == window.max()
    assert result.shape[1] == (7 + padding[0] + padding[2] - 2) // stride[0] + 1


def test_sum_pool(rng):
    accumulators = rng.integers(-(1 << 40), 1 << 40, (2, 5, 7, 2))
    result = matmul.sum_pool(accumulators, Pool(kind="average", kernel=(2, 2), stride=(2, 3)))
    assert result.shape == (2, 2, 2, 2)
    for n, i, j, c in np.ndindex(result.shape):
        window = accumulators[n, 2 * i : 2 * i + 2, 3 * j : 3 * j + 2, c]
        assert result[n, i, j, c] == window.sum()


def test_sum_pool_of_codes(rng):
    codes = rng.integers(0, 8, (2, 4, 5, 3), dtype=np.uint8)
    pool = Pool(kind="average_codes", kernel=(4, 5), stride=(4, 5))
    before = codes.copy()
    for result in (matmul.sum_pool(codes, pool), float_layers.sum_codes(codes, pool)):
        assert result.dtype == np.uint8 and result.shape == (2, 1, 1, 3)
        assert np.array_equal(result, before.sum(axis=(1, 2), keepdims=True))
    assert np.array_equal(codes, before)


@pytest.mark.parametrize("f", [0, 1, 2, 5, 31])
def test_rescale_rounds_half_to_even(f, rng):
    m = np.array([1, -1, 3, -(1 << 20) + 1, 0, (1 << 20) - 1])
    b = np.array([0, 1 << max(f - 1, 0), -5, -(1 << 47), 3 << max(f - 1, 0), (1 << 47) - 1])
    parameters = Rescale(m=m, b=b, f=f, scale=np.float32(1))
    near = np.arange(-70, 70)
    far = rng.integers(-(1 << 30), 1 << 30, 100)
    sums = np.repeat(np.concatenate((near, far))[:, None], len(m), axis=1)[None, None]
    expected = [
        [
            round(Fraction(factor * total + offset, 1 << f))
            for factor, offset, total in zip(m.tolist(), b.tolist(), row, strict=True)
        ]
        for row in sums[0, 0].tolist()
    ]
    for result in (
        matmul.rescale(sums, parameters),
        float_layers.round_to_trunk(sums.astype(np.float64), parameters),
    ):
        assert result.dtype == np.int64 and result.shape == sums.shape
        assert result[0, 0].tolist() == expected


def test_rescale_refuses_what_int64_cannot_hold():
    parameters = Rescale(m=np.array([-8]), b=np.array([-6]), f=0, scale=np.float32(1))
    fits, too_large = np.array([[[[-(1 << 59) + 1]]]]), np.array([[[[1 << 59]]]])
    message = rf"^rescale: m \* acc \+ b may reach {8 * (1 << 59) + 6}; accepted: below 2\^62$"
    assert matmul.rescale(fits, parameters).item() == (1 << 62) - 8 - 6
    with pytest.raises(InputError, match=message):
        matmul.rescale(too_large, parameters)
    with pytest.raises(InputError, match=message):
        float_layers.round_to_trunk(too_large.astype(np.float64), parameters)


@pytest.mark.parametrize("bits", range(1, 11))
def test_apply_thresholds(bits, rng):
    thresholds = np.sort(rng.integers(-20, 20, (3, 2**bits - 1)), axis=1)
    accumulators = np.tile(np.arange(-25, 25)[:, None], (1, 3))[None, None]
    inverted = np.array([False, True, False])
    codes = matmul.apply_thresholds(accumulators, thresholds, inverted)
    for position, channel in itertools.product(range(50), range(3)):
        count = sum(int(position - 25 >= t) for t in thresholds[channel])
        expected = 2**bits - 1 - count if inverted[channel] else count
        assert codes[0, 0, position, channel] == expected
