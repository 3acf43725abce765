"""What an architecture is: layers as data without widths or weights, for zoo and training."""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .. import checks
from ..errors import InputError
from ..network.geometry import Geometry
from ..network.layer import INPUT, MAX_BITS, Layer
from ..network.network import Network
from ..network.parts import Pool, Rescale
from ..network.shapes import MAX_ELEMENTS, LayerShapes, layer_shapes
from ..reading import shown

MAX_CHANNELS = 1 << 16


@dataclass(frozen=True, kw_only=True)
class LayerSpec(Geometry):
    """One layer: convolution or fully connected, then optional batch normalization and pooling.

    `channels` are output channels. A fully connected layer reads its whole input flattened in height,
    width, channel order; it has no `kernel`.
    `source` and `add` name earlier layers, see Layer. A layer with `trunk` yields integers
    of a residual trunk; without `codes` it yields nothing else. `global_pool` sums the codes of the
    whole map, whatever its size. `positive_slopes`: batch normalization stands behind the pooling
    in the original, and only where no gamma is negative that is the same as in front of it; training
    keeps them so.
    """

    name: str
    kind: str
    channels: int
    kernel: tuple[int, int] = (1, 1)
    pool: Pool | None = None
    norm: bool = True
    bias: bool = False
    source: str | None = None
    add: str | None = None
    trunk: bool = False
    codes: bool = True
    global_pool: bool = False
    positive_slopes: bool = False

    def __post_init__(self) -> None:
        checks.text(self.name, "layer name")
        where = f"layer {self.name}:"
        checks.choice(self.kind, f"{where} kind", ("conv", "fc"))
        checks.integer(self.channels, f"{where} channels", 1, MAX_CHANNELS)
        self._normalize(where)
        if self.pool is not None and not isinstance(self.pool, Pool):
            raise InputError(f"{where} pool is {shown(self.pool)}; accepted: a Pool or None")
        for name in ("norm", "bias", "trunk", "codes", "global_pool", "positive_slopes"):
            checks.flag(getattr(self, name), f"{where} {name}")
        for name in ("source", "add"):
            if getattr(self, name) is not None:
                checks.text(getattr(self, name), f"{where} {name}")
        for name, needs in (("add", self.add is not None), ("codes", not self.codes)):
            if needs and not self.trunk:
                raise InputError(
                    f"{where} {name} is {shown(getattr(self, name))} and trunk False; accepted with it: True"
                )
        if self.norm and not self.codes:
            raise InputError(f"{where} norm is True and codes False; accepted with it: norm False")

    def weights_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int, int]:
        """(Cout, Kh, Kw, Cin / groups) of this layer's weights on an input of `shape` (H, W, C)."""
        inputs = shape[0] * shape[1] * shape[2] if self.kind == "fc" else shape[2] // self.groups
        return (self.channels, *self.kernel, inputs)

    def layer(self, **parameters: Any) -> Layer:
        """The network layer of this geometry; `parameters` are the other fields of `Layer`."""
        return Layer(
            name=self.name,
            kind=self.kind,
            **self.spacing,
            pool=self.pool,
            source=self.source,
            add=self.add,
            **parameters,
        )


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Layers on inputs of `input_shape` (height, width, channels), `input_bits` wide.

    `first_w` and `last_w` are the weight widths of the first and the last layer unless the caller
    chooses others; the layers between have the network's width. None for `input_bits` or `first_w`
    stands for the network's activation or weight width. InputError for what cannot be.
    """

    name: str
    input_shape: tuple[int, int, int]
    input_bits: int | None
    layers: tuple[LayerSpec, ...]
    first_w: int | None
    last_w: int

    def __post_init__(self) -> None:
        checks.text(self.name, "network name")
        where = f"network {self.name}:"
        shape = checks.integers(self.input_shape, f"{where} input_shape", "HWC", 1)
        object.__setattr__(self, "input_shape", shape)
        for name in ("input_bits", "first_w", "last_w"):
            if getattr(self, name) is not None or name == "last_w":
                checks.integer(getattr(self, name), f"{where} {name}", 1, MAX_BITS)
        several = isinstance(self.layers, tuple | list) and len(self.layers) > 0
        if not several or not all(isinstance(spec, LayerSpec) for spec in self.layers):
            raise InputError(f"{where} layers is {shown(self.layers)}; accepted: a tuple of LayerSpec")
        object.__setattr__(self, "layers", tuple(self.layers))

    def weight_bits(self, w_bits: int, first_w: int | None, last_w: int | None) -> list[int]:
        """Weight width of every layer; None stands for the architecture's own first or last."""
        widths = [w_bits] * len(self.layers)
        widths[0] = next(bits for bits in (first_w, self.first_w, w_bits) if bits is not None)
        widths[-1] = self.last_w if last_w is None else last_w
        return widths

    def image_bits(self, a_bits: int) -> int:
        """Width of the image for a network with activations of `a_bits`."""
        return a_bits if self.input_bits is None else self.input_bits

    def activation_bits(self, a_bits: int) -> list[int | None]:
        """Width of every layer's activation, None for the last and those without codes.

        Codes that global pooling sums take the widest width up to a_bits whose sum fits 8 bits, or
        1. For an architecture of one size, see `sized`.
        """
        widths = []
        for spec in self.layers:
            area = spec.pool.area if spec.pool is not None and spec.global_pool else 1
            bits = a_bits
            while bits > 1 and ((1 << bits) - 1) * area > 255:
                bits -= 1
            widths.append(bits if spec.codes and spec is not self.layers[-1] else None)
        return widths

    def shapes(self, size: tuple[int, int] | None = None) -> list[LayerShapes]:
        """Shapes of every layer for images of `size` (height, width); default: the usual size.

        Raises InputError that names the first layer whose kernel or pooling does not fit.
        """
        return self.sized(size)[1]

    def sized(self, size: tuple[int, int] | None = None) -> tuple["Architecture", list[LayerShapes]]:
        """The architecture for images of `size`, global pools sized, and what `shapes` gives."""
        height, width = size or self.input_shape[:2]
        image = (height, width, self.input_shape[2])
        specs, results, elements = [], [], 0
        outputs = {INPUT: image}
        before = INPUT
        for spec in self.layers:
            try:
                shape = _source(spec, outputs, before)
                elements += math.prod(spec.weights_shape(shape))
                if elements > MAX_ELEMENTS:
                    raise InputError(
                        f"layer {spec.name}: {elements} weights up to here; accepted: at most {MAX_ELEMENTS}"
                    )
                found = layer_shapes(_blank(spec, shape), shape)
                if spec.global_pool:
                    pixels = found.conv_shape[:2]
                    pool = Pool(kind="average_codes", kernel=pixels, stride=pixels)
                    spec = replace(spec, pool=pool)
                    found = layer_shapes(_blank(spec, shape), shape)
            except InputError as error:
                raise InputError(f"{self.name} on {height}x{width} images: {error}") from None
            specs.append(spec)
            results.append(found)
            before = spec.name
            outputs[before] = found.out_shape
        return replace(self, input_shape=image, layers=tuple(specs)), results

    def plan(
        self,
        net_w: int,
        net_a: int,
        first_w: int | None = None,
        last_w: int | None = None,
        size: tuple[int, int] | None = None,
    ) -> "Plan":
        """The Plan of these arguments of `catalog.load`, checked."""
        checks.integer(net_a, f"{self.name}: net_a", 1, MAX_BITS)
        checks.integer(net_w, f"{self.name}: net_w", 1, MAX_BITS)
        widths = self.weight_bits(net_w, first_w, last_w)
        for spec, w_bits in zip(self.layers, widths, strict=True):
            checks.integer(w_bits, f"{self.name}: weight bits of layer {spec.name}", 1, MAX_BITS)
        if size is not None:
            height, width = checks.integers(size, f"{self.name}: size", ("height", "width"), 1)
            size = height, width
        sized, shapes = self.sized(size)
        return Plan(sized, sized.image_bits(net_a), widths, sized.activation_bits(net_a), shapes)


