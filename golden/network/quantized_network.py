"""What a network has in every form, and the images that it takes."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .. import checks
from ..errors import InputError
from .quantized_layer import QuantizedLayer


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedNetwork:
    """Layers in topological order on images uint8 (H, W, C) of codes below 2^input_bits."""

    name: str
    input_shape: tuple[int, int, int]
    input_bits: int
    layers: tuple[QuantizedLayer, ...]

    @property
    def classes(self) -> int:
        """Number of outputs of the last layer."""
        return self.layers[-1].out_channels

    def _line(self, a_bits: Iterable[int | None]) -> str:
        """As ``Network('digits', 28x28x1 -> 10, 6 layers, W1/8 A2)``, with the widths that occur.

        a_bits: of every layer's quantizer.
        """
        image = "x".join(map(str, self.input_shape))
        count = f"{len(self.layers)} layers" if len(self.layers) > 1 else "1 layer"
        widths = f"W{_joined(layer.w_bits for layer in self.layers)}"
        activations = _joined(bits for bits in a_bits if bits is not None)
        widths += f" A{activations}" if activations else ""
        return f"{type(self).__name__}({self.name!r}, {image} -> {self.classes}, {count}, {widths})"


def check_images(network: QuantizedNetwork, images: np.ndarray) -> None:
    """Refuses images that are not uint8 (batch, *input_shape) of codes below 2^input_bits."""
    if not isinstance(images, np.ndarray):
        raise InputError(f"images is a {type(images).__name__}; accepted: a NumPy uint8 array")
    if images.dtype != np.uint8:
        raise InputError(f"images has dtype {images.dtype}; accepted: uint8")
    if images.ndim != 4 or images.shape[1:] != network.input_shape or not len(images):
        expected = ", ".join(str(size) for size in network.input_shape)
        raise InputError(f"images has shape {images.shape}; accepted: (batch, {expected}), batch at least 1")
    checks.codes(images, "images", network.input_bits)


def _joined(widths: Iterable[int]) -> str:
    return "/".join(map(str, sorted(set(widths))))
