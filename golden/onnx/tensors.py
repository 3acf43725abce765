"""The tensors of an ONNX graph while it is imported, and how their axes lie in the file.

A map has (H, W, C) axes here. `dims` says for every axis of the file after the batch which of
"H", "W" and "C" it holds, in order: NCHW is ("C",), ("H",), ("W",) and its flattened form
("C", "H", "W"),. Axes of size 1 may be missing.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ..lowering.staircase import append
from ..network.parts import Pool
from .constants import target_shape

NCHW = (("C",), ("H",), ("W",))


@dataclass(frozen=True, eq=False)
class Raw:
    """The image in front of its quantizer; sizes: its axes after the batch."""

    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Codes:
    """Integers v that a layer stores (source -1: the image); real value scale * v + offset.

    scale, offset: lists of Fraction per channel; low, high: bounds of v; bits: of a stored code.
    """

    source: int
    scale: list
    offset: list
    low: int
    high: int
    bits: int
    signed: bool
    shape: tuple[int, int, int]
    dims: tuple


@dataclass(frozen=True, eq=False)
class Sums:
    """Values of a layer that is still being read: steps of its integer, and what pools them.

    draft: the Draft of the layer; steps: from its integer to the real value; pool: its Pool, after
    the first `pooled` steps.
    """

    draft: object
    steps: tuple
    shape: tuple[int, int, int]
    dims: tuple
    pool: Pool | None = None
    pooled: int = 0

    def extended(self, *more):
        """With more steps; none in front of the pool merges with one behind it."""
        fixed, steps = self.steps[: self.pooled], self.steps[self.pooled :]
        for step in more:
            steps = append(steps, step)
        return replace(self, steps=(*fixed, *steps))


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
    attributes: dict


@dataclass(frozen=True, eq=False)
class Answer:
    """What follows the scores: classes, probabilities. `scores` is the tensor they come from."""

    scores: object


def sizes(tensor):
    """Sizes of the axes in the file, after the batch."""
    if isinstance(tensor, Raw):
        return tensor.sizes
    by_name = dict(zip("HWC", tensor.shape, strict=True))
    return tuple(math.prod(by_name[name] for name in dim) for dim in tensor.dims)


def move(node, tensor, batch, constants):
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


def _regroup(node, tensor, before, after):
    by_name = dict(zip("HWC", tensor.shape, strict=True))
    names = [name for dim in tensor.dims for name in dim if by_name[name] > 1]
    dims = []
    for size in after[1:]:
        dim = []
        while math.prod(by_name[name] for name in dim) < size and names:
            dim.append(names.pop(0))
        if math.prod(by_name[name] for name in dim) != size:
            node.refuse(f"reshapes {before} to {after}, which splits an axis", "axes joined or kept")
        dims.append(tuple(dim))
    return tuple(dims)


def as_map(node, tensor, channels_last=False):
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
    return tuple(math.prod(by_name[name] for name in dim) for dim in (*spatial, channel))


def relabelled(node, codes, shape, dims):
    """Codes with the (H, W, C) that `as_map` found, which may regroup the same memory."""
    if shape[2] == codes.shape[2]:
        return replace(codes, shape=shape, dims=dims)
    if len(set(zip(codes.scale, codes.offset, strict=True))) != 1:
        node.refuse("reads channels of different scales as pixels", "one scale per tensor")
    return replace(
        codes, scale=codes.scale[:1] * shape[2], offset=codes.offset[:1] * shape[2], shape=shape, dims=dims
    )


def map_dims(rank, channels_last):
    """dims of a map with `rank` axes after the batch."""
    spatial = (("H",), ("W",))[3 - rank :]
    return (*spatial, ("C",)) if channels_last else (("C",), *spatial)


def feature_order(tensor):
    """Per feature of a flattened map in NHWC order, its place in the file's order: int64 (H*W*C,)."""
    by_name = dict(zip("HWC", tensor.shape, strict=True))
    names = [name for dim in tensor.dims for name in dim]
    names += [name for name in "HWC" if name not in names]
    places = np.arange(math.prod(tensor.shape)).reshape([by_name[name] for name in names])
    return places.transpose([names.index(name) for name in "HWC"]).ravel()


def per_channel(node, tensor, array, what):
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
