"""The three convolutions of a layer in training: in integers through a backend, or in floating point.

Both forms read activation codes, or real activations where they are not quantized, and turn the gradient of
their result into that of the float weights.
"""

from typing import Protocol

import numpy as np

from ..backward.shape import ConvolutionShape
from ..network.geometry import Geometry
from ..quantizers.dorefa import (
    bipolar_values,
    quantize_gradients,
    quantize_weights,
    quantize_weights_backward,
)
from ..quantizers.gradient import STEP, gradient_words
from . import layers
from .backend import Backend
from .recipe import FLOAT, LayerBits

Parameters = dict[str, np.ndarray]


class Convolution(Protocol):
    """Convolution and bias of a layer; `parameters`, its arrays "weight" and, if it has one, "bias"."""

    def forward(self, x: np.ndarray, training: bool) -> np.ndarray:
        """Real sums (N, Ho, Wo, Cout) of activations (N, H, W, C): codes uint8, or floats."""

    def backward(
        self, gradient: np.ndarray, step: int, input_needed: bool
    ) -> tuple[np.ndarray | None, Parameters]:
        """Gradient of the real activations (None unless `input_needed`) and of the parameters, by name, from
        that of the last training `forward`'s result in step `step`."""


class IntegerConvolution:
    """Codes in, integer sums from a backend, one float32 multiplication for each of them.

    With ``n = 2^bits - 1`` of weights and gradients, E the scale of the weights, k and e scale and exponent
    of the gradients: result ``float32(sum) float32(E / (n_w n_a))``, weight gradient ``float32(sum)
    float32(STEP 2^e / (n_g n_a))``, input gradient ``float32(sum) float32(k STEP 2^e E / (n_g n_w))``.

    `index`: number of the layer, for its noise; `levels`: n_a, the activation code that stands for 1.0;
    `backend` trains, `evaluator` serves otherwise.
    """

    def __init__(
        self,
        shape: ConvolutionShape,
        index: int,
        levels: int,
        parameters: Parameters,
        backend: Backend,
        evaluator: Backend,
    ):
        self.shape, self.index, self.parameters = shape, index, parameters
        self.backend, self.evaluator = backend, evaluator
        self._levels = (1 << shape.w_bits) - 1, levels, (1 << shape.g_bits) - 1

    def forward(self, x: np.ndarray, training: bool) -> np.ndarray:
        """See :class:`Convolution`."""
        w_levels, a_levels, _ = self._levels
        backend = self.backend if training else self.evaluator
        codes, scale = backend.quantize_weights(self.shape, self.parameters["weight"])
        sums = backend.forward(self.shape, x, codes)
        out = _scaled(sums, np.float32(float(scale) / (w_levels * a_levels)))
        if "bias" in self.parameters:
            out += self.parameters["bias"]
        if training:
            self._kept = x, codes, float(scale)
        return out

    def backward(
        self, gradient: np.ndarray, step: int, input_needed: bool
    ) -> tuple[np.ndarray | None, Parameters]:
        """See :class:`Convolution`."""
        w_levels, a_levels, g_levels = self._levels
        x, weights, weight_scale = self._kept
        words, exponent = gradient_words(gradient)
        codes, scales = self.backend.quantize_gradients(self.shape, self.index, step, words)
        unit = STEP * 2.0**exponent / g_levels
        gradients = {}
        if "bias" in self.parameters:
            pixels = codes.shape[1] * codes.shape[2]
            of_samples = 2 * codes.sum(axis=(1, 2), dtype=np.int64) - g_levels * pixels
            gradients["bias"] = _scaled(scales @ of_samples, np.float32(unit))
        sums = self.backend.backward_weight(self.shape, codes, scales, x)
        gradients["weight"] = quantize_weights_backward(
            _scaled(sums, np.float32(unit / a_levels)), self.parameters["weight"], self.shape.w_bits
        )
        if not input_needed:
            return None, gradients
        sums = self.backend.backward_input(self.shape, codes, weights)
        factors = (scales * (unit * weight_scale / w_levels)).astype(np.float32)
        return _scaled(sums, factors.reshape(-1, 1, 1, 1)), gradients


