"""Forward functions against plain loops, backward functions against finite differences."""

import numpy as np
import pytest

from dorefa.golden.network.geometry import Geometry
from dorefa.golden.train import layers

STEP = 1e-6


def numeric_gradient(function, x, upstream):
    """Central differences of sum(upstream * function(x)) with respect to x, float64."""
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        original = x[index]
        x[index] = original + STEP
        above = np.sum(upstream * function(x))
        x[index] = original - STEP
        below = np.sum(upstream * function(x))
        x[index] = original
        gradient[index] = (above - below) / (2 * STEP)
    return gradient


GEOMETRIES = [
    # input (N, H, W, C), Cout, geometry
    ((2, 5, 6, 2), 3, {"kernel": (3, 3), "padding": (1, 1, 1, 1)}),
    ((2, 6, 5, 1), 2, {"kernel": (2, 3)}),
    ((1, 7, 6, 3), 2, {"kernel": (3, 2), "stride": (2, 3), "padding": (1, 0, 2, 1)}),
    ((3, 4, 4, 2), 5, {"kernel": (4, 4)}),
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


@pytest.mark.parametrize("kernel, stride", [((2, 2), (2, 2)), ((3, 2), (2, 1)), ((1, 3), (1, 4))])
def test_max_pool_and_its_gradient(rng, kernel, stride):
    # Distinct values far apart: a finite difference never changes which one is the maximum.
    x = rng.permutation(2 * 7 * 8 * 3).reshape(2, 7, 8, 3).astype(np.float64)
    y, position = layers.max_pool(x, kernel, stride)
    for n, row, column, channel in np.ndindex(y.shape):
        top, left = row * stride[0], column * stride[1]
        window = x[n, top : top + kernel[0], left : left + kernel[1], channel]
        assert y[n, row, column, channel] == window.max()
    upstream = rng.standard_normal(y.shape)
    gradient = layers.max_pool_backward(upstream, position, x.shape, kernel, stride)
    numeric = numeric_gradient(lambda v: layers.max_pool(v, kernel, stride)[0], x, upstream)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-4)


def test_of_equal_maxima_the_first_gets_the_gradient():
    _, position = layers.max_pool(np.ones((1, 2, 2, 1)), (2, 2), (2, 2))
    gradient = layers.max_pool_backward(np.full((1, 1, 1, 1), 5.0), position, (1, 2, 2, 1), (2, 2), (2, 2))
    assert gradient.ravel().tolist() == [5, 0, 0, 0]


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
