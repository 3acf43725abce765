"""Forward functions against plain loops, backward functions against finite differences."""

import numpy as np
import pytest

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
    # input (N, H, W, C), kernel (Cout, Kh, Kw), stride, padding (top, left, bottom, right)
    ((2, 5, 6, 2), (3, 3, 3), (1, 1), (1, 1, 1, 1)),
    ((2, 6, 5, 1), (2, 2, 3), (1, 1), (0, 0, 0, 0)),
    ((1, 7, 6, 3), (2, 3, 2), (2, 3), (1, 0, 2, 1)),
    ((3, 4, 4, 2), (5, 4, 4), (1, 1), (0, 0, 0, 0)),
]


@pytest.mark.parametrize("shape, kernel, stride, padding", GEOMETRIES)
def test_convolution_and_its_gradients(rng, shape, kernel, stride, padding):
    x = rng.standard_normal(shape)
    weights = rng.standard_normal((*kernel, shape[3]))
    y, patches = layers.convolve(x, weights, stride, padding)

    top, left, bottom, right = padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    for n, row, column, channel in np.ndindex(y.shape):
        top, left = row * stride[0], column * stride[1]
        window = padded[n, top : top + kernel[1], left : left + kernel[2]]
        assert y[n, row, column, channel] == pytest.approx(np.sum(window * weights[channel]))
    assert y.shape[1] == (padded.shape[1] - kernel[1]) // stride[0] + 1
    assert y.shape[2] == (padded.shape[2] - kernel[2]) // stride[1] + 1

    upstream = rng.standard_normal(y.shape)
    of_weights = layers.convolve_backward_weights(upstream, patches, weights.shape)
    of_input = layers.convolve_backward_input(upstream, weights, shape, stride, padding)
    numeric = numeric_gradient(lambda w: layers.convolve(x, w, stride, padding)[0], weights, upstream)
    np.testing.assert_allclose(of_weights, numeric, rtol=1e-6, atol=1e-7)
    numeric = numeric_gradient(lambda v: layers.convolve(v, weights, stride, padding)[0], x, upstream)
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