class Plan(NamedTuple):
    """A network with everything chosen but the weights.

    architecture: of one size, see Architecture.sized; w_bits, a_bits, shapes: per layer its weight bits,
    activation bits or None, and LayerShapes.
    """

    architecture: Architecture
    input_bits: int
    w_bits: list[int]
    a_bits: list[int | None]
    shapes: list[LayerShapes]

    def outline(self) -> Network:
        """The network but for weights and statistics, which are zero or missing: in no time and no memory."""
        layers = []
        for spec, w_bits, a_bits, shape in zip(
            self.architecture.layers, self.w_bits, self.a_bits, self.shapes, strict=True
        ):
            codes = np.broadcast_to(np.uint8(0), spec.weights_shape(shape.in_shape))
            zeros = np.zeros(spec.channels, np.int64)
            rescale = Rescale(m=zeros, b=zeros, f=0, scale=np.float32(1)) if spec.trunk else None
            layers.append(
                spec.layer(codes=codes, w_bits=w_bits, a_bits=a_bits, scale=np.float32(1), rescale=rescale)
            )
        return Network(
            name=self.architecture.name,
            input_shape=self.architecture.input_shape,
            input_bits=self.input_bits,
            layers=tuple(layers),
        )


def _source(spec: LayerSpec, outputs: dict[str, tuple[int, int, int]], before: str) -> tuple[int, int, int]:
    """Shape (H, W, C) that the layer reads; outputs: of the layers before it, by name."""
    source = spec.source or before
    if source not in outputs:
        raise InputError(
            f"layer {spec.name}: source is {shown(source)}, no layer before it; "
            f"accepted: {', '.join(outputs)}"
        )
    return outputs[source]


def _blank(spec: LayerSpec, shape: tuple[int, int, int]) -> Layer:
    """A layer with the spec's geometry, for its shapes only."""
    codes = np.broadcast_to(np.uint8(0), spec.weights_shape(shape))
    alone = replace(spec, add=None)
    return alone.layer(codes=codes, w_bits=1, scale=np.float32(1), a_bits=1)
