"""Fused operators of integer ONNX: the same as between DequantizeLinear and QuantizeLinear, which they are
computed as; ConvInteger and MatMulInteger."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..lowering.steps import Affine
from .builder import CodeZero
from .elementwise import elementwise, extended
from .file.graph import Node
from .joined import Apply, applied, concat
from .linear import convolution, product
from .pool import pool
from .readers import pads
from .residual import residual_add, with_weights
from .values.draft import Codes
from .values.integer_quant import (
    LinearQuantizer,
    dequantized_steps,
    grid_constant,
    quantized,
    read_linear,
)
from .values.quantizers import Constant, parameter
from .values.tensors import Joined, Sums, Tensor, sizes

if TYPE_CHECKING:
    from .operators import State

# Name of a constant that a node is given here; no file has it.
_WEIGHTS = "\0weights"


def _quantizer(node: Node, state: "State", place: int, rank: int, axis: int = 0) -> LinearQuantizer:
    """The scale at `place` and the zero point behind it."""
    return read_linear(node, state.constants, place, place + 1, rank, axis, "uint8")


def real(node: Node, tensor: Codes | Sums, state: "State", place: int) -> Codes | Sums:
    """The real values of integers whose scale and zero point are at `place`."""
    rank = 1 + len(sizes(tensor))
    return extended(node, tensor, dequantized_steps(node, tensor, _quantizer(node, state, place, rank)))


def integers(
    node: Node, tensor: Codes | Sums, state: "State", place: int, moved_first: bool = False
) -> Codes | Sums:
    """The integers of real values with the scale and zero point at `place`, see :func:`quantized`."""
    return quantized(node, tensor, _quantizer(node, state, place, 1 + len(sizes(tensor))), moved_first)


def _activations(node: Node, tensor: Codes | Sums, state: "State", place: int) -> Codes:
    """The first input of a node, stored, as real values."""
    codes = real(node, state.stored(node, tensor), state, place)
    assert isinstance(codes, Codes)
    # An image has the codes that it has.
    return _for_padding(node, codes, state)


def _weights(node: Node, state: "State", place: int, axis: int) -> Constant:
    """Weights with their scale and zero point behind them; those of one number per channel lie along
    `axis`."""
    array = parameter(node, state.constants, place, "weight tensor")
    return grid_constant(array, _quantizer(node, state, place + 1, array.ndim, axis))


def _biased(node: Node, sums: Sums, state: "State", place: int, weights: Constant, gain: Fraction) -> Sums:
    """With the bias at `place`, if there is one, in units of the input's scale times that of the weights."""
    if not node.has(place):
        return sums
    bias = parameter(node, state.constants, place, "bias").ravel()
    channels = sums.shape[2]
    if len(bias) not in (1, channels) or weights.grid is None:
        node.refuse(f"bias has {len(bias)} numbers", f"{channels}, one per channel")
    input_scale = gain * Fraction(parameter(node, state.constants, 1, "scale").item())
    of_weights = parameter(node, state.constants, 4, "scale").ravel()
    scales = np.broadcast_to(of_weights, channels).tolist()
    spread = np.broadcast_to(bias, channels).tolist()
    offset = [b * input_scale * Fraction(s) for b, s in zip(spread, scales, strict=True)]
    return sums.extended(Affine([Fraction(1)] * channels, offset))


class _Product(NamedTuple):
    """A fused product: the plain operator `op` with `attributes`, its weights' axis of the output channels,
    the places of its bias and of the scale of its results (None: real values), the factor of both."""

    op: str
    attributes: dict[str, Any]
    axis: int
    results: int | None
    bias: int | None = None
    gain: Fraction = Fraction(1)


def _product(node: Node) -> _Product:
    """The _Product that a node is."""
    if node.op == "QLinearConv":
        return _Product("Conv", node.attributes, 0, 6, bias=8)
    if node.op == "QLinearMatMul":
        return _Product("MatMul", node.attributes, 1, 6)
    if node.has(7) != node.has(8):
        node.refuse(
            "has a scale of its results without a zero point, or the other way round", "both, or none"
        )
    attributes, axis = {**node.attributes, "beta": 1.0}, 0 if node.integer("transB") else 1
    gain = Fraction(node.number("alpha"))
    return _Product("Gemm", attributes, axis, 7 if node.has(7) else None, 6, gain)


