"""The float description of a network: what it means is exact arithmetic on these numbers.

A layer computes, in this order: convolution (or fully connected), + bias, batch normalization,
pooling, clip to [0, 1], quantize to `a_bits`. The real value of an input code is
code / (2^input_bits - 1), of an activation code / levels (2^a_bits - 1; times the window where
pooling sums codes). With `rescale` the integers of a residual trunk stand between convolution and
batch normalization. Images are NHWC.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from .. import checks
from ..errors import InputError
from ..reading import shown
from .layer import INPUT, MAX_BITS, Layer
from .quantized_network import QuantizedNetwork
from .shapes import LayerShapes, check_elements, layer_shapes


class Links(NamedTuple):
    """A layer's place in the graph, as positions in `Network.layers`.

    source: the layer whose codes are read, -1 the image; levels: the code of that input that stands
    for 1.0; bits: of its codes. add: the layer whose trunk is added, or None; trunk: whether a
    later layer adds the trunk of this one.
    """

    source: int
    levels: int
    bits: int
    add: int | None
    trunk: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(QuantizedNetwork):
    """Layers in topological order, on images of `input_shape` (H, W, C), codes of `input_bits` bits.

    The last layer gives accumulators, of the classes or of a map. Everything is checked on creation;
    InputError names the layer and the parameter. `shapes` and `links` hold the LayerShapes and the
    Links of every layer.
    """

    layers: tuple[Layer, ...]
    shapes: tuple[LayerShapes, ...] = field(init=False)
    links: tuple[Links, ...] = field(init=False)

    def __post_init__(self) -> None:
        checks.text(self.name, "network name")
        where = f"network {self.name}:"
        shape = checks.integers(self.input_shape, f"{where} input_shape", "HWC", 1)
        check_elements((shape[0], shape[1], shape[2]), f"{where} input_shape is")
        _set(self, "input_shape", shape)
        bits = checks.integer(self.input_bits, f"{where} input_bits", 1, MAX_BITS)
        _set(self, "input_bits", bits)
        _set(self, "layers", tuple(self.layers))
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise InputError(f"{where} layers is {shown(self.layers)}; accepted: one or more Layer")
        name, count = Counter(layer.name for layer in self.layers).most_common(1)[0]
        if count > 1:
            raise InputError(f"layer {name}: the name is used {count} times; accepted: each name once")
        for layer in self.layers[:-1]:
            if layer.a_bits is None and layer.rescale is None:
                raise InputError(f"layer {layer.name}: a_bits is None; accepted before the last layer: 1..8")
        places = {layer.name: index for index, layer in enumerate(self.layers)}
        inputs = [self._input(index, places) for index in range(len(self.layers))]
        sources = [source for source, _ in inputs]
        _set(self, "shapes", self._shapes(sources))
        adds = [self._add(index, places) for index in range(len(self.layers))]
        added = set(adds)
        links = (
            Links(source, levels, levels.bit_length(), adds[index], index in added)
            for index, (source, levels) in enumerate(inputs)
        )
        _set(self, "links", tuple(links))
        self._check_last()
        self._check_used(set(sources), added)

    def _earlier(self, index: int, field: str, places: Mapping[str, int]) -> int:
        """Position of the layer that `field` of layer `index` names; it must come before it. places: of all
        layers, by name."""
        layer = self.layers[index]
        name = getattr(layer, field)
        place = places.get(name)
        if place is None or place >= index:
            reason = "which no layer is called" if place is None else "which does not come before it"
            earlier = [other.name for other in self.layers[:index]]
            raise InputError(
                f"layer {layer.name}: {field} is {shown(name)}, {reason}; accepted: "
                + ", ".join(([INPUT] if field == "source" else []) + earlier)
            )
        return place

    def _input(self, index: int, places: Mapping[str, int]) -> tuple[int, int]:
        """Source and levels of the Links of layer `index`."""
        layer = self.layers[index]
        source = index - 1
        if layer.source is not None:
            source = -1 if layer.source == INPUT else self._earlier(index, "source", places)
        if source < 0:
            return -1, (1 << self.input_bits) - 1
        levels = self.layers[source].levels
        if levels is None:
            raise InputError(
                f"layer {layer.name}: source is {self.layers[source].name!r}, whose a_bits is None; "
                "accepted: a layer with codes (a_bits 1..8)"
            )
        return source, levels

    def _shapes(self, sources: list[int]) -> tuple[LayerShapes, ...]:
        shapes: list[LayerShapes] = []
        for layer, source in zip(self.layers, sources, strict=True):
            before = self.input_shape if source < 0 else shapes[source].out_shape
            shapes.append(layer_shapes(layer, before))
        return tuple(shapes)

    def _add(self, index: int, places: Mapping[str, int]) -> int | None:
        layer = self.layers[index]
        # A layer with `add` has a rescale, see Layer.
        if layer.add is None or layer.rescale is None:
            return None
        where = f"layer {layer.name}: add is {layer.add!r}"
        add = self._earlier(index, "add", places)
        other = self.layers[add]
        if other.rescale is None:
            raise InputError(f"{where}, which has no rescale; accepted: a layer with a trunk")
        shape, expected = self.shapes[add].conv_shape, self.shapes[index].conv_shape
        if shape != expected:
            raise InputError(f"{where}, whose trunk has shape {shape}; accepted: {expected}")
        if other.rescale.scale != layer.rescale.scale:
            raise InputError(
                f"{where}, whose rescale scale is {other.rescale.scale}; "
                f"accepted: {layer.rescale.scale}, as here"
            )
        return add

    def _check_last(self) -> None:
        last = self.layers[-1]
        for name in ("a_bits", "rescale"):
            value = getattr(last, name)
            if value is not None:
                value = value if name == "a_bits" else "given"
                raise InputError(f"layer {last.name}: {name} is {value}; accepted for the last layer: None")

    def _check_used(self, sources: set[int], adds: set[int | None]) -> None:
        for index, layer in enumerate(self.layers[:-1]):
            if layer.a_bits is not None and index not in sources:
                others = ", or a_bits None" if index in adds else ""
                raise InputError(
                    f"layer {layer.name}: no layer reads its codes; "
                    f"accepted: the source of a later layer{others}"
                )
            if layer.a_bits is None and index not in adds:
                raise InputError(
                    f"layer {layer.name}: no layer adds its trunk; accepted: the add of a later layer"
                )

    def __repr__(self) -> str:
        return self._line(layer.a_bits for layer in self.layers)


# The way to normalize a field of a frozen dataclass on creation.
_set = object.__setattr__
