"""Conv, Gemm and MatMul with constant weights: the layers of the integer network."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..lowering.steps import Affine
from ..network.geometry import Geometry
from .file.graph import MAX_ELEMENTS, Node
from .values.draft import Codes, Draft, Shape
from .values.layout import given_axes, within
from .values.quantizers import Constant, parameter, scalar
from .values.tensors import Padded, Sums, as_map, feature_order, map_dims, relabelled
from .values.unit_layers import identity
from .values.weights import choose_encoding, integer_weights

# Padding at the top, left, bottom, right.
Sides = tuple[int, int, int, int]
# Padding beyond any kernel: what a file claims is bounded.
_MAX_PADDING = 1024


def channels_last(node: Node) -> bool:
    """Whether the node's maps are NHWC."""
    return "channels_last" in node.domain or node.op in ("Im2Col", "MaxPoolNHWC")


def padded(node: Node, codes: Codes, constants: dict[str, Constant]) -> Padded:
    """`codes` as Padded by a Pad node, which must add zeros around the pixels."""
    rank = len(codes.dims) + 1
    value = scalar(node, constants, 2, "value") if node.has(2) else node.attributes.get("value", 0.0)
    if value:
        node.refuse(f"pads with {value:g}", "0")
    pads = node.integers("pads")
    if pads is None:
        pads = tuple(int(size) for size in parameter(node, constants, 1, "pads").ravel())
    axes = within(node, given_axes(node, constants, 3) or tuple(range(rank)), rank)
    if len(pads) != 2 * len(axes) or min(pads) < 0:
        node.refuse(f"pads are {pads} for the axes {axes}", "two integers >= 0 for each axis")
    sides = {name: (0, 0) for name in "HW"}
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        name = codes.dims[axis - 1] if axis else ()
        if name in (("H",), ("W",)):
            sides[name[0]] = (before, after)
        elif before or after:
            node.refuse(f"pads axis {axis} by {before} and {after}", "padding of rows and columns")
    (top, bottom), (left, right) = sides["H"], sides["W"]
    return Padded(codes, (top, left, bottom, right))


def widened(node: Node, padded: Padded) -> Sums:
    """Padded codes as a map of that size: a depthwise layer of weights 1 that reads the padding too."""
    codes = padded.codes
    if any(codes.offset):
        node.refuse(
            "reads a padded tensor whose value 0 has no code", "a quantizer in front whose grid holds 0"
        )
    sums = identity(node.name, codes, node.position)
    rows, columns = window_count(node, codes.shape, Geometry(kernel=(1, 1), padding=padded.padding))
    shape = (rows, columns, codes.shape[2])
    return replace(sums, draft=replace(sums.draft, padding=padded.padding, conv_shape=shape), shape=shape)


def _seen_padding(padded: Padded, last: bool) -> Sides:
    """The padding as a convolution sees the axes: what was padded as rows may be its columns."""
    top, left, bottom, right = padded.padding
    of_name: dict[tuple[str, ...], tuple[int, int]] = {("H",): (top, bottom), ("W",): (left, right)}
    dims = padded.codes.dims
    spatial = dims[:-1] if last else dims[1:]
    # A lone axis is that of the columns.
    (above, below), (before, behind) = ((0, 0), (0, 0), *(of_name.get(dim, (0, 0)) for dim in spatial))[-2:]
    return above, before, below, behind


def convolution(node: Node, codes: Codes | Padded, constants: dict[str, Constant]) -> Sums:
    """Sums of a Conv node on Codes or Padded."""
    padding = (0, 0, 0, 0)
    last = channels_last(node)
    if isinstance(codes, Padded):
        padding, codes = _seen_padding(codes, last), codes.codes
    in_shape = as_map(node, codes, last)
    codes = relabelled(node, codes, in_shape, map_dims(len(codes.dims), last))
    values, scale, declared = integer_weights(node, constants)
    rank = len(codes.dims) - 1
    if not rank:
        node.refuse("reads 2 axes", "3 or 4, the batch first")
    if values.ndim != rank + 2:
        node.refuse(f"weights have shape {values.shape} for a map of {rank + 2} axes", f"{rank + 2} axes")
    if last:
        # The operators for channels last have their weights in that order too.
        values = np.moveaxis(values, -1, 1)
    if rank == 1:
        values = values[:, :, None]
    values = values.transpose(0, 2, 3, 1)
    groups = node.integer("group")
    out_channels, height, width, inner = values.shape
    kernel = height, width
    if groups < 1 or out_channels % groups or inner * groups != in_shape[2]:
        node.refuse(
            f"weights of {inner} input and {out_channels} output channels with group "
            f"{groups} on {in_shape[2]} channels",
            f"{in_shape[2]} / group input channels, outputs in {groups} groups",
        )
    given = node.integers("kernel_shape")
    if given is not None and given != kernel[2 - rank :]:
        node.refuse(f"kernel_shape is {given} with weights of {kernel[2 - rank :]}", "as the weights")
    geometry = window_geometry(node, rank, kernel, in_shape, groups, padding)
    conv_shape = (*window_count(node, in_shape, geometry), out_channels)
    slope, offset = _fold_inputs(node, codes, values, scale, geometry)
    offset = _with_bias(node, constants, (out_channels,), offset, Fraction(1))
    w_bits, encoding = choose_encoding(node, values, declared)
    draft = Draft(
        name=node.name,
        position=node.position,
        kind="conv",
        values=values,
        w_bits=w_bits,
        encoding=encoding,
        inputs=codes,
        in_shape=in_shape,
        conv_shape=conv_shape,
        **geometry.spacing,
    )
    return Sums(draft, (Affine(slope, offset),), conv_shape, map_dims(rank + 1, last))


