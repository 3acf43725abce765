"""Algorithm 1 of the paper on one batch: quantized forward pass, G-bit stochastic backward pass.

All three convolutions of every layer see quantized operands only: W-bit weights and A-bit
activations (8-bit image in the first layer) forward, G-bit gradients with W-bit weights and with
A-bit activations backward. Batch normalization, biases and float master weights stay float.
Everywhere 32 bits mean "not quantized".
"""

from collections.abc import Callable

import numpy as np

from ..network.layer import Layer
from ..network.network import Network
from ..network.parts import BatchNorm
from ..network.shapes import LayerShapes
from ..quantizers.dorefa import (
    bipolar_values,
    quantize_activations_backward,
    quantize_gradients,
    quantize_weights,
    quantize_weights_backward,
)
from ..zoo.architecture import Architecture, LayerSpec
from . import layers

FLOAT = 32
NORM_EPS = 1e-4
# Least weight of a batch in the running statistics of batch normalization.
NORM_SHARE = 0.01
# Uniform numbers in [0, 1) of a shape.
Noise = Callable[[tuple[int, ...]], np.ndarray]


class TrainLayer:
    """One layer with its float parameters and, between forward and backward, what it remembers.

    `parameters` holds "weight" (Cout, Kh, Kw, Cin), and "gamma", "beta", "bias" (Cout,) where the
    layer has them; `mean` and `var` are the running statistics; all of one float dtype.
    """

    def __init__(
        self,
        spec: LayerSpec,
        shapes: LayerShapes,
        bits: tuple[int, int | None, int],
        rng: np.random.Generator,
        dtype: np.dtype | type[np.floating],
    ):
        self.spec = spec
        self.in_shape, self.out_shape = shapes.in_shape, shapes.out_shape
        self.w_bits, self.a_bits, self.g_bits = bits
        shape = spec.weights_shape(self.in_shape)
        # He initialization: keeps the variance through layers that zero half of their input.
        spread = np.sqrt(2 / np.prod(shape[1:]))
        weight = (rng.standard_normal(shape) * spread).astype(dtype)
        self.parameters = {"weight": weight}
        if spec.bias:
            self.parameters["bias"] = np.zeros(spec.channels, dtype)
        if spec.norm:
            self.parameters["gamma"] = np.ones(spec.channels, dtype)
            self.parameters["beta"] = np.zeros(spec.channels, dtype)
            self.mean = np.zeros(spec.channels, dtype)
            self.var = np.ones(spec.channels, dtype)
            self.batches = 0

    def forward(self, x: np.ndarray, training: bool) -> np.ndarray:
        """Output activations (N, H, W, C) for input activations x; with the batch's statistics
        when `training`, else with the running ones."""
        spec, parameters = self.spec, self.parameters
        x = x.reshape(len(x), *self.in_shape)
        self.weight = quantized_weights(parameters["weight"], self.w_bits)
        out, self.patches = layers.convolve(x, self.weight, spec.stride, spec.padding)
        if spec.bias:
            out += parameters["bias"]
        self.conv_shape = out.shape
        if spec.norm and training:
            gamma, beta = parameters["gamma"], parameters["beta"]
            out, normalized, sigma, mean, var = layers.batch_norm(out, gamma, beta, NORM_EPS)
            self.normal = normalized, sigma
            self.batches += 1
            # A plain mean of the first batches, then a moving one: no trace of the start values.
            share = max(1 / self.batches, NORM_SHARE)
            self.mean += share * (mean - self.mean)
            self.var += share * (var - self.var)
        elif spec.norm:
            factor = parameters["gamma"] / np.sqrt(self.var + out.dtype.type(NORM_EPS))
            out = (out - self.mean) * factor + parameters["beta"]
        if spec.pool is not None:
            pool = spec.pool
            out, self.position = layers.max_pool(out, pool.kernel, pool.stride)
        if self.a_bits is None:
            return out
        self.bounded = out
        return quantized_activations(out, self.a_bits)

    def backward(
        self, gradient: np.ndarray, noise: Noise, input_needed: bool
    ) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
        """Gradient of the input (None unless `input_needed`) and of the parameters, by name.

        gradient is that of `forward`'s result in training; noise(shape) returns uniform numbers in
        [0, 1) for the gradient quantizer.
        """
        spec, gradients = self.spec, {}
        if self.a_bits is not None:
            gradient = quantize_activations_backward(gradient, self.bounded)
        if spec.pool is not None:
            gradient = layers.max_pool_backward(
                gradient, self.position, self.conv_shape, spec.pool.kernel, spec.pool.stride
            )
        if spec.norm:
            gradient, gradients["gamma"], gradients["beta"] = layers.batch_norm_backward(
                gradient, *self.normal, self.parameters["gamma"]
            )
        gradient = quantized_gradients(gradient, self.g_bits, noise)
        if spec.bias:
            gradients["bias"] = gradient.sum(axis=(0, 1, 2))
        weight_gradient = layers.convolve_backward_weights(gradient, self.patches, self.weight.shape)
        gradients["weight"] = weight_gradient
        if self.w_bits != FLOAT:
            gradients["weight"] = quantize_weights_backward(
                weight_gradient, self.parameters["weight"], self.w_bits
            )
        if not input_needed:
            return None, gradients
        in_shape = (len(gradient), *self.in_shape)
        in_gradient = layers.convolve_backward_input(
            gradient, self.weight, in_shape, spec.stride, spec.padding
        )
        return in_gradient, gradients

    def freeze(self) -> Layer:
        """The layer for inference: weight codes and scale, running statistics, no float weights."""
        spec, parameters = self.spec, self.parameters
        codes, scale = quantize_weights(parameters["weight"], self.w_bits)
        norm = None
        if spec.norm:
            norm = BatchNorm(
                gamma=parameters["gamma"],
                beta=parameters["beta"],
                mean=self.mean,
                var=self.var,
                eps=NORM_EPS,
            )
        return spec.layer(
            codes=codes,
            w_bits=self.w_bits,
            scale=scale,
            bias=parameters.get("bias"),
            norm=norm,
            a_bits=self.a_bits,
        )


