"""ConvTranspose: of each place in a block, the taps that meet it are a convolution of the map itself."""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .constants import map_constant
from .file.graph import MAX_MADE, Node
from .linear import convolution, pair
from .parts import cropped
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
    pads = [max(0, taps.before) for taps in axes] + [max(0, taps.behind) for taps in axes]
    plain = replace(node, op="Conv", attributes={"group": 1, "pads": tuple(pads)})
    sums = convolution(plain, codes, constants)
    for axis, taps in enumerate(axes, 2 - rank):
        if min(taps.before, taps.behind) < 0:
            sums = cropped(node, sums, axis, max(0, -taps.before), 1, taps.blocks, state.builder)
    return sums if block == (1, 1) else Blocks(sums, block, pair([taps.cut for taps in axes], 0))


@dataclass(frozen=True)
class _Taps:
    """One axis. Tap k meets pixels ``stride * t + phases[k]`` of what is made, on pixels ``t + places[k] -
    before`` of the map: `blocks` windows of `reach` on the map with padding `before` and `behind`, below 0
    where they do not reach its ends. The last `cut` pixels that are made are too many."""

    stride: int
    phases: list[int]
    places: list[int]
    before: int
    behind: int
    blocks: int = 1
    cut: int = 0

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

    strides, dilations = given("strides", rank, 1), given("dilations", rank, 1)
    more = given("output_padding", rank, 0)
    if max(strides) > _MOST_STRIDE:
        node.refuse(f"strides are {strides}", f"up to {_MOST_STRIDE}")
    found = []
    whole = [
        stride * (count - 1) + extra + dilation * (taps - 1) + 1
        for stride, count, extra, dilation, taps in zip(strides, size, more, dilations, kernel, strict=True)
    ]
    pads = _padding(node, whole, [stride * count for stride, count in zip(strides, size, strict=True)])
    for axis, (stride, dilation) in enumerate(zip(strides, dilations, strict=True)):
        reached = [tap * dilation - pads[axis] for tap in range(kernel[axis])]
        phases = [place % stride for place in reached]
        # Pixel stride * t + phase of the result is tap k of pixel t - place // stride of the map.
        places = [-(place // stride) for place in reached]
        made = whole[axis] - pads[axis] - pads[axis + rank]
        blocks = -(-made // stride)
        if made < 1:
            node.refuse(f"makes {made} pixels of {size[axis]} with pads of {pads}", "1 or more")
        before, behind = -min(places), blocks - 1 + max(places) - (size[axis] - 1)
        places = [place + before for place in places]
        found.append(_Taps(stride, phases, places, before, behind, blocks, blocks * stride - made))
    return found


def _padding(node: Node, whole: list[int], same: list[int]) -> tuple[int, ...]:
    """The pads before and behind every axis; whole: pixels that are made without, same: strides times the
    pixels of the map."""
    rank, mode = len(whole), node.attributes.get("auto_pad", "NOTSET")
    pads, wanted = node.integers("pads") or (0,) * 2 * rank, node.integers("output_shape")
    if len(pads) != 2 * rank or min(pads) < 0:
        node.refuse(f"pads is {pads}", f"{2 * rank} integers >= 0")
    if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        node.refuse(f"auto_pad is {mode!r}", "NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    if any(pads) and (wanted or mode != "NOTSET"):
        node.refuse(f"pads are {pads} with output_shape {wanted} and auto_pad {mode}", "one of them")
    if not wanted and mode in ("NOTSET", "VALID"):
        return pads
    wanted = wanted or tuple(same)
    if len(wanted) != rank or any(size > most for size, most in zip(wanted, whole, strict=True)):
        node.refuse(f"output_shape is {wanted}", f"{rank} integers, at most {tuple(whole)}")
    total = [most - size for size, most in zip(wanted, whole, strict=True)]
    less, rest = [count // 2 for count in total], [count - count // 2 for count in total]
    return (*less, *rest) if mode == "SAME_UPPER" else (*rest, *less)


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