def qlinear_product(node: Node, tensor: Codes | Sums, state: "State") -> Codes | Sums:
    """QLinearConv, QLinearMatMul and QGemm, whose results are real values where it has no scale for them."""
    form = _product(node)
    weights, codes = _weights(node, state, 3, form.axis), _activations(node, tensor, state, 1)
    plain = replace(node, op=form.op, inputs=(node.inputs[0], _WEIGHTS), attributes=form.attributes)
    constants = {**state.constants, _WEIGHTS: weights}
    sums = _summed(plain, codes, constants, state)
    return _finished(node, sums, state, form, weights)


def _summed(node: Node, codes: Codes, constants: dict[str, Constant], state: "State") -> Sums:
    """Sums of a Conv, Gemm or MatMul node."""

    def make(own: Node, constants: dict[str, Constant]) -> Sums:
        if own.op == "Conv":
            return convolution(own, codes, constants)
        return product(own, codes, constants, state.batch)

    return with_weights(node, constants, state.builder, make)


def qlinear_product_of_joined(node: Node, tensor: Joined, state: "State", apply: Apply) -> Codes | Sums:
    """The same of maps side by side, see :func:`dorefa.golden.onnx.joined.applied`."""
    form = _product(node)
    if form.op == "Conv" and node.integer("group") > 1:
        node.refuse("reads maps that a Concat put together in channel groups", "one group")
    weights = _weights(node, state, 3, form.axis)
    plain = replace(node, op=form.op, inputs=(node.inputs[0], _WEIGHTS), attributes=form.attributes)
    parts = Joined(tuple(real(node, part, state, 1) for part in tensor.parts))
    sums = applied(plain, parts, {**state.constants, _WEIGHTS: weights}, state.builder, apply)
    assert isinstance(sums, Sums), "layers of one group add up"
    return _finished(node, sums, state, form, weights)


def _finished(node: Node, sums: Sums, state: "State", form: _Product, weights: Constant) -> Codes | Sums:
    """Accumulators of a fused product with their bias, as its integers or real values."""
    if form.bias is not None:
        sums = _biased(node, sums, state, form.bias, weights, form.gain)
    return sums if form.results is None else integers(node, sums, state, form.results)


def _minus_zero(node: Node, tensor: Codes | Sums, state: "State", place: int) -> Codes:
    """The stored integers of a node's first input minus the zero point at `place`, aligned for padding."""
    codes = state.stored(node, tensor)
    if node.has(place):
        zero = parameter(node, state.constants, place, "zero point")
        if zero.size != 1:
            node.refuse(f"the zero point of the input has shape {zero.shape}", "one number")
        moved = Affine([Fraction(1)] * codes.shape[2], [Fraction(-int(zero.item()))] * codes.shape[2])
        affine = codes.affine.then(moved)
        codes = replace(codes, scale=affine.slope, offset=affine.offset)
    return _for_padding(node, codes, state)


def _for_padding(node: Node, codes: Codes, state: "State") -> Codes:
    """Codes whose 0 is the real value 0, where the node pads them."""
    return state.builder.codes(node, codes, CodeZero.REAL if pads(node) else CodeZero.IN_WIDTH)


def _integer_weights(node: Node, state: "State", axis: int) -> Constant:
    """Weights, the second input, minus the zero points of the fourth."""
    array = parameter(node, state.constants, 1, "weight tensor")
    zero = np.zeros((), array.dtype)
    if node.has(3):
        zero = parameter(node, state.constants, 3, "zero point")
        if zero.size > 1:
            zero = zero.reshape([-1 if place == axis % array.ndim else 1 for place in range(array.ndim)])
    return grid_constant(array, LinearQuantizer(np.ones((), np.float32), zero, array.dtype.name))


