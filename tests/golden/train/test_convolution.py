"""The integer form of a layer's convolutions against real numbers of float64, and both against each other."""

import numpy as np
import pytest

from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.quantizers.dorefa import bipolar_values, quantize_weights, quantize_weights_backward
from dorefa.golden.quantizers.gradient import STEP, gradient_words
from dorefa.golden.train import layers
from dorefa.golden.train.convolution import FloatConvolution, IntegerConvolution, uniform_noise
from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.train.recipe import FLOAT, LayerBits


def convolution(rng, w_bits, a_bits, g_bits):
    """(ConvolutionShape, parameters, activation codes, gradient)."""
    shape = ConvolutionShape(
        name="layer",
        in_shape=(6, 7, 3),
        channels=5,
        kernel=(3, 2),
        stride=(2, 1),
        padding=(1, 0, 2, 1),
        w_bits=w_bits,
        a_bits=a_bits,
        g_bits=g_bits,
    )
    weight = rng.standard_normal(shape.weights_shape).astype(np.float32)
    parameters = {"weight": weight, "bias": rng.standard_normal(5).astype(np.float32)}
    gradient = rng.standard_normal((4, *shape.out_shape)) * 2.0 ** rng.integers(-9, 1, (4, 1, 1, 1))
    gradient[1] = 0
    codes = rng.integers(0, 1 << a_bits, (4, *shape.in_shape), np.uint8)
    return shape, parameters, codes, gradient.astype(np.float32)


@pytest.mark.parametrize("w_bits, a_bits, g_bits", [(1, 2, 6), (3, 1, 2), (8, 8, 8), (1, 1, 1)])
def test_integers_stand_for_real_numbers(rng, w_bits, a_bits, g_bits):
    shape, parameters, x, gradient = convolution(rng, w_bits, a_bits, g_bits)
    backend = MatrixBackend(3)
    layer = IntegerConvolution(shape, 2, (1 << a_bits) - 1, parameters, backend, MatrixBackend(None))
    out = layer.forward(x, True)
    codes, scale = quantize_weights(parameters["weight"], w_bits)
    weight = bipolar_values(codes, w_bits, float(scale), np.float64)
    real_out, patches = layers.convolve(x / ((1 << a_bits) - 1), weight, shape)
    np.testing.assert_allclose(out, real_out + parameters["bias"], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(out, layer.forward(x, False))

    words, exponent = gradient_words(gradient)
    g_codes, scales = backend.quantize_gradients(shape, 2, 9, words)
    real = scales.reshape(-1, 1, 1, 1) * (STEP * 2.0**exponent)
    real = bipolar_values(g_codes, g_bits, real, np.float64)
    # One step of the grid at most from the gradient itself.
    assert (np.abs(real - gradient) <= 2.01 * real_step(scales, exponent, g_bits)).all()
    in_gradient, gradients = layer.backward(gradient, 9, True)
    of_input = layers.convolve_backward_input(real, weight, x.shape, shape)
    np.testing.assert_allclose(in_gradient, of_input, rtol=1e-5, atol=1e-6)
    of_weight = layers.convolve_backward_weights(real, patches, shape)
    of_weight = quantize_weights_backward(of_weight, parameters["weight"], w_bits)
    np.testing.assert_allclose(gradients["weight"], of_weight, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients["bias"], real.sum(axis=(0, 1, 2)), rtol=1e-5, atol=1e-6)
    assert {value.dtype for value in (out, in_gradient, *gradients.values())} == {np.dtype(np.float32)}
    assert layer.backward(gradient, 9, False)[0] is None


def real_step(scales, exponent, g_bits):
    """Half the distance of two codes, and of two words, of every sample."""
    unit = STEP * 2.0**exponent
    return (scales * unit / ((1 << g_bits) - 1) + 2.0**exponent).reshape(-1, 1, 1, 1)


@pytest.mark.parametrize("maximum", ["sample", "batch"])
@pytest.mark.parametrize("g_bits", [4, 12, 31])
def test_the_float_form_quantizes_gradients(rng, g_bits, maximum):
    shape, parameters, x, gradient = convolution(rng, 2, 3, 8)
    layer = FloatConvolution(shape, LayerBits(2, 3, 3, g_bits), 2, 7, parameters, 3, maximum == "batch")
    layer.forward(x, True)
    in_gradient, gradients = layer.backward(gradient, 9, True)
    axes = (1, 2, 3) if maximum == "sample" else None
    m = np.abs(gradient.astype(np.float64)).max(axis=axes, keepdims=True)
    levels = (1 << g_bits) - 1
    noise = uniform_noise(3, 9, 2, gradient.shape if maximum == "sample" else (1, gradient.size))
    code = np.floor(levels * (gradient / np.where(m, m, 1) / 2 + 0.5) + noise.reshape(gradient.shape))
    real = m * (2 * np.minimum(code, levels) - levels) / levels
    weight = bipolar_values(quantize_weights(parameters["weight"], 2)[0], 2, 1, np.float64)
    patches = layers.convolve(x / 7, weight, shape)[1]
    of_weight = quantize_weights_backward(
        layers.convolve_backward_weights(real, patches, shape), parameters["weight"], 2
    )
    np.testing.assert_allclose(gradients["weight"], of_weight, rtol=1e-4, atol=1e-5)
    of_input = layers.convolve_backward_input(real, weight, x.shape, shape)
    np.testing.assert_allclose(in_gradient, of_input, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(gradients["bias"], real.sum(axis=(0, 1, 2)), rtol=1e-4, atol=1e-5)


def test_both_forms_agree_forward(rng):
    shape, parameters, x, _ = convolution(rng, 2, 3, 8)
    integers = IntegerConvolution(shape, 0, 7, parameters, MatrixBackend(None), MatrixBackend(None))
    floats = FloatConvolution(shape, LayerBits(2, 3, 3, FLOAT), 0, 7, parameters, None, False)
    np.testing.assert_array_equal(integers.forward(x, True), floats.forward(x, True))


def test_uniform_noise():
    noise = uniform_noise(1, 2, 3, (4, 5))
    assert noise.dtype == np.float32 and noise.min() >= 0 and noise.max() < 1
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert (noise != uniform_noise(*other, (4, 5))).all()
    assert (uniform_noise(None, 2, 3, (4, 5)) == 0.5).all()


class Transposed(MatrixBackend):
    """The same sums, channels first in memory."""

    def forward(self, *operands):
        return np.asfortranarray(super().forward(*operands))

    def backward_input(self, *operands):
        return np.asfortranarray(super().backward_input(*operands))


def test_results_are_in_row_major_order_whatever_the_backend_gives(rng):
    """Sums over them, as batch normalization's, are then rounded in one order."""
    shape, parameters, x, gradient = convolution(rng, 2, 3, 8)
    layer = IntegerConvolution(shape, 0, 7, parameters, Transposed(None), MatrixBackend(None))
    assert layer.forward(x, True).flags.c_contiguous
    assert layer.backward(gradient, 0, True)[0].flags.c_contiguous
