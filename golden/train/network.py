"""Algorithm 1 of the paper on one batch: quantized forward pass, G-bit stochastic backward pass.

All three convolutions of every layer see quantized operands only: W-bit weights and A-bit
activations (8-bit image in the first layer) forward, G-bit gradients with W-bit weights and with
A-bit activations backward. They are sums of integers, which a backend computes; batch normalization, biases,
pooling, clip, loss and float master weights stay float32. Layers with operands of more than 8 bits are
computed in floating point as a whole.
"""

import hashlib

import numpy as np

from ..network.network import Network
from ..zoo.architecture import Architecture
from .backend import Backend
from .convolution import Convolution, FloatConvolution, IntegerConvolution
from .layer import TrainLayer
from .matrix_backend import MatrixBackend
from .recipe import Recipe


class TrainNetwork:
    """All layers of an architecture in training.

    `recipe` says the widths, and the seed from which weights are drawn. Layers in integers train on
    `backend`; all others, and evaluation, are computed here. `dtype` of all parameters: float32, or float64
    where no layer is in integers.
    """

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        backend: Backend,
        dtype: np.dtype | type[np.floating] = np.float32,
    ):
        self.architecture, self.recipe = architecture, recipe
        self.input_bits = architecture.image_bits(recipe.a_bits)
        self.layers: list[TrainLayer] = []
        rng = np.random.Generator(np.random.PCG64(recipe.seed))
        evaluator = MatrixBackend(None, keep=False)
        all_bits = recipe.layer_bits(architecture)
        for index, (spec, shapes, bits) in enumerate(
            zip(architecture.layers, architecture.shapes(), all_bits, strict=True)
        ):
            layer = TrainLayer(spec, shapes, bits, rng, dtype)
            convolution: Convolution
            if recipe.in_integers(bits):
                convolution = IntegerConvolution(layer.shape, index, layer.parameters, backend, evaluator)
            else:
                convolution = FloatConvolution(
                    spec, bits, index, layer.parameters, recipe.stream_seed, recipe.maximum == "batch"
                )
            layer.convolution = convolution
            self.layers.append(layer)

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """Every float parameter under LAYER.NAME; the arrays themselves, not copies."""
        return {
            f"{layer.spec.name}.{name}": value
            for layer in self.layers
            for name, value in layer.parameters.items()
        }

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        """Running mean and variance of batch normalization under LAYER.NAME; the arrays themselves."""
        return {
            f"{layer.spec.name}.{name}": value
            for layer in self.layers
            for name, value in layer.statistics.items()
        }

    @property
    def parameters_sha256(self) -> str:
        """SHA-256 of all parameters, sorted by name: for each the name in UTF-8, a newline, and its elements
        in row-major order as little-endian floats."""
        digest = hashlib.sha256()
        for name, value in sorted(self.parameters.items()):
            digest.update(f"{name}\n".encode())
            digest.update(value.astype(value.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()

    def forward(self, images: np.ndarray, step: int | None = None) -> np.ndarray:
        """Logits (N, classes) of uint8 images (N, H, W, C), in training step `step`, from 0, or with running
        statistics."""
        x = images
        for layer in self.layers:
            x = layer.forward(x, step)
        return x.reshape(len(x), -1)

    def backward(self, gradient: np.ndarray, step: int) -> dict[str, np.ndarray]:
        """Gradients of all parameters from that of the logits of the last training forward, step `step`."""
        gradient = gradient.reshape(len(gradient), 1, 1, -1)
        gradients = {}
        for index in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[index]
            in_gradient, of_layer = layer.backward(gradient, step, input_needed=index > 0)
            for name, value in of_layer.items():
                gradients[f"{layer.spec.name}.{name}"] = value
            if in_gradient is not None:
                gradient = in_gradient.reshape(len(in_gradient), *self.layers[index - 1].out_shape)
        return gradients

    def freeze(self) -> Network:
        """The network for inference, from the present parameters and running statistics. InputError where a
        layer has no form in it, see :meth:`.recipe.Recipe.check_storable`."""
        self.recipe.check_storable(self.architecture)
        return Network(
            name=self.architecture.name,
            input_shape=self.architecture.input_shape,
            input_bits=self.input_bits,
            layers=tuple(layer.freeze() for layer in self.layers),
        )