def conv_integer(node: Node, tensor: Codes | Sums, state: "State") -> Sums:
    """ConvInteger: accumulators."""
    codes, weights = _minus_zero(node, tensor, state, 2), _integer_weights(node, state, 0)
    plain = replace(node, op="Conv", inputs=(node.inputs[0], _WEIGHTS))
    return _summed(plain, codes, {**state.constants, _WEIGHTS: weights}, state)


def matmul_integer(node: Node, tensor: Codes | Sums, state: "State") -> Sums:
    """MatMulInteger: accumulators."""
    codes, weights = _minus_zero(node, tensor, state, 2), _integer_weights(node, state, 1)
    plain = replace(node, op="MatMul", inputs=(node.inputs[0], _WEIGHTS))
    return _summed(plain, codes, {**state.constants, _WEIGHTS: weights}, state)


def _pooled(op: str, node: Node, tensor: Codes | Sums, state: "State") -> Codes | Sums:
    """A pooling operator `op` between integers."""
    last = node.integer("channels_last")
    plain = replace(node, op=op, inputs=node.inputs[:1], domain="channels_last" if last else "")
    found = pool(plain, real(node, tensor, state, 1), state.builder, state.constants)
    # As the runtime rounds.
    return integers(node, found, state, 3, moved_first=op == "AveragePool")


def qlinear_average_pool(node: Node, tensor: Codes | Sums, state: "State") -> Codes | Sums:
    """QLinearAveragePool."""
    return _pooled("AveragePool", node, tensor, state)


def qlinear_global_average_pool(node: Node, tensor: Codes | Sums, state: "State") -> Codes | Sums:
    """QLinearGlobalAveragePool."""
    return _pooled("GlobalAveragePool", node, tensor, state)


def qlinear_leaky_relu(node: Node, tensor: Codes | Sums, state: "State") -> Codes | Sums:
    """QLinearLeakyRelu."""
    plain = replace(node, op="LeakyRelu", inputs=node.inputs[:1])
    found = real(node, tensor, state, 1)
    return integers(node, elementwise(plain, found, state.constants), state, 3)


def qlinear_add(node: Node, tensors: list[Codes | Sums], state: "State") -> Codes | Sums:
    """QLinearAdd of two maps."""
    if node.inputs[0] in state.constants or node.inputs[3] in state.constants:
        node.refuse("has a parameter that depends on the image", "two maps, and parameters as constants")
    pair = [real(node, tensor, state, place) for tensor, place in zip(tensors, (1, 4), strict=True)]
    return integers(node, residual_add(node, pair, state.builder), state, 6, moved_first=True)


def qlinear_concat(node: Node, tensors: Sequence[Tensor], state: "State") -> Joined:
    """QLinearConcat: of maps with a scale and a zero point each, with those of all in front."""
    count = len(node.inputs) - 2
    if count % 3 or len(tensors) != count // 3:
        node.refuse(f"has {count} inputs behind its scale", "a map, a scale and a zero point of each")
    parts: list[Tensor] = []
    for place, tensor in zip(range(2, len(node.inputs), 3), tensors, strict=True):
        for part in tensor.parts if isinstance(tensor, Joined) else (tensor,):
            if not isinstance(part, Codes | Sums):
                node.refuse("puts together what is no map of integers", "maps")
            parts.append(integers(node, real(node, part, state, place + 1), state, 0))
    return concat(node, parts)


# Products of weights, which may read maps side by side.
PRODUCTS = ("QLinearConv", "QLinearMatMul", "QGemm")
QLINEAR: dict[str, Callable[[Node, Codes | Sums, "State"], Codes | Sums]] = {
    **dict.fromkeys(PRODUCTS, qlinear_product),
    "ConvInteger": conv_integer,
    "MatMulInteger": matmul_integer,
    "QLinearAveragePool": qlinear_average_pool,
    "QLinearGlobalAveragePool": qlinear_global_average_pool,
    "QLinearLeakyRelu": qlinear_leaky_relu,
}
