"""Small random architectures: everything that trains, in every combination."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from ..errors import InputError
from ..network.parts import Pool
from ..network.shapes import Shape
from ..random.draws import RawDraws
from ..random.layers import draw_padding
from .architecture import Architecture, LayerSpec

# Multiply-accumulates of a layer for an image that no draw needs to better; draws behind that bound it less.
_ENOUGH = 20_000
_PATIENCE = 1.3
# Inputs of a fully connected layer, each of them a channel group of its weight gradients' job.
_MANY_INPUTS = 200
_CLASSES = 5


def random_architecture(seed: int) -> Architecture:
    """An Architecture of 2 to 12 layers, the same for the same seed, for activations of 1 to 4 bits.

    One or two convolutions in a chain with channel groups, strides, dilation, padding and every pooling;
    then up to two residual blocks, with a stride and a 1x1 shortcut or on the trunk of the block before, some
    of three terms; a fully connected layer for 5 classes. Batch normalization, biases, or both.
    """
    drawn = _Drawn(RawDraws(seed), f"random-{seed}")
    for number in range(drawn.draws.integer(1, 2)):
        drawn.append(partial(drawn.chain, f"conv{number}"))
    for number in range(drawn.draws.integer(0, 2)):
        drawn.block(f"block{number}")
    drawn.classes()
    return drawn.architecture


class _Drawn:
    """Layers so far. `block` reads the codes of the last one."""

    def __init__(self, draws: RawDraws, name: str):
        self.draws, self._name = draws, name
        self._image = (draws.integer(5, 10), draws.integer(5, 10), draws.integer(1, 4))
        self._first_w = draws.pick((None, 1, 2, 8))
        self._input_bits = draws.pick((8, 8, draws.integer(1, 8)))
        self._layers: list[LayerSpec] = []
        # The last trunk, where a block may go on with it: of that layer, of this shape.
        self._trunk: tuple[str, Shape] | None = None

    @property
    def architecture(self) -> Architecture:
        return Architecture(
            name=self._name,
            input_shape=self._image,
            input_bits=self._input_bits,
            layers=tuple(self._layers),
            first_w=self._first_w,
            last_w=8,
        )

    @property
    def _shape(self) -> Shape:
        """Shape of the codes of the last layer."""
        return self.architecture.shapes()[-1].out_shape if self._layers else self._image

    def append(self, draw: Callable[[], LayerSpec]) -> None:
        """Adds what `draw()` gives, drawn again until it fits and is small enough."""
        largest = float(_ENOUGH)
        while True:
            self._layers.append(draw())
            try:
                shapes = self.architecture.shapes()[-1]
            except InputError:
                shapes = None
            if shapes is not None:
                rows, columns, _ = shapes.conv_shape
                weights = self._layers[-1].weights_shape(shapes.in_shape)
                if rows * columns * math.prod(weights) <= largest:
                    return
            self._layers.pop()
            largest *= _PATIENCE

    def chain(self, name: str) -> LayerSpec:
        """A convolution of any kind."""
        draws, depth = self.draws, self._shape[2]
        groups = draws.pick([number for number in (1, 1, 2, 3, 4) if depth % number == 0])
        top, left, bottom, right = (draws.integer(0, 2) for _ in range(4))
        return LayerSpec(
            name=name,
            kind="conv",
            channels=groups * draws.integer(1, 4),
            kernel=(draws.integer(1, 4), draws.integer(1, 4)),
            stride=(draws.pick((1, 1, 2, 3)), draws.pick((1, 1, 2, 3))),
            padding=(top, left, bottom, right),
            dilation=(draws.pick((1, 1, 2)), draws.pick((1, 1, 2))),
            groups=groups,
            **self._behind(),
        )

    def block(self, name: str) -> None:
        """A block: a shortcut, or the trunk that is there; a convolution; the sum of another one with it."""
        draws, before, (height, width, depth) = self.draws, self._layers[-1].name, self._shape
        stride = (draws.pick((1, 1, 2)), draws.pick((1, 1, 2)))
        terms: dict[str, Any] = {"kind": "conv", "channels": depth, "trunk": True}
        if self._trunk is not None and self._trunk[1] == (height, width, depth) and not draws.chance(3):
            added, stride = self._trunk[0], (1, 1)
        else:
            added = f"{name}_shortcut"
            terms["channels"] = depth * (draws.integer(1, 2) if depth <= 8 else 1)
            self._layers.append(LayerSpec(name=added, stride=stride, codes=False, norm=False, **terms))
        if draws.chance(3):
            third = f"{name}_c"
            spec = LayerSpec(
                name=third,
                source=before,
                stride=stride,
                codes=False,
                norm=False,
                bias=True,
                add=added,
                **terms,
            )
            self._layers.append(spec)
            added = third
        inner = draws.integer(1, 3) if depth <= 4 else 1
        self._layers.append(
            LayerSpec(
                name=f"{name}_a",
                kind="conv",
                channels=inner * depth,
                kernel=(3, 3),
                stride=stride,
                padding=(1, 1, 1, 1),
                groups=draws.pick((1, depth)),
                source=before,
            )
        )
        spread = draws.pick((1, 2))
        shape = self._shape
        self.append(
            lambda: LayerSpec(
                name=f"{name}_b",
                kernel=(3, 3),
                padding=(spread,) * 4,
                dilation=(spread, spread),
                add=added,
                **terms,
                **self._behind(),
            )
        )
        # Codes behind a pooling are smaller than the trunk.
        self._trunk = f"{name}_b", (*shape[:2], terms["channels"])

    def classes(self) -> None:
        """The last layer, and in front of it a convolution where it would read much."""
        height, width, depth = self._shape
        if height * width * depth > _MANY_INPUTS:
            kernel = (min(2, height), min(2, width))
            self._layers.append(
                LayerSpec(name="reduce", kind="conv", channels=4, kernel=kernel, stride=(3, 3))
            )
        norm = self.draws.chance(4)
        self._layers.append(LayerSpec(name="fc", kind="fc", channels=_CLASSES, norm=norm, bias=not norm))

    def _behind(self) -> dict[str, Any]:
        """What follows a convolution: batch normalization, a bias or both, and in two of three a pooling."""
        draws = self.draws
        norm = not draws.chance(4)
        fields: dict[str, Any] = {"norm": norm, "bias": not norm or draws.chance(3)}
        kind = draws.pick((None, None, "max", "max", "average", "average_codes"))
        if kind is None:
            return fields
        if kind == "average_codes" and draws.chance(2):
            return fields | {"global_pool": True}
        kernel = (draws.integer(1, 3), draws.integer(1, 3))
        padding = (0, 0, 0, 0)
        if kind == "max" and draws.chance(2):
            padding = draw_padding(draws, kernel)
        stride = (draws.integer(1, 3), draws.integer(1, 3))
        fields["pool"] = Pool(kind=kind, kernel=kernel, stride=stride, padding=padding)
        fields["positive_slopes"] = norm and kind == "max" and draws.chance(3)
        return fields
