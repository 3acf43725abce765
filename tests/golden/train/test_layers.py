"""Forward functions against plain loops, backward functions against finite differences."""

import numpy as np
import pytest

from dorefa.golden.network.geometry import Geometry
from dorefa.golden.train import layers

from .support import numeric_gradient

GEOMETRIES = [
    # input (N, H, W, C), Cout, geometry
    ((2, 5, 6, 2), 3, {"kernel": (3, 3), "padding": (1, 1, 1, 1)}),
    ((2, 6, 5, 1), 2, {"kernel": (2, 3)}),
    ((1, 7, 6, 3), 2, {"kernel": (3, 2), "stride": (2, 3), "padding": (1, 0, 2, 1)}),
    ((3, 4, 4, 2), 5, {"kernel": (4, 4)}),
    # One window as large as the map, but off it.
    ((2, 3, 3, 2), 4, {"kernel": (3, 3), "stride": (3, 3), "padding": (1, 1, 1, 1)}),
    ((2, 6, 7, 4), 6, {"kernel": (2, 3), "dilation": (3, 2), "groups": 2, "padding": (0, 2, 1, 0)}),
]


@pytest.mark.parametrize("shape, channels, fields", GEOMETRIES)
def test_convolution_and_its_gradients(rng, shape, channels, fields):
    geometry = Geometry(**fields)
    x = rng.standard_normal(shape)
    groups, (step_y, step_x) = geometry.groups, geometry.dilation
    weights = rng.standard_normal((channels, *geometry.kernel, shape[3] // groups))
    y, patches = layers.convolve(x, weights, geometry)

    padded = geometry.pad(x)
    for n, row, column, channel in np.ndindex(y.shape):
        top, left = row * geometry.stride[0], column * geometry.stride[1]
        window = padded[n, top : top + geometry.reach[0] : step_y, left : left + geometry.reach[1] : step_x]
        group = channel // (channels // groups)
        depth = shape[3] // groups
        window = window[:, :, group * depth : (group + 1) * depth]
        assert y[n, row, column, channel] == pytest.approx(np.sum(window * weights[channel]))
    assert y.shape[1:3] == geometry.output_size(shape[1:])

    upstream = rng.standard_normal(y.shape)
    of_weights = layers.convolve_backward_weights(upstream, patches, geometry)
    of_input = layers.convolve_backward_input(upstream, weights, shape, geometry)
    numeric = numeric_gradient(lambda w: layers.convolve(x, w, geometry)[0], weights, upstream)
    np.testing.assert_allclose(of_weights, numeric, rtol=1e-6, atol=1e-7)
    numeric = numeric_gradient(lambda v: layers.convolve(v, weights, geometry)[0], x, upstream)
    np.testing.assert_allclose(of_input, numeric, rtol=1e-6, atol=1e-7)


def test_batch_norm_and_its_gradients(rng):
    x = rng.standard_normal((3, 4, 2, 5)) * 3 + 1
    gamma, beta = rng.standard_normal(5), rng.standard_normal(5)
    y, normalized, sigma, mean, var = layers.batch_norm(x, gamma, beta, 1e-3)
    np.testing.assert_allclose(mean, x.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(var, x.var(axis=(0, 1, 2)))
    np.testing.assert_allclose(y, gamma * (x - mean) / np.sqrt(var + 1e-3) + beta)

    upstream = rng.standard_normal(x.shape)
    gradients = layers.batch_norm_backward(upstream, normalized, sigma, gamma)
    operands = (x, gamma, beta)
    for position, gradient in enumerate(gradients):

        def function(value, position=position):
            changed = [*operands[:position], value, *operands[position + 1 :]]
            return layers.batch_norm(*changed, 1e-3)[0]

        numeric = numeric_gradient(function, operands[position], upstream)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)


def test_softmax_cross_entropy_and_its_gradient(rng):
    logits = rng.standard_normal((4, 6)) * 3
    labels = np.array([0, 5, 2, 2])
    loss, gradient = layers.softmax_cross_entropy(logits, labels)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-np.log(probabilities[np.arange(4), labels]).mean())
    numeric = numeric_gradient(
        lambda v: np.array(layers.softmax_cross_entropy(v, labels)[0]), logits, np.array(1.0)
    )
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)


def test_softmax_cross_entropy_of_huge_logits_is_finite():
    loss, gradient = layers.softmax_cross_entropy(np.array([[1e4, -1e4]], np.float32), np.array([1]))
    assert loss == 2e4
    assert gradient.tolist() == [[1, -1]]
