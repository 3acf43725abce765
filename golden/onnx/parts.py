"""Parts of tensors: Slice, Gather and Split of channels, classes, rows and columns."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeVar

import numpy as np

from ..lowering.steps import Affine, Count, Leaky, Step
from .builder import Builder
from .file.graph import MAX_ELEMENTS, Node
from .values.draft import Codes, Dims, Draft, Shape
from .values.quantizers import Constant
from .values.slicing import choices
from .values.tensors import Joined, Sums, sizes
from .values.unit_layers import chosen, identity

Constants = dict[str, Constant]
Item = TypeVar("Item")


def parts(
    node: Node, tensor: Codes | Sums | Joined, builder: Builder, constants: Constants
) -> list[Codes | Sums | Joined]:
    """What a node of PARTS makes of a tensor, one for each of its outputs."""
    length = (1, *sizes(tensor))
    found: list[Codes | Sums | Joined] = []
    for places_of, drops in choices(node, length, constants):
        if 0 in drops:
            node.refuse("takes one image of the batch", "parts of each image")
        part = tensor
        for axis, places in places_of.items():
            if places != list(range(length[axis])):
                part = _along(node, part, axis, places, builder)
        if isinstance(part, Joined):
            found.append(Joined(tuple(replace(one, dims=_without(one.dims, drops)) for one in part.parts)))
        else:
            found.append(replace(part, dims=_without(part.dims, drops)))
    return found


def _without(dims: Dims, drops: tuple[int, ...]) -> Dims:
    return tuple(dim for axis, dim in enumerate(dims, 1) if axis not in drops)


def _along(
    node: Node, tensor: Codes | Sums | Joined, axis: int, places: list[int], builder: Builder
) -> Codes | Sums | Joined:
    """`tensor` with these places only of an axis of the file."""
    if axis == 0:
        node.refuse("takes images of the batch", "parts of each image")
    if isinstance(tensor, Joined):
        return _along_joined(node, tensor, axis, places, builder)
    by_name = dict(zip("HWC", tensor.shape, strict=True))
    names = [name for name in tensor.dims[axis - 1] if by_name[name] > 1]
    if names == ["C"]:
        return chosen_channels(node, tensor, places, builder)
    step = places[1] - places[0] if len(places) > 1 else 1
    if len(names) != 1 or step < 1 or places != list(range(places[0], places[-1] + 1, step)):
        node.refuse(
            f"takes places {places[:4]} of axis {axis} of {(1, *sizes(tensor))}",
            "channels, or rows or columns in order that are equally far apart",
        )
    return cropped(node, tensor, "HW".index(names[0]), places[0], step, len(places), builder)


def _along_joined(node: Node, tensor: Joined, axis: int, places: list[int], builder: Builder) -> Joined:
    """The same of joined maps: of each of them, or of those that have the channels."""
    if tensor.parts[0].dims[axis - 1] != ("C",):
        one = [_along(node, part, axis, places, builder) for part in tensor.parts]
        return Joined(tuple(part for part in one if not isinstance(part, Joined)))
    found: list[Codes | Sums] = []
    ends = np.cumsum([part.shape[2] for part in tensor.parts]).tolist()
    owners = [next(number for number, end in enumerate(ends) if place < end) for place in places]
    for owner, run in groupby(zip(owners, places, strict=True), key=lambda pair: pair[0]):
        part = tensor.parts[owner]
        first = ends[owner] - part.shape[2]
        own = [place - first for _, place in run]
        whole = own == list(range(part.shape[2]))
        found.append(part if whole else chosen_channels(node, part, own, builder))
    return Joined(tuple(found))


def shortened(node: Node, codes: Codes, shape: Shape, builder: Builder) -> Sums:
    """`codes` without their last rows and columns, so that `shape` is left."""
    rows = cropped(node, codes, 0, 0, 1, shape[0], builder)
    return cropped(node, rows, 1, 0, 1, shape[1], builder)


def cropped(
    node: Node, tensor: Codes | Sums, axis: int, first: int, step: int, count: int, builder: Builder
) -> Sums:
    """`tensor` with `count` rows (axis 0) or columns only, `step` apart from `first` on: windows that are
    left out, or, of what is stored, pixels that a layer of weights 1 leaves out."""
    if not isinstance(tensor, Sums) or tensor.pool is not None or tensor.draft.add is not None:
        tensor = identity(node.name, builder.codes(node, tensor), node.position)
    draft = tensor.draft
    stride, padding = list(draft.stride), list(draft.padding)
    padding[axis] -= first * stride[axis]
    stride[axis] *= step
    size = (count - 1) * stride[axis] + draft.reach[axis]
    padding[axis + 2] = size - draft.in_shape[axis] - padding[axis]
    shape = list(tensor.shape)
    shape[axis] = count
    rows, columns, channels = shape
    top, left, bottom, right = padding
    draft = replace(
        draft,
        stride=(stride[0], stride[1]),
        padding=(top, left, bottom, right),
        conv_shape=(rows, columns, channels),
    )
    return replace(tensor, draft=draft, shape=(rows, columns, channels))


def chosen_channels(
    node: Node, tensor: Codes | Sums, places: Sequence[int], builder: Builder
) -> Codes | Sums:
    """`tensor` with these channels only, in this order."""
    most = MAX_ELEMENTS // (math.prod(tensor.shape[:2]) * tensor.shape[2])
    if len(places) > most:
        node.refuse(f"takes {len(places)} channels of {tensor.shape[2]}", f"at most {most} here")
    if isinstance(tensor, Sums) and _can_choose(tensor.draft):
        steps = tuple(_chosen_step(step, places) for step in tensor.steps)
        shape = (*tensor.shape[:2], len(places))
        return replace(tensor, draft=_chosen_draft(tensor.draft, places), steps=steps, shape=shape)
    return chosen(node, builder.codes(node, tensor), places)


def _can_choose(draft: Draft) -> bool:
    """Whether the layer of a draft, and what it adds, can leave out channels: not of channel groups."""
    return all(part.groups == 1 for part in (draft, *draft.added()))


def _chosen_draft(draft: Draft, places: Sequence[int]) -> Draft:
    rounding = draft.rounding
    if rounding is not None:
        rounding = rounding._replace(m=_picked(rounding.m, places), b=_picked(rounding.b, places))
    return replace(
        draft,
        values=draft.values[list(places)],
        conv_shape=(*draft.conv_shape[:2], len(places)),
        rounding=rounding,
        add=None if draft.add is None else _chosen_draft(draft.add, places),
    )


def _chosen_step(step: Step, places: Sequence[int]) -> Step:
    if isinstance(step, Affine):
        return Affine(_picked(step.slope, places), _picked(step.offset, places))
    if isinstance(step, Leaky):
        return Leaky(_picked(step.alpha, places))
    return Count(_picked(step.levels, places)) if isinstance(step, Count) else step


def _picked(items: Sequence[Item], places: Sequence[int]) -> list[Item]:
    return [items[place] for place in places]