class TrainNetwork:
    """All layers of an architecture in training.

    widths: weight bits of each layer; a_bits and g_bits: activation and gradient bits of all
    (1..8, or 32 for float). Weights are drawn from `rng`, a numpy Generator.
    """

    def __init__(
        self,
        architecture: Architecture,
        widths: list[int],
        a_bits: int,
        g_bits: int,
        rng: np.random.Generator,
        dtype: np.dtype | type[np.floating] = np.float32,
    ):
        self.architecture = architecture
        self.input_bits = architecture.image_bits(a_bits)
        self.dtype = np.dtype(dtype).type
        self.layers: list[TrainLayer] = []
        last = architecture.layers[-1]
        all_shapes = architecture.shapes()
        for spec, shapes, w_bits in zip(architecture.layers, all_shapes, widths, strict=True):
            bits = (w_bits, None if spec is last else a_bits, g_bits)
            self.layers.append(TrainLayer(spec, shapes, bits, rng, dtype))

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Every float parameter under LAYER.NAME; the arrays themselves, not copies."""
        return {
            f"{layer.spec.name}.{name}": value
            for layer in self.layers
            for name, value in layer.parameters.items()
        }

    def forward(self, images: np.ndarray, training: bool = False) -> np.ndarray:
        """Logits (N, classes) of uint8 images (N, H, W, C)."""
        levels = self.dtype((1 << self.input_bits) - 1)
        x = images.astype(self.dtype) / levels
        for layer in self.layers:
            x = layer.forward(x, training)
        return x.reshape(len(x), -1)

    def backward(self, gradient: np.ndarray, noise: Noise) -> dict[str, np.ndarray]:
        """Gradients of all parameters from that of the logits of the last training forward."""
        gradient = gradient.reshape(len(gradient), 1, 1, -1)
        gradients = {}
        for index in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[index]
            in_gradient, of_layer = layer.backward(gradient, noise, input_needed=index > 0)
            for name, value in of_layer.items():
                gradients[f"{layer.spec.name}.{name}"] = value
            if in_gradient is not None:
                gradient = in_gradient.reshape(len(in_gradient), *self.layers[index - 1].out_shape)
        return gradients

    def freeze(self) -> Network:
        """The network for inference, from the present parameters and running statistics."""
        return Network(
            name=self.architecture.name,
            input_shape=self.architecture.input_shape,
            input_bits=self.input_bits,
            layers=tuple(layer.freeze() for layer in self.layers),
        )


def quantized_weights(weight: np.ndarray, bits: int) -> np.ndarray:
    """Eq. 7 and 9 as real numbers; the weights themselves for 32 bits."""
    if bits == FLOAT:
        return weight
    codes, scale = quantize_weights(weight, bits)
    return bipolar_values(codes, bits, weight.dtype.type(scale), weight.dtype.type)


def quantized_activations(r: np.ndarray, bits: int) -> np.ndarray:
    """Eq. 11 as real numbers: clip to [0, 1], then A bits; the clip alone for 32 bits.

    Rounds the product in the dtype of r, several times faster than the exact `quantizers` and
    different from it only within one rounding error of a tie.
    """
    r = np.clip(r, 0, 1)
    if bits == FLOAT:
        return r
    levels = r.dtype.type((1 << bits) - 1)
    r *= levels
    return np.rint(r, out=r) / levels


def quantized_gradients(gradient: np.ndarray, bits: int, noise: Noise) -> np.ndarray:
    """Eq. 12 as real numbers, one maximum per sample; the gradient itself for 32 bits."""
    if bits == FLOAT:
        return gradient
    codes, maxima = quantize_gradients(gradient, bits, noise(gradient.shape))
    return bipolar_values(codes, bits, maxima, gradient.dtype.type)
