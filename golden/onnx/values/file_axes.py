"""How the axes of the file show a tensor: which one holds what, and in which order its numbers come."""

from dataclasses import replace

import numpy as np

from .draft import Codes, Dims
from .regrouped import Axes, Part, places
from .tensors import Blocks, Joined, Regrouped, Scores, Sums, feature_order


def outline(tensor: Scores) -> Codes | Sums:
    """What has the shape and, but for Regrouped, the axes of `tensor`, and nothing else."""
    if isinstance(tensor, Regrouped):
        return outline(tensor.inner)
    if isinstance(tensor, Joined):
        first, channels = tensor.parts[0], sum(part.shape[2] for part in tensor.parts)
        return replace(first, shape=(*first.shape[:2], channels))
    return tensor.outline if isinstance(tensor, Blocks) else tensor


def file_axes(tensor: Scores) -> Axes:
    """Which parts of a map every axis of the file holds; those of one place are left out."""
    if isinstance(tensor, Regrouped):
        return tensor.axes
    known = outline(tensor)
    length = dict(zip("HWC", known.shape, strict=True))
    return tuple(tuple(Part(name, length[name]) for name in dim if length[name] > 1) for dim in known.dims)


def file_order(tensor: Scores) -> tuple[int, ...] | None:
    """Order of a Result that is `tensor`: None where rows, columns and channels have axes of their own, or
    where there is one pixel."""
    if isinstance(tensor, Regrouped) or (isinstance(tensor, Blocks) and tensor.cut != (0, 0)):
        return _order_of_axes(tensor)
    parts = tensor.parts if isinstance(tensor, Joined) else (outline(tensor),)
    if any(sum(bool(dim) for dim in part.dims) > 1 for part in parts):
        return None
    if all(part.shape[:2] == (1, 1) for part in parts):
        return None
    order: list[int] = []
    for part in parts:
        order += (len(order) + np.argsort(feature_order(part))).tolist()
    return tuple(order)


def _order_of_axes(tensor: Regrouped | Blocks) -> tuple[int, ...]:
    """The order of a vector of the numbers of `tensor`, by the parts of the map that its axes hold."""
    axes = [part for axis in file_axes(tensor) for part in axis]
    rows, columns, channels = (places(axes, name) for name in "HWC")
    height, width, _ = outline(tensor).shape
    inner = tensor.inner
    if isinstance(tensor, Blocks):
        height, width = height + tensor.cut[0], width + tensor.cut[1]
    counts = (
        [part.shape[2] for part in inner.parts] if isinstance(inner, Joined) else [outline(tensor).shape[2]]
    )
    ends = np.cumsum(counts)
    owner = np.searchsorted(ends, channels, side="right")
    first = (ends - counts)[owner]
    # Whole maps of the parts before, then pixels of as many channels as the part has.
    order = height * width * first + (rows * width + columns) * np.array(counts)[owner] + channels - first
    return tuple(order.tolist())


def file_dims(tensor: Scores) -> Dims:
    """Which axis of the file holds what, of Regrouped a part of it."""
    if isinstance(tensor, Regrouped):
        return tuple(tuple(part.name for part in axis) for axis in tensor.axes)
    return outline(tensor).dims


def is_turned(tensor: Scores) -> bool:
    """Whether the columns of a map come before its rows in the file."""
    dims = file_dims(tensor)
    names = [name for dim in dims for name in dim]
    turned = "H" in names and "W" in names and names.index("W") < names.index("H")
    return turned and file_order(tensor) is None


def are_same(tensor: Scores, other: Scores) -> bool:
    """Whether two tensors hold the same values, maybe with other axes."""
    if isinstance(tensor, Regrouped) or isinstance(other, Regrouped):
        inner, other = (one.inner if isinstance(one, Regrouped) else one for one in (tensor, other))
        return are_same(inner, other)
    if isinstance(tensor, Blocks) and isinstance(other, Blocks):
        alike = (tensor.block, tensor.cut) == (other.block, other.cut)
        return alike and are_same(tensor.inner, other.inner)
    if isinstance(tensor, Joined) and isinstance(other, Joined):
        return len(tensor.parts) == len(other.parts) and all(map(are_same, tensor.parts, other.parts))
    if isinstance(tensor, Codes) and isinstance(other, Codes):
        return (tensor.source, tensor.scale, tensor.offset) == (other.source, other.scale, other.offset)
    if isinstance(tensor, Sums) and isinstance(other, Sums):
        return tensor.draft is other.draft and tensor.steps == other.steps and tensor.pool is other.pool
    return False
