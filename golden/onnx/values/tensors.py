"""The tensors of an ONNX graph while it is imported, and how their axes lie in the file.

A map has (H, W, C) axes here. `dims` says for every axis of the file after the batch which of
"H", "W" and "C" it holds, in order: NCHW is ("C",), ("H",), ("W",) and its flattened form
("C", "H", "W"),. Axes of size 1 may be missing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import overload

import numpy as np

from ...lowering.staircase import append
from ...lowering.steps import Affine, Step
from ...network.encoding import Encoding
from ...network.parts import Pool
from ..file.graph import MAX_MADE, Node
from .draft import Codes, Dims, Draft, Shape
from .layout import target_shape
from .quantizers import Constant

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
    a `block` (rows, columns) of it; the axes in the file are the same."""

    inner: Codes | Sums
    block: tuple[int, int]

    @property
    def shape(self) -> Shape:
        """(H, W, C) of the map."""
        (height, width, channels), (rows, columns) = self.inner.shape, self.block
        return height * rows, width * columns, channels // (rows * columns)

    @property
    def outline(self) -> Codes | Sums:
        """What has the shape and the axes of the map, and nothing else."""
        return replace(self.inner, shape=self.shape)


@dataclass(frozen=True, eq=False)
class Answer:
    """What follows the scores: probabilities, classes.

    scores: the tensor they come from; values: the same with the axes of the probabilities, one for each class
    and in their order, None for classes.
    """

    scores: Codes | Sums | Joined | Blocks
    values: Codes | Sums | Joined | Blocks | None


def identity(name: str, codes: Codes, position: int) -> Sums:
    """Sums that are the real values of `codes`: a depthwise layer of weights 1."""
    channels = codes.shape[2]
    draft = Draft(
        name=name,
        kind="conv",
        values=np.ones((channels, 1, 1, 1), np.int64),
        w_bits=1,
        encoding=Encoding.BIPOLAR,
        inputs=codes,
        in_shape=codes.shape,
        conv_shape=codes.shape,
        groups=channels,
        position=position,
    )
    return Sums(draft, (codes.affine,), codes.shape, codes.dims)


def chosen(node: Node, codes: Codes, places: Sequence[int]) -> Sums:
    """Sums that are the real values of these channels of `codes`: a layer of weights 0 and 1 for a node."""
    if len(places) * codes.shape[2] > MAX_MADE:
        node.refuse(
            f"takes {len(places)} channels of {codes.shape[2]}", f"at most {MAX_MADE} weights of 0 and 1"
        )
    values = np.zeros((len(places), 1, 1, codes.shape[2]), np.int64)
    values[range(len(places)), 0, 0, list(places)] = 1
    shape = (*codes.shape[:2], len(places))
    draft = Draft(
        name=node.name,
        kind="conv",
        values=values,
        w_bits=1,
        encoding=Encoding.UNSIGNED,
        inputs=codes,
        in_shape=codes.shape,
        conv_shape=shape,
        position=node.position,
    )
    scale, offset = ([numbers[place] for place in places] for numbers in (codes.scale, codes.offset))
    return Sums(draft, (Affine(scale, offset),), shape, codes.dims)


# Whatever depends on the image.
Tensor = Raw | Codes | Sums | Padded | Patches | Answer | Joined | Blocks


def sizes(tensor: Raw | Codes | Sums | Joined | Blocks) -> tuple[int, ...]:
    """Sizes of the axes in the file, after the batch."""
    if isinstance(tensor, Raw):
        return tensor.sizes
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