def product(node: Node, codes: Codes, constants: dict[str, Constant], batch: int) -> Sums:
    """Sums of a Gemm or MatMul node on `codes` of a file whose batch is `batch`."""
    if parameter(node, constants, 1, "weight tensor").ndim > max(2, len(codes.dims) + 1):
        node.refuse("its weights have more axes than what they multiply", "a matrix")
    values, scale, declared = integer_weights(node, constants)
    gain = bias_gain = Fraction(1)
    if node.op == "Gemm":
        gain, bias_gain = (Fraction(node.number(name)) for name in ("alpha", "beta"))
        if len(codes.dims) != 1:
            node.refuse(f"reads {len(codes.dims) + 1} axes", "2, flattened images")
    inner, out_channels = values.shape[1], values.shape[0]
    if len(codes.dims) == 1:
        kind, in_shape = "fc", (1, 1, int(np.prod(codes.shape)))
        conv_shape, dims = (1, 1, out_channels), map_dims(1, True)
    else:
        kind, in_shape, dims = "conv", as_map(node, codes, True), map_dims(len(codes.dims), True)
        codes = relabelled(node, codes, in_shape, dims)
        conv_shape = (*in_shape[:2], out_channels)
    if inner != in_shape[2]:
        node.refuse(f"weights have {inner} inputs on {in_shape[2]} features", f"{in_shape[2]} inputs")
    if kind == "fc":
        values = values[:, feature_order(codes)]
    values = values[:, None, None, :]
    slope, offset = _fold_inputs(node, codes, values, scale, Geometry(kernel=(1, 1)))
    slope, offset = [gain * s for s in slope], [gain * o for o in offset]
    offset = _with_bias(node, constants, (batch, out_channels), offset, bias_gain)
    w_bits, encoding = choose_encoding(node, values, declared)
    draft = Draft(
        name=node.name,
        position=node.position,
        kind=kind,
        values=values,
        w_bits=w_bits,
        encoding=encoding,
        inputs=codes,
        in_shape=in_shape,
        conv_shape=conv_shape,
    )
    return Sums(draft, (Affine(slope, offset),), conv_shape, dims)


def _fold_inputs(
    node: Node, codes: Codes, values: np.ndarray, scale: list[Fraction], geometry: Geometry
) -> tuple[list[Fraction], list[Fraction]]:
    """(slope, offset) per output channel: scales and offsets of the input folded in."""
    out_channels, inner = values.shape[0], values.shape[3]
    features = np.arange(inner * geometry.groups) % codes.shape[2]
    slope, offset = [], []
    same = len(set(codes.scale)) == 1 and not any(codes.offset)
    if any(codes.offset) and any(geometry.padding):
        node.refuse(
            "pads a tensor whose value 0 has no code",
            "no padding, or a quantizer in front whose grid holds 0",
        )
    totals = [] if same else values.sum(axis=(1, 2), dtype=np.int64).tolist()
    for channel in range(out_channels):
        if same:
            slope.append(scale[channel] * codes.scale[0])
            offset.append(Fraction(0))
            continue
        first = channel // (out_channels // geometry.groups) * inner
        read = [features[first + k] for k in range(inner)]
        if len({codes.scale[c] for c in read}) != 1:
            node.refuse(
                "reads activations whose scale differs between channels",
                "one scale per tensor (per channel only in front of depthwise layers)",
            )
        slope.append(scale[channel] * codes.scale[read[0]])
        offset.append(
            scale[channel]
            * sum(
                (codes.offset[c] * total for c, total in zip(read, totals[channel], strict=True)),
                Fraction(0),
            )
        )
    return slope, offset