def _scaled(sums: np.ndarray, factor: np.ndarray | np.float32) -> np.ndarray:
    """float32(sums) * factor, row-major, so that sums over it are rounded in one order whatever the backend;
    `sums` may be used for the result."""
    values = sums.astype(np.float32, order="C", copy=False)
    return np.multiply(values, factor, out=values)


class FloatConvolution:
    """In the floating point of its parameters, for operands of which one is not quantized or the gradient
    quantizer has its float form. Codes stay integers up to the products: their sums are exact where the
    mantissa holds them.

    `index`: number of the layer and `noise_seed`: seed, for noise; None rounds gradients to nearest.
    `levels`: the activation code that stands for 1.0, 1 for real activations. `batch_maximum`: one maximum in
    Eq. 12 for all samples.
    """

    def __init__(
        self,
        geometry: Geometry,
        bits: LayerBits,
        index: int,
        levels: int,
        parameters: Parameters,
        noise_seed: int | None,
        batch_maximum: bool,
    ):
        self.geometry, self.bits, self.index, self.parameters = geometry, bits, index, parameters
        self.noise_seed, self.batch_maximum = noise_seed, batch_maximum
        self._activation_unit = 1 / levels

    def forward(self, x: np.ndarray, training: bool) -> np.ndarray:
        """See :class:`Convolution`."""
        weight, weight_unit = self._weights()
        out, patches = layers.convolve(x.astype(weight.dtype), weight, self.geometry)
        out *= weight.dtype.type(weight_unit * self._activation_unit)
        if "bias" in self.parameters:
            out += self.parameters["bias"]
        if training:
            self._kept = (len(x), *x.shape[1:]), patches, weight, weight_unit
        return out

    def backward(
        self, gradient: np.ndarray, step: int, input_needed: bool
    ) -> tuple[np.ndarray | None, Parameters]:
        """See :class:`Convolution`."""
        in_shape, patches, weight, weight_unit = self._kept
        gradient = self._quantized(gradient, step)
        gradients = {}
        if "bias" in self.parameters:
            gradients["bias"] = gradient.sum(axis=(0, 1, 2))
        of_weights = layers.convolve_backward_weights(gradient, patches, self.geometry)
        of_weights *= weight.dtype.type(self._activation_unit)
        if self.bits.weights != FLOAT:
            of_weights = quantize_weights_backward(of_weights, self.parameters["weight"], self.bits.weights)
        gradients["weight"] = of_weights
        if not input_needed:
            return None, gradients
        of_input = layers.convolve_backward_input(gradient, weight, in_shape, self.geometry)
        return of_input * weight.dtype.type(weight_unit), gradients

    def _weights(self) -> tuple[np.ndarray, float]:
        """Weights as they enter products, Eq. 7 and 9, and what 1 of them stands for."""
        weight, bits = self.parameters["weight"], self.bits.weights
        if bits == FLOAT:
            return weight, 1.0
        codes, scale = quantize_weights(weight, bits)
        levels = (1 << bits) - 1
        return bipolar_values(codes, bits, levels, weight.dtype.type), float(scale) / levels

    def _quantized(self, gradient: np.ndarray, step: int) -> np.ndarray:
        """Eq. 12 as real numbers."""
        bits = self.bits.gradients
        if bits == FLOAT:
            return gradient
        samples = gradient.reshape(1, -1) if self.batch_maximum else gradient
        noise = uniform_noise(self.noise_seed, step, self.index, samples.shape)
        codes, maxima = quantize_gradients(samples, bits, noise)
        return bipolar_values(codes, bits, maxima, gradient.dtype.type).reshape(gradient.shape)


def uniform_noise(seed: int | None, step: int, layer: int, shape: tuple[int, ...]) -> np.ndarray:
    """u of Eq. 12's float form for a layer and step: float32 in [0, 1) from PCG64 seeded with (seed, step,
    layer), 1/2 without a seed."""
    if seed is None:
        return np.full(shape, 0.5, np.float32)
    generator = np.random.Generator(np.random.PCG64((seed, step, layer)))
    return generator.random(shape, dtype=np.float32)