@overload
def move(node: Node, tensor: Codes | Sums, batch: int, constants: dict[str, Constant]) -> Codes | Sums: ...
@overload
def move(
    node: Node, tensor: Raw | Codes | Sums, batch: int, constants: dict[str, Constant]
) -> Raw | Codes | Sums: ...
def move(
    node: Node, tensor: Raw | Codes | Sums, batch: int, constants: dict[str, Constant]
) -> Raw | Codes | Sums:
    """The tensor after Reshape, Flatten, Transpose, Squeeze or Unsqueeze."""
    before = (batch, *sizes(tensor))
    if node.op == "Transpose":
        perm = node.integers("perm") or tuple(reversed(range(len(before))))
        if sorted(perm) != list(range(len(before))):
            node.refuse(f"perm is {perm}", f"an order of the {len(before)} axes")
        if perm[0] != 0:
            node.refuse(f"perm is {perm}, which moves the batch", "the batch as first axis")
        if isinstance(tensor, Raw):
            return Raw(tuple(tensor.sizes[axis - 1] for axis in perm[1:]))
        return replace(tensor, dims=tuple(tensor.dims[axis - 1] for axis in perm[1:]))
    after = target_shape(node, before, constants)
    if not after or after[0] != batch:
        node.refuse(
            f"gives shape {after}, whose first axis is not the batch of {batch}", "the batch as first axis"
        )
    if isinstance(tensor, Raw):
        return Raw(after[1:])
    return replace(tensor, dims=_regroup(node, tensor, before, after))


def _regroup(node: Node, tensor: Codes | Sums, before: tuple[int, ...], after: tuple[int, ...]) -> Dims:
    """dims after a reshape from the sizes `before` to `after`."""
    by_name = dict(zip("HWC", tensor.shape, strict=True))
    names = [name for dim in tensor.dims for name in dim if by_name[name] > 1]
    dims: list[tuple[str, ...]] = []
    for size in after[1:]:
        dim: list[str] = []
        while math.prod(by_name[name] for name in dim) < size and names:
            dim.append(names.pop(0))
        if math.prod(by_name[name] for name in dim) != size:
            node.refuse(f"reshapes {before} to {after}, which splits an axis", "axes joined or kept")
        dims.append(tuple(dim))
    return tuple(dims)


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


def file_order(tensor: Codes | Sums | Joined | Blocks) -> tuple[int, ...] | None:
    """Order of a Result that is `tensor`: None where rows, columns and channels have axes of their own, or
    where there is one pixel."""
    if isinstance(tensor, Joined):
        first, channels = tensor.parts[0], sum(part.shape[2] for part in tensor.parts)
        tensor = replace(first, shape=(*first.shape[:2], channels))
    elif isinstance(tensor, Blocks):
        tensor = tensor.outline
    long = [dim for dim in tensor.dims if dim]
    if len(long) > 1 or tensor.shape[:2] == (1, 1):
        return None
    return tuple(np.argsort(feature_order(tensor)).tolist())


def file_dims(tensor: Codes | Sums | Joined | Blocks) -> Dims:
    """Which axis of the file holds what."""
    if isinstance(tensor, Joined):
        return tensor.parts[0].dims
    return tensor.inner.dims if isinstance(tensor, Blocks) else tensor.dims


def is_turned(tensor: Codes | Sums | Joined | Blocks) -> bool:
    """Whether the columns of a map come before its rows in the file."""
    dims = file_dims(tensor)
    names = [name for dim in dims for name in dim]
    turned = "H" in names and "W" in names and names.index("W") < names.index("H")
    return turned and file_order(tensor) is None


def are_same(tensor: Codes | Sums | Joined | Blocks, other: Codes | Sums | Joined | Blocks) -> bool:
    """Whether two tensors hold the same values, maybe with other axes."""
    if isinstance(tensor, Blocks) and isinstance(other, Blocks):
        return tensor.block == other.block and are_same(tensor.inner, other.inner)
    if isinstance(tensor, Joined) and isinstance(other, Joined):
        return len(tensor.parts) == len(other.parts) and all(map(are_same, tensor.parts, other.parts))
    if isinstance(tensor, Codes) and isinstance(other, Codes):
        return (tensor.source, tensor.scale, tensor.offset) == (other.source, other.scale, other.offset)
    if isinstance(tensor, Sums) and isinstance(other, Sums):
        return tensor.draft is other.draft and tensor.steps == other.steps and tensor.pool is other.pool
    return False


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