def _with_bias(
    node: Node, constants: dict[str, Constant], shape: tuple[int, ...], offset: list[Fraction], gain: Fraction
) -> list[Fraction]:
    """The offsets with the bias of a node, if there is one, times `gain`; it must broadcast to `shape`,
    or have it in a Conv."""
    if not node.has(2):
        return offset
    bias = parameter(node, constants, 2, "bias")
    if node.op == "Conv" and bias.shape != shape:
        node.refuse(f"bias has shape {bias.shape}", f"{shape}")
    if bias.ndim > len(shape) or any(
        size not in (1, there) for size, there in zip(bias.shape[::-1], shape[::-1], strict=False)
    ):
        node.refuse(f"bias has shape {bias.shape}", f"one that broadcasts to {shape}")
    rows = np.broadcast_to(bias, shape).reshape(-1, len(offset))
    if (rows != rows[0]).any():
        node.refuse("its bias differs between the images of the batch", "one bias per class")
    return [o + gain * Fraction(b) for o, b in zip(offset, rows[0].tolist(), strict=True)]


def window_geometry(
    node: Node,
    rank: int,
    kernel: tuple[int, int],
    shape: Shape,
    groups: int = 1,
    outside: Sides = (0, 0, 0, 0),
) -> Geometry:
    """Geometry of a node with windows on `rank` spatial axes of a map of `shape`.

    outside: padding around the map by a Pad node, which the node's own comes around.
    """
    stride, dilation = (pair(_integers(node, name, rank, 1)) for name in ("strides", "dilations"))
    given = _integers(node, "pads", 2 * rank, 0)
    pads = _sides(given[:rank], given[rank:])
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode != "NOTSET" and any(given):
        node.refuse(f"pads are {given} with auto_pad {mode}", "one of them")
    geometry = Geometry(kernel=kernel, stride=stride, padding=outside, dilation=dilation, groups=groups)
    if mode == "VALID":
        pads = (0, 0, 0, 0)
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = _same_padding(geometry, shape, mode == "SAME_UPPER")
    elif mode != "NOTSET":
        node.refuse(f"auto_pad is {mode!r}", "NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    top, left, bottom, right = (a + b for a, b in zip(pads, outside, strict=True))
    return replace(geometry, padding=(top, left, bottom, right))


def pair(sizes: Sequence[int], row: int = 1) -> tuple[int, int]:
    """(rows, columns) of one or two spatial axes; one alone holds the columns, with `row` for the rows."""
    rows, columns = sizes if len(sizes) == 2 else (row, *sizes)
    return rows, columns


def _sides(before: Sequence[int], behind: Sequence[int]) -> Sides:
    """Padding of a map from that of its spatial axes."""
    return *pair(before, 0), *pair(behind, 0)


def _integers(node: Node, name: str, count: int, least: int) -> tuple[int, ...]:
    """An attribute of `count` integers, `least` each where it is missing."""
    given = node.integers(name)
    given = given if given is not None else (least,) * count
    if len(given) != count or min(given) < least:
        node.refuse(f"{name} is {given!r}", f"{count} integers >= {least}")
    return given


def _same_padding(geometry: Geometry, shape: Shape, more_behind: bool) -> Sides:
    """The padding beyond that of `geometry` that makes ceil(size / stride) windows of a map."""
    total = [
        max(0, (-(-size // stride) - 1) * stride + reach - size)
        for size, stride, reach in zip(geometry.padded(shape), geometry.stride, geometry.reach, strict=True)
    ]
    less, more = [t // 2 for t in total], [t - t // 2 for t in total]
    return _sides(less, more) if more_behind else _sides(more, less)


def window_count(node: Node, shape: Shape, geometry: Geometry) -> tuple[int, int]:
    """Window positions (rows, columns) on a map of `shape`; partial windows do not count."""
    for reach, padded in zip(geometry.reach, geometry.padded(shape), strict=True):
        if reach > padded:
            node.refuse(f"its window covers {reach} of {padded} padded pixels", f"at most {padded}")
    rows, columns = geometry.output_size(shape)
    if max(geometry.padding) >= _MAX_PADDING or rows * columns * shape[2] > MAX_ELEMENTS:
        node.refuse(
            f"makes a map of {rows}x{columns} with the padding {geometry.padding}",
            f"padding below {_MAX_PADDING}, at most {MAX_ELEMENTS} elements",
        )
    return rows, columns
