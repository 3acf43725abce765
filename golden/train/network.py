"""Algorithm 1 of the paper on one batch: quantized forward pass, G-bit stochastic backward pass.

All three convolutions of every layer see quantized operands only: W-bit weights and A-bit
activations (8-bit image in the first layer) forward, G-bit gradients with W-bit weights and with
A-bit activations backward. They are sums of integers, which a backend computes; batch normalization, biases,
pooling, clip, loss and float master weights stay float32. Layers with operands of more than 8 bits are
computed in floating point as a whole.
"""

import hashlib

import numpy as np

from ..backward.shape import ConvolutionShape
from ..network.network import Network
from ..zoo.architecture import Architecture
from .backend import Backend
from .convolution import Convolution, FloatConvolution, IntegerConvolution
from .frozen import rounded_trunks
from .layer import TrainLayer, convolution_shape
from .matrix_backend import MatrixBackend
from .recipe import FLOAT, Recipe


class TrainNetwork:
    """All layers of an architecture in training: a graph, `links` says of what kind
    (:class:`dorefa.golden.network.network.Links`).

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
        self.architecture, self.recipe = architecture.sized()[0], recipe
        outline = recipe.outline(architecture)
        self.input_bits, self.links = outline.input_bits, outline.links
        self.layers: list[TrainLayer] = []
        rng = np.random.Generator(np.random.PCG64(recipe.seed))
        evaluator = MatrixBackend(None, keep=False)
        parts = (self.architecture.layers, outline.shapes, self.links, recipe.layer_bits(architecture))
        for index, (spec, shapes, links, bits) in enumerate(zip(*parts, strict=True)):
            layer = TrainLayer(spec, shapes, bits, rng, dtype)
            levels = 1 if bits.reads == FLOAT else links.levels
            convolution: Convolution
            if recipe.in_integers(bits):
                convolution = IntegerConvolution(
                    layer.shape, index, levels, layer.parameters, backend, evaluator
                )
            else:
                convolution = FloatConvolution(
                    spec, bits, index, levels, layer.parameters, recipe.stream_seed, recipe.maximum == "batch"
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
        activations, trunks = {-1: images}, dict[int, np.ndarray]()
        for index, (layer, link) in enumerate(zip(self.layers, self.links, strict=True)):
            added = None if link.add is None else trunks[link.add]
            out, trunk = layer.forward(activations[link.source], step, added)
            if out is not None:
                activations[index] = out
            if link.trunk:
                trunks[index] = trunk
        return activations[len(self.layers) - 1].reshape(len(images), -1)

    def backward(self, gradient: np.ndarray, step: int) -> dict[str, np.ndarray]:
        """Gradients of all parameters from that of the logits of the last training forward, step `step`.

        Those of activations and trunks with several readers add up, that of the last reader first.
        """
        of_activations = {len(self.layers) - 1: gradient.reshape(len(gradient), 1, 1, -1)}
        of_trunks: dict[int, np.ndarray] = {}
        gradients = {}
        for index in range(len(self.layers) - 1, -1, -1):
            layer, link = self.layers[index], self.links[index]
            of_input, of_added, of_layer = layer.backward(
                of_activations.pop(index, None), of_trunks.pop(index, None), step, link.source >= 0
            )
            for name, value in of_layer.items():
                gradients[f"{layer.spec.name}.{name}"] = value
            if of_input is not None:
                shape = self.layers[link.source].out_shape
                _add(of_activations, link.source, of_input.reshape(len(of_input), *shape))
            if link.add is not None:
                _add(of_trunks, link.add, of_added)
        return gradients

    def freeze(self) -> Network:
        """The network for inference, from the present parameters and running statistics: what it computes is
        what `forward` does without a step, up to the rounding of trunks (:mod:`.frozen`) and of float32 sums
        near a tie. InputError where a layer has no form in it, see :meth:`.recipe.Recipe.check_storable`."""
        self.recipe.check_storable(self.architecture)
        layers = [layer.freeze() for layer in self.layers]
        return Network(
            name=self.architecture.name,
            input_shape=self.architecture.input_shape,
            input_bits=self.input_bits,
            layers=tuple(rounded_trunks(self.architecture.layers, layers, self.links)),
        )


def convolution_shapes(architecture: Architecture, recipe: Recipe) -> list[ConvolutionShape]:
    """The convolutions of a step, layer by layer, for networks of which every layer is in integers."""
    sized, shapes = architecture.sized()
    parts = zip(sized.layers, shapes, recipe.layer_bits(architecture), strict=True)
    return [convolution_shape(spec, found.in_shape, bits) for spec, found, bits in parts]


def _add(gradients: dict[int, np.ndarray], index: int, gradient: np.ndarray) -> None:
    """Adds to what number `index` has got."""
    gradients[index] = gradients[index] + gradient if index in gradients else gradient
