"""Maps that a Concat puts side by side along the channels.

They stay apart: what acts on every element or channel alone acts on each of them, and a layer that reads all
of their channels is the sum of layers that read one of them each.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce

import numpy as np

from ..lowering.steps import Affine
from .builder import Builder
from .constants import map_constant
from .elementwise import ARITHMETIC
from .file.graph import MAX_MADE, Node
from .residual import residual_add
from .values.draft import Codes
from .values.layout import within
from .values.quantizers import QUANTIZERS, Constant
from .values.tensors import Joined, Sums, Tensor, channel_place, sizes
from .values.unit_layers import chosen

Constants = dict[str, Constant]
# Operators on every element or channel alone, whose parameters broadcast to the map.
_BROADCAST = (*ARITHMETIC, *QUANTIZERS, "PRelu", "Trunc")
# Those whose parameters have one axis, or the first one, of channels.
PER_CHANNEL = ("BatchNormalization", "MultiThreshold", "QuantizeLinear", "DequantizeLinear")
ON_ELEMENTS = (
    *(*_BROADCAST, *PER_CHANNEL),
    *("Neg", "Relu", "Clip", "LeakyRelu", "Floor", "Ceil", "Round", "Cast", "QLinearLeakyRelu"),
)
_POOLING = (
    *("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean"),
    *("QLinearAveragePool", "QLinearGlobalAveragePool"),
)
_PRODUCTS = ("Gemm", "MatMul")
# Each is computed on its own.
_MOST_PARTS = 256
# What a node makes of one part, with its own constants.
Apply = Callable[[Node, Codes | Sums, Constants], Tensor]


def concat(node: Node, tensors: Sequence[Tensor]) -> Joined:
    """The tensor that a Concat makes of tensors that all depend on the image."""
    found: list[Codes | Sums] = []
    for tensor in tensors:
        if isinstance(tensor, Joined):
            found += tensor.parts
        elif isinstance(tensor, Codes | Sums):
            found.append(tensor)
        else:
            node.refuse("puts together the image before it is quantized, a padded map or scores", "maps")
    if len(found) > _MOST_PARTS:
        node.refuse(f"puts {len(found)} maps together", f"at most {_MOST_PARTS}")
    rank = 1 + len(found[0].dims)
    (axis,) = within(node, (node.integer("axis"),), rank)
    lengths = [sizes(part) for part in found]
    for length in lengths:
        others = [size for place, size in enumerate(length, 1) if place != axis]
        expected = [size for place, size in enumerate(lengths[0], 1) if place != axis]
        if len(length) != len(lengths[0]) or others != expected:
            node.refuse(f"puts together maps of {lengths[0]} and {length}", "maps that fit")
    return Joined(tuple(_of_channels(node, part, axis) for part in found))


def _of_channels(node: Node, part: Codes | Sums, axis: int) -> Codes | Sums:
    """A part whose axis says that it holds the channels, which an axis of one place may not."""
    dim = part.dims[axis - 1] if axis else ("H",)
    if not dim and part.shape[2] == 1 and ("C",) not in part.dims:
        dims = list(part.dims)
        dims[axis - 1] = ("C",)
        return replace(part, dims=tuple(dims))
    if dim[:1] != ("C",):
        node.refuse(f"puts maps together along axis {axis}", "the axis of the channels")
    return part


def applied(node: Node, tensor: Joined, constants: Constants, builder: Builder, apply: Apply) -> Tensor:
    """What a node makes of joined maps: of each of them by `apply`, or the sum of what it makes of them."""
    if node.op == "Conv" and _groups(node) == 1:
        return _summed(node, tensor, constants, builder, apply, 1)
    if node.op in _PRODUCTS:
        transposed = node.op == "Gemm" and node.integer("transB")
        return _summed(node, tensor, constants, builder, apply, -1 if transposed else -2)
    if node.op == "Conv":
        inner = constants[node.inputs[1]].array.shape[1]
        if any(part.shape[2] % inner for part in tensor.parts):
            return apply(node, together(node, tensor, builder), constants)
        return _grouped(node, tensor, constants, apply)
    if node.op not in (*ON_ELEMENTS, *_POOLING):
        node.refuse("reads maps that a Concat put together", "convolutions, products, pooling, quantizers")
    results, first = [], 0
    for part in tensor.parts:
        own = _own_constants(node, tensor, first, part.shape[2], constants)
        results.append(_plain(node, apply(node, part, own)))
        first += part.shape[2]
    return Joined(tuple(results))


def together(node: Node, tensor: Joined, builder: Builder) -> Sums:
    """Joined maps as one: a sum of layers of weights 1 that put each of them in its place."""
    parts = [builder.codes(node, part) for part in tensor.parts]
    dims, channels = parts[0].dims, sum(part.shape[2] for part in parts)
    # What a layer does not reach is 0 in every scale, so also in that of the layer which does.
    scale = [number for part in parts for number in part.scale]
    sums, first = [], 0
    if channels**2 > MAX_MADE:
        node.refuse(f"puts {channels} channels together", f"at most {math.isqrt(MAX_MADE)}")
    for part in parts:
        own = np.arange(part.shape[2])
        values = np.zeros((channels, 1, 1, len(own)), np.int64)
        values[first + own, 0, 0, own] = 1
        offset = [Fraction(0)] * channels
        offset[first : first + len(own)] = part.offset
        layer = chosen(node, part, own.tolist())
        shape = (*part.shape[:2], channels)
        draft = replace(layer.draft, values=values, conv_shape=shape)
        sums.append(Sums(draft, (Affine(scale, offset),), shape, dims))
        first += len(own)
    return reduce(lambda one, other: residual_add(node, [one, other], builder), sums)


def _groups(node: Node) -> int:
    return node.integer("group")


def _plain(node: Node, tensor: Tensor) -> Codes | Sums:
    if not isinstance(tensor, Codes | Sums):
        node.refuse("reads maps that a Concat put together", "convolutions, products, pooling, quantizers")
    return tensor


def _length(part: Codes | Sums) -> int:
    """Places of a part along the axis of the channels."""
    return sizes(part)[channel_place(part)]


def _summed(
    node: Node, tensor: Joined, constants: Constants, builder: Builder, apply: Apply, axis: int
) -> Tensor:
    """The sum of layers that read one part each; axis: of the weights' inputs."""
    weights = constants[node.inputs[1]]
    lengths = [_length(part) for part in tensor.parts]
    if sum(lengths) != weights.array.shape[axis]:
        node.refuse(f"weights of {weights.array.shape} read {sum(lengths)} channels", "as many inputs")
    sums, first = [], 0
    for number, (part, length) in enumerate(zip(tensor.parts, lengths, strict=True)):
        own = {**constants, node.inputs[1]: _sliced(weights, axis, first, length)}
        # The bias comes once.
        single = node if not number else replace(node, inputs=node.inputs[:2])
        sums.append(_plain(node, apply(single, part, own)))
        first += length
    return reduce(lambda one, other: residual_add(node, [one, other], builder), sums)


