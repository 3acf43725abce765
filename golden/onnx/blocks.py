"""Maps that grow or shrink by blocks: DepthToSpace, SpaceToDepth, Resize and Upsample.

Until a layer stores them, maps that grew are Blocks: a map with the pixels of a block as its channels, on
which every operator on elements acts as it is.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..lowering.staircase import split
from .constants import map_constant
from .file.graph import MAX_ELEMENTS, MAX_MADE, Node
from .linear import convolution, pair
from .parts import chosen_channels
from .values.draft import Codes
from .values.quantizers import Constant, Grid
from .values.resizing import whole_factors
from .values.tensors import Blocks, Sums, as_map, channel_place, map_dims, relabelled, sizes

if TYPE_CHECKING:
    from .operators import State

# What makes maps of other sizes.
RESIZING = ("DepthToSpace", "SpaceToDepth", "Resize", "Upsample")
_WEIGHTS = "weights of the blocks"


def depth_to_space(node: Node, tensor: Codes | Sums, state: "State") -> Codes | Sums | Blocks:
    """DepthToSpace: the channels of a pixel become the pixels of a block."""
    size = node.integer("blocksize")
    tensor = _map(node, tensor, state)
    channels = tensor.shape[2]
    if size < 1 or channels % size**2:
        node.refuse(f"blocksize is {size} of {channels} channels", "one whose square divides the channels")
    order = np.arange(channels).reshape(size**2, -1)
    if _by_channel(node):
        order = order.reshape(-1, size**2).T
    return grown(node, tensor, order.ravel().tolist(), (size, size), state)


def space_to_depth(node: Node, tensor: Codes | Sums, state: "State") -> Sums:
    """SpaceToDepth: a layer that takes the pixels of a block as its channels."""
    size = node.integer("blocksize")
    codes = state.stored(node, tensor)
    height, width, channels = as_map(node, codes)
    if size < 1 or height % size or width % size:
        node.refuse(f"blocksize is {size} of {height}x{width} pixels", "one that divides rows and columns")
    if _by_channel(node):
        channel, row, column = np.indices((channels, size, size)).reshape(3, -1)
    else:
        row, column, channel = np.indices((size, size, channels)).reshape(3, -1)
    return deepened(node, codes, (size, size), [channel, row, column])


def deepened(node: Node, codes: Codes, block: tuple[int, int], places: Sequence[np.ndarray]) -> Sums:
    """A layer that takes the pixels of every `block` (rows, columns) of a map as its channels.

    places: of each of these the channel, and the row and column in the block.
    """
    count = len(places[0])
    if count**2 > MAX_MADE:
        node.refuse(f"makes {count} channels", f"at most {math.isqrt(MAX_MADE)}")
    weights = np.zeros((count, count // math.prod(block), *block))
    weights[(np.arange(count), *places)] = 1
    grid = Grid(weights.astype(np.int64), np.broadcast_to(np.float64(1), weights.shape), 1)
    attributes = {"kernel_shape": block, "strides": block, "group": 1}
    plain = replace(node, op="Conv", inputs=(node.inputs[0], _WEIGHTS), attributes=attributes)
    return convolution(plain, codes, {_WEIGHTS: Constant(weights, grid)})


def _by_channel(node: Node) -> bool:
    """Whether the places of a block are counted within each channel, not outside of the channels."""
    # Older versions have one way.
    mode = node.attributes.get("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        node.refuse(f"mode is {mode!r}", "DCR or CRD")
    return bool(mode == "CRD")


def resize(node: Node, tensor: Codes | Sums, state: "State") -> Codes | Sums | Blocks:
    """Resize and Upsample by whole factors: every pixel becomes a block of equal ones."""
    last = tensor.dims == map_dims(3, True)
    tensor = tensor if last else _map(node, tensor, state)
    shape, channels = (state.batch, *sizes(tensor)), 3 if last else 1
    factors = whole_factors(node, shape, channels, state.constants)
    block = pair([factor for axis, factor in enumerate(factors) if axis not in (0, channels)])
    elements = math.prod((*tensor.shape, *block))
    if elements > MAX_ELEMENTS:
        node.refuse(f"makes a map of {elements} elements", f"at most {MAX_ELEMENTS}")
    if isinstance(tensor, Sums) and block != (1, 1) and split(tensor.steps) is not None:
        # To take channels several times is a smaller layer than to compute them several times.
        tensor = state.stored(node, tensor)
    return grown(node, tensor, list(range(tensor.shape[2])) * math.prod(block), block, state)


def _map(node: Node, tensor: Codes | Sums, state: "State") -> Codes | Sums:
    """`tensor` with the axes that the operator sees: channels, rows and columns."""
    shape, dims = as_map(node, tensor), map_dims(len(tensor.dims), False)
    if len(tensor.dims) < 2:
        node.refuse("reads 2 axes", "3 or 4, the batch first")
    if shape == tensor.shape:
        return replace(tensor, dims=dims)
    return relabelled(node, state.stored(node, tensor), shape, dims)


def grown(
    node: Node, tensor: Codes | Sums, places: list[int], block: tuple[int, int], state: "State"
) -> Codes | Sums | Blocks:
    """Blocks of these channels of `tensor`."""
    if block == (1, 1):
        return tensor
    if places != list(range(tensor.shape[2])):
        tensor = chosen_channels(node, tensor, places, state.builder)
    return Blocks(tensor, block)


def repeated(
    node: Node, tensor: Blocks, constants: dict[str, Constant], first_axis: bool
) -> dict[str, Constant]:
    """Constants with those of a node on elements as the channels of Blocks have them; first_axis: whether
    the first axis of its parameters is that of the channels."""
    own = dict(constants)
    count, dims, place = math.prod(tensor.block), tensor.inner.dims, channel_place(tensor.inner)
    channels = tensor.inner.shape[2] // count
    places = np.tile(np.arange(channels), count)
    for name in node.inputs:
        constant = constants.get(name)
        if constant is None or not constant.array.ndim:
            continue
        axis = 0 if first_axis else constant.array.ndim - len(dims) + place
        if not 0 <= axis < constant.array.ndim or constant.array.shape[axis] == 1:
            continue
        if constant.array.shape[axis] != channels or dims[place] != ("C",):
            node.refuse(
                f"has parameters of shape {constant.array.shape}", f"one for each of {channels} channels"
            )
        own[name] = map_constant(constant, partial(np.take, indices=places, axis=axis))
    return own
