"""Network architectures as data: layers without widths or weights, for zoo and training."""

from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .network import Layer, Pool
from .shapes import LayerShapes, layer_shapes


@dataclass(frozen=True, kw_only=True)
class LayerSpec:
    """One layer: convolution or fully connected, then optional batch normalization and pooling.

    `channels` are output channels, `padding` is (top, left, bottom, right). A fully connected
    layer reads its whole input flattened in height, width, channel order; it has no `kernel`.
    """

    name: str
    kind: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    pool: Pool | None = None
    norm: bool = True
    bias: bool = False

    def weights_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int, int]:
        """(Cout, Kh, Kw, Cin) of this layer's weights on an input of `shape` (H, W, C)."""
        inputs = shape[0] * shape[1] * shape[2] if self.kind == "fc" else shape[2]
        return (self.channels, *self.kernel, inputs)

    def layer(self, **parameters) -> Layer:
        """The network layer of this geometry; `parameters` are the other fields of `Layer`."""
        return Layer(
            name=self.name,
            kind=self.kind,
            stride=self.stride,
            padding=self.padding,
            pool=self.pool,
            **parameters,
        )


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A chain of layers on images of `input_shape` (height, width, channels), `input_bits` wide.

    `first_w` and `last_w` are the weight widths of the first and the last layer unless the caller
    chooses others; the layers between have the network's width.
    """

    name: str
    input_shape: tuple[int, int, int]
    input_bits: int
    layers: tuple[LayerSpec, ...]
    first_w: int
    last_w: int

    def weight_bits(self, w_bits: int, first_w: int | None, last_w: int | None) -> list[int]:
        """Weight width of every layer; None stands for the architecture's own first or last."""
        widths = [w_bits] * len(self.layers)
        widths[0] = self.first_w if first_w is None else first_w
        widths[-1] = self.last_w if last_w is None else last_w
        return widths

    def shapes(self, size: tuple[int, int] | None = None) -> list[LayerShapes]:
        """Shapes of every layer for images of `size` (height, width); default: the usual size.

        Raises InputError that names the first layer whose kernel or pooling does not fit.
        """
        height, width = size or self.input_shape[:2]
        shape = (height, width, self.input_shape[2])
        result = []
        for spec in self.layers:
            codes = np.zeros(spec.weights_shape(shape), np.uint8)
            blank = spec.layer(codes=codes, w_bits=1, scale=np.float32(1), a_bits=1)
            try:
                result.append(layer_shapes(blank, shape))
            except InputError as error:
                raise InputError(f"{self.name} on {height}x{width} images: {error}") from None
            shape = result[-1].out_shape
        return result


_HALVE = Pool(kind="max", kernel=(2, 2), stride=(2, 2))
_SAME = (1, 1, 1, 1)

DIGITS = Architecture(
    name="digits",
    input_shape=(28, 28, 1),
    input_bits=8,
    layers=(
        LayerSpec(name="conv0", kind="conv", channels=16, kernel=(5, 5), pool=_HALVE),
        LayerSpec(name="conv1", kind="conv", channels=32, kernel=(3, 3), padding=_SAME),
        LayerSpec(
            name="conv2", kind="conv", channels=32, kernel=(3, 3), padding=_SAME, pool=_HALVE
        ),
        LayerSpec(name="conv3", kind="conv", channels=64, kernel=(3, 3)),
        LayerSpec(name="conv4", kind="conv", channels=128, kernel=(4, 4)),
        LayerSpec(name="fc1", kind="fc", channels=10, norm=False, bias=True),
    ),
    first_w=1,
    last_w=8,
)

ARCHITECTURES = {architecture.name: architecture for architecture in (DIGITS,)}


def find(name: str) -> Architecture:
    """The architecture called `name`. Raises InputError that lists the known names."""
    if name not in ARCHITECTURES:
        raise InputError(f"network {name!r} is not in the zoo; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