def _grouped(node: Node, tensor: Joined, constants: Constants, apply: Apply) -> Joined:
    """Channel groups of which each reads one part."""
    weights = constants[node.inputs[1]]
    inner = weights.array.shape[1]
    outer = weights.array.shape[0] // _groups(node)
    results, first = [], 0
    for part in tensor.parts:
        groups = part.shape[2] // inner
        own = {**constants, node.inputs[1]: _sliced(weights, 0, first, groups * outer)}
        if node.has(2):
            own[node.inputs[2]] = _sliced(constants[node.inputs[2]], 0, first, groups * outer)
        single = replace(node, attributes={**node.attributes, "group": groups})
        results.append(_plain(node, apply(single, part, own)))
        first += groups * outer
    return Joined(tuple(results))


def _own_constants(node: Node, tensor: Joined, first: int, count: int, constants: Constants) -> Constants:
    """Constants with those of the node as `count` channels from `first` on have them."""
    own = dict(constants)
    channels = sum(part.shape[2] for part in tensor.parts)
    dims, place = tensor.parts[0].dims, channel_place(tensor.parts[0])
    for name in node.inputs:
        constant = constants.get(name)
        if constant is None or not constant.array.ndim:
            continue
        array = constant.array
        axis = 0 if node.op in PER_CHANNEL else array.ndim - len(dims) + place
        if 0 <= axis < array.ndim and array.shape[axis] == channels > 1:
            if len(dims[place]) > 1:
                node.refuse("has parameters for each number of joined vectors", "one number for all")
            own[name] = _sliced(constant, axis, first, count)
    return own


def _sliced(constant: Constant, axis: int, first: int, count: int) -> Constant:
    places = np.arange(first, first + count)
    return map_constant(constant, lambda array: np.take(array, places, axis))
