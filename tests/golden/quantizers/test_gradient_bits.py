"""The two backward convolutions of training are bit convolutions: AND and popcount give the same.

Integer forms for codes q of bipolar operands v = 2q - n (weights w, gradients g) and activations a,
with pc the popcount over the window and i, j the bit planes.
"""

import numpy as np
import pytest

from dorefa.golden.network.geometry import Geometry
from dorefa.golden.train import layers


def popcounts(x, x_bits, y, y_bits):
    """sum of 2^(i+j) pc(x_i & y_j) over the last axis, for codes x and y of equal shape."""
    total = 0
    for i in range(x_bits):
        for j in range(y_bits):
            planes = np.packbits((x >> i) & 1, axis=-1) & np.packbits((y >> j) & 1, axis=-1)
            total = total + np.bitwise_count(planes).sum(axis=-1, dtype=np.int64) * 2 ** (i + j)
    return total


SHAPE, KERNEL = (1, 6, 7, 3), (4, 3, 2)
GEOMETRY = Geometry(kernel=KERNEL[1:], stride=(2, 1), padding=(1, 0, 2, 1))
WIDTHS = [(1, 2, 6), (2, 1, 4), (3, 3, 2), (8, 8, 8)]


def draw(rng, w_bits, a_bits, g_bits):
    """Codes of weights, activations and gradients for one sample of the geometry above."""
    weights = rng.integers(0, 1 << w_bits, (*KERNEL, SHAPE[3]), np.uint8, endpoint=False)
    activations = rng.integers(0, 1 << a_bits, SHAPE, np.uint8, endpoint=False)
    gradients = rng.integers(0, 1 << g_bits, (1, 4, 7, KERNEL[0]), np.uint8, endpoint=False)
    return weights, activations, gradients


def bipolar(codes, bits):
    return 2.0 * codes - ((1 << bits) - 1)


@pytest.mark.parametrize("w_bits, a_bits, g_bits", WIDTHS)
def test_weight_gradient(rng, w_bits, a_bits, g_bits):
    weights, activations, gradients = draw(rng, w_bits, a_bits, g_bits)
    _, patches = layers.convolve(activations.astype(np.float64), bipolar(weights, w_bits), GEOMETRY)
    expected = layers.convolve_backward_weights(bipolar(gradients, g_bits), patches, GEOMETRY)
    patches = patches[0]
    # The reduction runs over pixels: 2 sum 2^(i+j) pc(a_i & g_j) - n_g sum 2^i pc(a_i).
    a = np.broadcast_to(
        patches.T.astype(np.uint8)[np.newaxis], (KERNEL[0], patches.shape[1], patches.shape[0])
    )
    g = np.broadcast_to(gradients.reshape(-1, KERNEL[0]).T[:, np.newaxis], a.shape)
    ones = np.ones_like(a)
    result = 2 * popcounts(a, a_bits, g, g_bits)
    result -= ((1 << g_bits) - 1) * popcounts(a, a_bits, ones, 1)
    np.testing.assert_array_equal(result.reshape(weights.shape), expected)


@pytest.mark.parametrize("w_bits, a_bits, g_bits", WIDTHS)
def test_input_gradient(rng, w_bits, a_bits, g_bits):
    weights, _, gradients = draw(rng, w_bits, a_bits, g_bits)
    expected = layers.convolve_backward_input(
        bipolar(gradients, g_bits), bipolar(weights, w_bits), SHAPE, GEOMETRY
    )
    # A convolution of the gradient, spread by the stride and padded, with the flipped weights;
    # mask marks where a gradient is.
    _, rows, columns, channels = gradients.shape
    margin = (KERNEL[1] - 1, KERNEL[2] - 1)
    extent = [
        n + p + q for n, p, q in zip(SHAPE[1:3], GEOMETRY.padding[:2], GEOMETRY.padding[2:], strict=True)
    ]
    spread = np.zeros((extent[0] + margin[0], extent[1] + margin[1], channels), np.uint8)
    mask = np.zeros_like(spread)
    places = (
        slice(margin[0], margin[0] + GEOMETRY.stride[0] * rows, GEOMETRY.stride[0]),
        slice(margin[1], margin[1] + GEOMETRY.stride[1] * columns, GEOMETRY.stride[1]),
    )
    spread[places], mask[places] = gradients[0], 1
    flipped = weights[:, ::-1, ::-1].transpose(3, 1, 2, 0).reshape(SHAPE[3], -1)
    n_w, n_g = (1 << w_bits) - 1, (1 << g_bits) - 1
    for y, x in np.ndindex(SHAPE[1:3]):
        top, left = y + GEOMETRY.padding[0], x + GEOMETRY.padding[1]
        window = (slice(top, top + KERNEL[1]), slice(left, left + KERNEL[2]))
        g = np.broadcast_to(spread[window].reshape(-1), flipped.shape)
        m = np.broadcast_to(mask[window].reshape(-1), flipped.shape)
        result = 4 * popcounts(flipped, w_bits, g, g_bits) - 2 * n_w * popcounts(m, 1, g, g_bits)
        result += n_w * n_g * popcounts(m, 1, m, 1) - 2 * n_g * popcounts(flipped, w_bits, m, 1)
        np.testing.assert_array_equal(result, expected[0, y, x])
