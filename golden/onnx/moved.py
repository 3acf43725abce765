"""Reshape, Flatten, Transpose, Squeeze and Unsqueeze on what depends on the image.

They only say which axis of the file holds what, unless they make another map: PixelShuffle, PixelUnshuffle
and channel shuffles, as exporters write them.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, overload

from .blocks import deepened, grown
from .file.graph import Node
from .joined import together
from .parts import chosen_channels
from .values.draft import Codes, Dims
from .values.file_axes import file_axes, outline
from .values.layout import target_shape
from .values.quantizers import Constant
from .values.regrouped import Axes, Part, places, resized
from .values.tensors import NCHW, Blocks, Joined, Raw, Regrouped, Scores, Sums, sizes

if TYPE_CHECKING:
    from .operators import State


def moved(node: Node, tensor: Raw | Scores, state: "State") -> Raw | Scores:
    """The tensor after an operator of LAYOUT; Regrouped where its axes are none of a map."""
    tensor = with_axes(node, tensor, state.batch, state.constants)
    if not isinstance(tensor, Regrouped):
        return tensor
    return _gathered(node, tensor, state) or _spread(node, tensor, state) or tensor


@overload
def with_axes(node: Node, tensor: Scores, batch: int, constants: dict[str, Constant]) -> Scores: ...
@overload
def with_axes(
    node: Node, tensor: Raw | Scores, batch: int, constants: dict[str, Constant]
) -> Raw | Scores: ...
def with_axes(node: Node, tensor: Raw | Scores, batch: int, constants: dict[str, Constant]) -> Raw | Scores:
    """`tensor` with the axes that an operator of LAYOUT gives it, and no layer."""
    before = (batch, *sizes(tensor))
    if node.op == "Transpose":
        return _transposed(tensor, [axis - 1 for axis in _order(node, len(before))])
    after = target_shape(node, before, constants)
    if not after or after[0] != batch:
        node.refuse(
            f"gives shape {after}, whose first axis is not the batch of {batch}", "the batch as first axis"
        )
    if isinstance(tensor, Raw):
        return Raw(after[1:])
    if isinstance(tensor, Joined) and len(after) == 2 and _begin_with_channels(tensor):
        # Maps of any sizes, one vector behind the other.
        return Joined(tuple(replace(part, dims=(sum(part.dims, ()),)) for part in tensor.parts))
    problem = f"reshapes {before} to {after}, which splits an axis"
    axes = resized(file_axes(tensor), after[1:]) if _is_one_map(tensor) else None
    if axes is None:
        node.refuse(problem, "axes joined, kept, or cut evenly")
    if isinstance(tensor, Blocks):
        if not _is_whole(tensor, axes):
            node.refuse(f"{problem} of what grew by blocks", "axes joined or kept")
        return _labelled(tensor, _names(axes))
    return _plain(tensor.inner if isinstance(tensor, Regrouped) else tensor, axes)


def _transposed(tensor: Raw | Scores, order: Sequence[int]) -> Raw | Scores:
    """`tensor` with its axes after the batch in this order."""
    if isinstance(tensor, Raw):
        return Raw(tuple(tensor.sizes[axis] for axis in order))
    if isinstance(tensor, Regrouped):
        return _plain(tensor.inner, tuple(tensor.axes[axis] for axis in order))
    if isinstance(tensor, Joined):
        parts = (replace(part, dims=tuple(part.dims[axis] for axis in order)) for part in tensor.parts)
        return Joined(tuple(parts))
    return _labelled(tensor, tuple(outline(tensor).dims[axis] for axis in order))


def _order(node: Node, rank: int) -> tuple[int, ...]:
    """The axes of a Transpose behind the batch, in order."""
    perm = node.integers("perm") or tuple(reversed(range(rank)))
    if sorted(perm) != list(range(rank)):
        node.refuse(f"perm is {perm}", f"an order of the {rank} axes")
    if perm[0] != 0:
        node.refuse(f"perm is {perm}, which moves the batch", "the batch as first axis")
    return perm[1:]


def _is_one_map(tensor: Scores) -> bool:
    """Whether `tensor` has the rows and columns of one map in one order, which joined ones may not have."""
    if not isinstance(tensor, Joined):
        return True
    orders = {tuple(_without_channels(names) for names in _names(file_axes(part))) for part in tensor.parts}
    return len(orders) == len({part.shape[:2] for part in tensor.parts}) == 1


def _without_channels(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name != "C")


def _begin_with_channels(tensor: Joined) -> bool:
    """Whether the channels of joined maps are the slowest of their axes: one map lies behind another."""
    return all(names[:1] in ([], ["C"]) for names in map(_long_names, tensor.parts))


def _long_names(part: Codes | Sums) -> list[str]:
    return [name for names in _names(file_axes(part)) for name in names]


def _lengths(tensor: Scores) -> dict[str, int]:
    """How many rows, columns and channels a map has, by their name."""
    return dict(zip("HWC", outline(tensor).shape, strict=True))


@overload
def _labelled(tensor: Codes | Sums, dims: Dims) -> Codes | Sums: ...
@overload
def _labelled(tensor: Codes | Sums | Joined | Blocks, dims: Dims) -> Codes | Sums | Joined | Blocks: ...
def _labelled(tensor: Codes | Sums | Joined | Blocks, dims: Dims) -> Codes | Sums | Joined | Blocks:
    """`tensor` with these axes."""
    if isinstance(tensor, Joined):
        return Joined(tuple(replace(part, dims=dims) for part in tensor.parts))
    if isinstance(tensor, Blocks):
        return replace(tensor, inner=replace(tensor.inner, dims=dims))
    return replace(tensor, dims=dims)


def _plain(tensor: Codes | Sums | Joined, axes: Axes) -> Scores:
    """`tensor` with these axes, Regrouped where they are none of a map."""
    dims = _names(axes)
    # Channels that are not the slowest lie between those of another map.
    mixed = isinstance(tensor, Joined) and any("C" in names[1:] for names in dims)
    return _labelled(tensor, dims) if _is_whole(tensor, axes) and not mixed else Regrouped(tensor, axes)


def _is_whole(tensor: Scores, axes: Axes) -> bool:
    lengths = _lengths(tensor)
    return all(part.size == lengths[part.name] for axis in axes for part in axis)


def _names(axes: Axes) -> Dims:
    return tuple(tuple(part.name for part in axis) for axis in axes)


def _gathered(node: Node, tensor: Regrouped, state: "State") -> Sums | Codes | None:
    """The map whose channels are those of `tensor` in another order, or those of the pixels of a block too
    (PixelUnshuffle); None where it is none."""
    parts = [part for axis in tensor.axes for part in axis]
    # The slowest part of an axis is one of its places in so many.
    outer = {}
    for name in "HW":
        own = [part for part in parts if part.name == name]
        if own:
            outer[name] = max(own, key=lambda part: part.stride)
    block = [outer[name].stride if name in outer else 1 for name in "HW"]
    channels = [part for part in parts if part not in outer.values()]
    dims = _with_run(tensor.axes, channels)
    if dims is None:
        return None
    of_run = [places(channels, name) for name in "CHW"]
    inner = _one(node, tensor.inner, state)
    if block == [1, 1]:
        return _labelled(chosen_channels(node, inner, of_run[0].tolist(), state.builder), dims)
    codes = replace(state.builder.codes(node, inner), dims=NCHW)
    return replace(deepened(node, codes, (block[0], block[1]), of_run), dims=dims)


def _with_run(axes: Axes, run: Sequence[Part]) -> Dims | None:
    """The names of the axes with "C" in place of `run`; None where that does not lie in one axis as it is."""
    for place, axis in enumerate(axes):
        first = axis.index(run[0]) if run[0] in axis else -1
        if first >= 0 and list(axis[first : first + len(run)]) == list(run):
            names = _names((axis[:first], axis[first + len(run) :]))
            joined = (*names[0], "C", *names[1])
            return (*_names(axes[:place]), joined, *_names(axes[place + 1 :]))
    return None


def _spread(node: Node, tensor: Regrouped, state: "State") -> Codes | Sums | Blocks | None:
    """The map to whose pixels channels of `tensor` went (PixelShuffle); None where it is none."""
    lengths = _lengths(tensor)
    behind: dict[str, list[Part]] = {"H": [], "W": [], "C": []}
    runs, dims = 0, list[tuple[str, ...]]()
    for axis in tensor.axes:
        last, names = "C", list[str]()
        for part in axis:
            if part.name == "C":
                if last == "C" and not names:
                    runs += 1
                    names.append("C")
                behind[last].append(part)
            elif part.size != lengths[part.name]:
                return None
            else:
                last = part.name
                names.append(last)
        dims.append(tuple(names))
    if runs > 1:
        return None
    rows, columns, rest = (places(behind[name], "C") for name in "HWC")
    order = (rows[:, None, None] + columns[:, None] + rest).ravel().tolist()
    inner = replace(_one(node, tensor.inner, state), dims=tuple(dims))
    return grown(node, inner, order, (len(rows), len(columns)), state)


def _one(node: Node, tensor: Codes | Sums | Joined, state: "State") -> Codes | Sums:
    return together(node, tensor, state.builder) if isinstance(tensor, Joined) else tensor
