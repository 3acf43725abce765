"""Operators of streamlined files: convolutions as Im2Col and MatMul, binary products as XNOR counts."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..lowering.steps import Affine
from .constants import map_constant
from .file.graph import Node
from .linear import convolution, product
from .values.draft import Codes
from .values.quantizers import Constant, parameter
from .values.tensors import Patches, Sums


def patches(node: Node, codes: Codes) -> Patches:
    """The Patches that an Im2Col node makes of Codes."""
    kernel, stride = _pair(node, "kernel_size"), _pair(node, "stride")
    attributes: dict[str, tuple[int, ...] | int] = {"strides": stride, "group": 1}
    for own, name in (("pad_amount", "pads"), ("dilations", "dilations")):
        attributes[name] = node.attributes[own]
    return Patches(codes, kernel, attributes)


def _pair(node: Node, name: str) -> tuple[int, int]:
    """An attribute for rows and columns, which the node must have."""
    given = node.integers(name)
    if given is None or len(given) != 2 or min(given) < 1:
        node.refuse(f"{name} is {given!r}", "2 integers >= 1")
    rows, columns = given
    return rows, columns


def patch_product(node: Node, tensor: Patches, constants: dict[str, Constant]) -> Sums:
    """Sums of a MatMul node on Patches: the convolution that both are together."""
    array = parameter(node, constants, 1, "weight tensor")
    rows, columns = tensor.kernel
    inner, outputs = array.shape if array.ndim == 2 else (0, 0)
    # Im2Col reads axes that are channels last: (batch, rows, columns, channels).
    if len(tensor.codes.dims) != 3:
        node.refuse(f"reads patches of {len(tensor.codes.dims) + 1} axes", "4, channels last")
    channels = inner // (rows * columns)
    if not channels or inner != rows * columns * channels:
        node.refuse(
            f"weights have shape {array.shape} on patches of {rows}x{columns} pixels",
            "a matrix with one row per number of a patch",
        )
    shape = (outputs, rows, columns, channels)
    weights = map_constant(constants[node.inputs[1]], lambda values: values.T.reshape(shape))
    attributes = dict(tensor.attributes)
    if outputs == channels > 1 and _diagonal(weights.array):
        own = np.arange(channels)
        weights = map_constant(weights, lambda values: values[own, :, :, own][..., None])
        attributes["group"] = channels
    conv = replace(node, op="Conv", domain="channels_last", attributes=attributes)
    return convolution(conv, tensor.codes, constants | {node.inputs[1]: weights})


def _diagonal(weights: np.ndarray) -> bool:
    """Whether each output channel reads the input channel of its own number only."""
    own = np.eye(len(weights), dtype=bool)[:, None, None, :]
    return not weights[np.broadcast_to(~own, weights.shape)].any()


def xnor_product(node: Node, codes: Codes, constants: dict[str, Constant], batch: int) -> Sums:
    """Sums of XnorPopcountMatMul: equal pairs of bits, sum(a * (2w - 1)) + sum(1 - w)."""
    array = parameter(node, constants, 1, "weight tensor")
    if array.ndim != 2 or not np.isin(array, (0, 1)).all():
        node.refuse(f"weights of shape {array.shape} are not a matrix of 0 and 1", "one")
    weights = Constant((2 * array - 1).astype(np.float32))
    sums = product(replace(node, op="MatMul"), codes, constants | {node.inputs[1]: weights}, batch)
    zeros = [Fraction(int(count)) for count in (array == 0).sum(axis=0)]
    return sums.extended(Affine([Fraction(1)] * len(zeros), zeros))
