"""ConvTranspose: of each place in a block, the taps that meet it are a convolution of the map itself."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .constants import map_constant
from .file.graph import MAX_MADE, Node
from .linear import convolution, pair
from .values.draft import Codes
from .values.quantizers import Constant, Grid, parameter
from .values.tensors import Blocks, Sums, as_map

if TYPE_CHECKING:
    from .operators import State

_MOST_STRIDE = 1024


def transposed(node: Node, tensor: Codes | Sums, state: "State") -> Sums | Blocks:
    """Sums of a ConvTranspose node, Blocks where it has strides."""
    codes = state.stored(node, tensor, padded=True)
    shape, rank = as_map(node, codes), len(codes.dims) - 1
    array = parameter(node, state.constants, 1, "weight tensor")
    groups = node.integer("group")
    if (
        rank not in (1, 2)
        or array.ndim != rank + 2
        or groups < 1
        or array.shape[0] % groups
        or not array.size
    ):
        node.refuse(
            f"weights have shape {array.shape} with group {groups} on a map of {rank + 2} axes",
            "(input channels, output channels / group, rows, columns)",
        )
    if array.shape[0] != shape[2]:
        node.refuse(f"weights of {array.shape[0]} input channels on {shape[2]}", "as many")
    if (given := node.integers("kernel_shape")) is not None and given != array.shape[2:]:
        node.refuse(f"kernel_shape is {given} with weights of {array.shape[2:]}", "as the weights")
    axes = _taps(node, array.shape[2:], shape[2 - rank : 2])
    block = pair([taps.stride for taps in axes])
    channels = groups * array.shape[1]
    made = math.prod([*block, channels, array.shape[0], *(taps.reach for taps in axes)])
    if made > MAX_MADE:
        node.refuse(f"makes {made} weights", f"at most {MAX_MADE}")
    weights = _of_blocks(state.constants[node.inputs[1]], groups, axes)
    constants = {**state.constants, node.inputs[1]: weights}
    if node.has(2):
        bias = parameter(node, constants, 2, "bias")
        if bias.shape != (channels,):
            node.refuse(f"bias has shape {bias.shape}", f"({channels},)")
        constants[node.inputs[2]] = Constant(np.tile(bias, math.prod(block)))
    attributes = {
        "group": 1,
        "pads": (*(taps.before for taps in axes), *(taps.behind for taps in axes)),
    }
    sums = convolution(replace(node, op="Conv", attributes=attributes), codes, constants)
    return sums if block == (1, 1) else Blocks(sums, block)


@dataclass(frozen=True)
class _Taps:
    """One axis. Tap k meets pixels ``stride * t + phases[k]`` of what is made, on pixels ``t + places[k] -
    before`` of the map: windows of `reach` on the map with padding `before` and `behind`."""

    stride: int
    phases: list[int]
    places: list[int]
    before: int
    behind: int

    @property
    def reach(self) -> int:
        """Pixels of a window."""
        return max(self.places) + 1


def _taps(node: Node, kernel: tuple[int, ...], size: tuple[int, ...]) -> list[_Taps]:
    """The _Taps of every axis of a map of `size`."""
    rank = len(kernel)

    def given(name: str, count: int, least: int) -> tuple[int, ...]:
        values = node.integers(name) or (least,) * count
        if len(values) != count or min(values) < least:
            node.refuse(f"{name} is {values}", f"{count} integers >= {least}")
        return values

    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or node.integers("output_shape"):
        node.refuse("has auto_pad or output_shape", "pads and output_padding")
    strides, dilations = given("strides", rank, 1), given("dilations", rank, 1)
    pads, more = given("pads", 2 * rank, 0), given("output_padding", rank, 0)
    if max(strides) > _MOST_STRIDE:
        node.refuse(f"strides are {strides}", f"up to {_MOST_STRIDE}")
    found = []
    for axis, (stride, dilation, padding) in enumerate(zip(strides, dilations, pads[:rank], strict=True)):
        reached = [tap * dilation - padding for tap in range(kernel[axis])]
        phases = [place % stride for place in reached]
        # Pixel stride * t + phase of the result is tap k of pixel t - place // stride of the map.
        places = [-(place // stride) for place in reached]
        made = stride * (size[axis] - 1) + more[axis] + reached[-1] + 1 - pads[axis + rank]
        blocks, rest = divmod(made, stride)
        before, behind = -min(places), blocks - 1 + max(places) - (size[axis] - 1)
        if rest or blocks < 1 or min(before, behind) < 0:
            node.refuse(
                f"makes {made} pixels of {size[axis]} with strides of {stride}",
                "a multiple of the strides, and pads that cut no whole pixels of the map off",
            )
        found.append(_Taps(stride, phases, [place + before for place in places], before, behind))
    return found


def _of_blocks(weights: Constant, groups: int, axes: list[_Taps]) -> Constant:
    """Weights (Cin, Cout / groups, taps) as those of a convolution, (block * Cout, Cin, windows); where a
    pixel of the block meets no tap, or a channel another group, they are 0."""
    # A lone axis is that of the columns.
    rows, columns = axes if len(axes) == 2 else (_Taps(1, [0], [0], 0, 0), *axes)
    blocks = (rows.stride, columns.stride, rows.reach, columns.reach)
    inner, outer = weights.array.shape[0], groups * weights.array.shape[1]

    def arranged(values: np.ndarray, there: bool = False) -> np.ndarray:
        whole = np.tile(values, (1, groups) + (1,) * len(axes)).reshape(
            inner, outer, len(rows.places), len(columns.places)
        )
        made = np.zeros((*blocks, outer, inner), values.dtype)
        if not there:
            # Weights that are none have the scale of their channel.
            made[:] = whole[:, :, 0, 0].T
        for (row, column), _ in np.ndenumerate(whole[0, 0]):
            place = rows.phases[row], columns.phases[column], rows.places[row], columns.places[column]
            made[place] = whole[:, :, row, column].T
        made = made.transpose(0, 1, 4, 5, 2, 3).reshape(-1, inner, rows.reach, columns.reach)
        return made if len(axes) == 2 else made[:, :, 0]

    own = np.arange(inner)[:, None] // (inner // groups) == np.arange(outer) // (outer // groups)
    mask = arranged(np.ones(weights.array.shape, bool), there=True)
    mask &= np.tile(own.T, (rows.stride * columns.stride, 1)).reshape(*mask.shape[:2], *(1,) * len(axes))
    moved = map_constant(weights, arranged)
    grid = moved.grid and Grid(moved.grid.values * mask, moved.grid.scale, moved.grid.bits)
    return Constant(moved.array * mask, grid)
