"""The tensors of an ONNX graph while it is imported, and how their axes lie in the file.

A map has (H, W, C) axes here. `dims` says for every axis of the file after the batch which of
"H", "W" and "C" it holds, in order: NCHW is ("C",), ("H",), ("W",) and its flattened form
("C", "H", "W"),. Axes of size 1 may be missing.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ...lowering.staircase import append
from ...lowering.steps import Affine, Step
from ...network.parts import Pool
from ..file.graph import Node
from .draft import Codes, Dims, Draft, Shape
from .regrouped import Axes, length

NCHW = (("C",), ("H",), ("W",))


@dataclass(frozen=True, eq=False)
class Raw:
    """The image in front of its quantizer; sizes: its axes after the batch."""

    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Sums:
    """Values of a layer that is still being read: steps of its integer, and what pools them.

    draft: the Draft of the layer; steps: from its integer to the real value; pool: its Pool, after
    the first `pooled` steps; zero: the value that gets the code 0 if it can, where it is stored.
    """

    draft: Draft
    steps: tuple[Step, ...]
    shape: Shape
    dims: Dims
    pool: Pool | None = None
    pooled: int = 0
    zero: int = 0

    def extended(self, *more: Step) -> "Sums":
        """With more steps, and 0 as `zero`; none in front of the pool merges with one behind it."""
        fixed, steps = self.steps[: self.pooled], self.steps[self.pooled :]
        for step in more:
            steps = append(steps, step)
        return replace(self, steps=(*fixed, *steps), zero=0)

    @property
    def linear(self) -> Affine | None:
        """The one affine step that the values are; None if they are pooled, bent or rounded."""
        first = self.steps[0]
        return first if self.pool is None and len(self.steps) == 1 and isinstance(first, Affine) else None


@dataclass(frozen=True, eq=False)
class Padded:
    """Codes behind a Pad node, for the convolution that reads them; padding: of the Pad node."""

    codes: Codes
    padding: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Patches:
    """Codes behind Im2Col, for the product that reads them; attributes: those of the convolution."""

    codes: Codes
    kernel: tuple[int, int]
    attributes: dict[str, tuple[int, ...] | int]


@dataclass(frozen=True, eq=False)
class Joined:
    """Maps side by side along the channels, in order: of equal rows, columns and axes."""

    parts: tuple[Codes | Sums, ...]


@dataclass(frozen=True, eq=False)
class Blocks:
    """A map that is larger than `inner`: the channels of a pixel of `inner` are, row after row, the pixels of
    a `block` (rows, columns) of it; the axes in the file are the same.

    cut: how many of its last rows and columns are left out.
    """

    inner: Codes | Sums
    block: tuple[int, int]
    cut: tuple[int, int] = (0, 0)

    @property
    def shape(self) -> Shape:
        """(H, W, C) of the map."""
        (height, width, channels), (rows, columns) = self.inner.shape, self.block
        return height * rows - self.cut[0], width * columns - self.cut[1], channels // (rows * columns)

    @property
    def outline(self) -> Codes | Sums:
        """What has the shape and the axes of the map, and nothing else."""
        return replace(self.inner, shape=self.shape)


@dataclass(frozen=True, eq=False)
class Regrouped:
    """A map whose rows, columns or channels lie on several axes of the file: `axes`, not those of `inner`."""

    inner: Codes | Sums | Joined
    axes: Axes


# What the scores of a network may be.
Scores = Codes | Sums | Joined | Blocks | Regrouped


@dataclass(frozen=True, eq=False)
class Answer:
    """What follows the scores: probabilities, classes.

    scores: the tensor they come from; values: the same with the axes of the probabilities, one for each class
    and in their order, None for classes.
    """

    scores: Scores
    values: Scores | None


# Whatever depends on the image.
Tensor = Raw | Padded | Patches | Answer | Scores


def sizes(tensor: Raw | Scores) -> tuple[int, ...]:
    """Sizes of the axes in the file, after the batch."""
    if isinstance(tensor, Raw):
        return tensor.sizes
    if isinstance(tensor, Regrouped):
        return tuple(map(length, tensor.axes))
    if isinstance(tensor, Blocks):
        tensor = tensor.outline
    if isinstance(tensor, Joined):
        lengths, place = [sizes(part) for part in tensor.parts], channel_place(tensor.parts[0])
        total = sum(length[place] for length in lengths)
        return (*lengths[0][:place], total, *lengths[0][place + 1 :])
    by_name = dict(zip("HWC", tensor.shape, strict=True))
    return tuple(math.prod(by_name[name] for name in dim) for dim in tensor.dims)


def channel_place(part: Codes | Sums) -> int:
    """Which of the axes after the batch holds the channels of a part of joined maps; the first one where no
    axis does, as of one channel."""
    return next((place for place, dim in enumerate(part.dims) if "C" in dim), 0)


def as_map(node: Node, tensor: Codes | Sums, channels_last: bool = False) -> Shape:
    """(H, W, C) as the operator sees the tensor, its axes NCHW or NHWC, or NCW or NWC.

    Whatever has the same order in memory is the same map: (C, W) is (C, 1, W).
    """
    dims = tensor.dims
    if not 1 <= len(dims) <= 3:
        node.refuse(f"reads {len(dims) + 1} axes", "2 to 4, the batch first")
    spatial, channel = (dims[:-1], dims[-1]) if channels_last else (dims[1:], dims[0])
    spatial = ((),) * (2 - len(spatial)) + tuple(spatial)
    by_name = dict(zip("HWC", tensor.shape, strict=True))
    order = [name for dim in (*spatial, channel) for name in dim if by_name[name] > 1]
    if order != [name for name in "HWC" if by_name[name] > 1]:
        node.refuse(
            f"reads the axes in the order {''.join(order)}",
            "channels where the operator expects them, rows before columns",
        )
    rows, columns, channels = (math.prod(by_name[name] for name in dim) for dim in (*spatial, channel))
    return rows, columns, channels


def relabelled(node: Node, codes: Codes, shape: Shape, dims: Dims) -> Codes:
    """Codes with the (H, W, C) that `as_map` found, which may regroup the same memory."""
    if shape[2] == codes.shape[2]:
        return replace(codes, shape=shape, dims=dims)
    if len(set(zip(codes.scale, codes.offset, strict=True))) != 1:
        node.refuse("reads channels of different scales as pixels", "one scale per tensor")
    return replace(
        codes, scale=codes.scale[:1] * shape[2], offset=codes.offset[:1] * shape[2], shape=shape, dims=dims
    )


def map_dims(rank: int, channels_last: bool) -> Dims:
    """dims of a map with `rank` axes after the batch."""
    spatial = (("H",), ("W",))[3 - rank :]
    return (*spatial, ("C",)) if channels_last else (("C",), *spatial)


def feature_order(tensor: Codes | Sums) -> np.ndarray:
    """Per feature of a flattened map in NHWC order, its place in the file's order: int64 (H*W*C,)."""
    by_name = dict(zip("HWC", tensor.shape, strict=True))
    names = [name for dim in tensor.dims for name in dim]
    names += [name for name in "HWC" if name not in names]
    places = np.arange(math.prod(tensor.shape)).reshape([by_name[name] for name in names])
    return places.transpose([names.index(name) for name in "HWC"]).ravel()


def per_channel(node: Node, tensor: Codes | Sums, array: np.ndarray, what: str) -> list[Fraction]:
    """A constant that meets `tensor` in an elementwise operator: Fractions per channel."""
    channels = tensor.shape[2]
    if not np.isfinite(array).all():
        node.refuse(f"{what} is not finite", "finite numbers")
    if array.size == 1:
        return [Fraction(array.item())] * channels
    full = (1, *sizes(tensor))
    try:
        spread = np.broadcast_to(array, full)
    except ValueError:
        node.refuse(f"{what} has shape {array.shape} on a tensor of {full}", "a shape that broadcasts to it")
    values = spread.reshape(-1)[feature_order(tensor)].reshape(-1, channels)
    if (values != values[0]).any():
        node.refuse(f"{what} differs between pixels", "one number, or one per channel")
    return [Fraction(value) for value in values[0].tolist()]
