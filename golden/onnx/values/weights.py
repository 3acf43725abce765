"""Integer weights of Conv, Gemm and MatMul nodes, and their codes in bit planes."""

from fractions import Fraction

import numpy as np

from ...network.encoding import Encoding
from ...network.layer import MAX_BITS
from ..file.graph import Node
from .quantizers import Constant, bits_of, parameter

# Different values that weights without a quantizer may have: a grid of 8 bits has no more.
_MAX_VALUES = 256


def integer_weights(
    node: Node, constants: dict[str, Constant]
) -> tuple[np.ndarray, list[Fraction], int | None]:
    """(values int64 with the output channels first, scale per output channel, declared width)."""
    array = parameter(node, constants, 1, "weight tensor")
    constant = constants[node.inputs[1]]
    if array.size == 0 or array.ndim < 2:
        node.refuse(f"weights have shape {array.shape}", "two axes or more, none of them 0")
    declared: int | None
    if constant.grid is not None:
        values, scale, declared = constant.grid.values, constant.grid.scale, constant.grid.bits
    else:
        values, scale, declared = _found_grid(node, array)
    if node.op == "MatMul" or (node.op == "Gemm" and not node.integer("transB")):
        if values.ndim > 2 and set(values.shape[:-2]) == {1}:
            values, scale = values.reshape(values.shape[-2:]), scale.reshape(scale.shape[-2:])
        values, scale = values.T, scale.T
    if node.op != "Conv" and values.ndim != 2:
        node.refuse(f"weights have shape {values.shape}", "a matrix")
    if not any(scale.strides):
        return values, [Fraction(scale.flat[0].item())] * len(values), declared
    rows = scale.reshape(len(values), -1)
    if (rows != rows[:, :1]).any():
        node.refuse(
            "the scale of the weights differs within an output channel",
            "one scale per tensor or per output channel",
        )
    return values, [Fraction(s) for s in rows[:, 0].tolist()], declared


def _found_grid(node: Node, array: np.ndarray) -> tuple[np.ndarray, np.ndarray, None]:
    """Integers of weights that no quantizer made: multiples of their greatest common divisor."""
    distinct = np.unique(array)
    problem = f"the weights {node.inputs[1]} are not quantized"
    accepted = "a Quant or BipolarQuant node on them, 1 to 8 bits"
    if len(distinct) > _MAX_VALUES:
        node.refuse(problem, accepted)
    exact = [Fraction(value) for value in distinct.tolist()]
    common = max(f.denominator for f in exact)
    divisor = int(np.gcd.reduce([int(f * common) for f in exact], dtype=object)) or 1
    integers = [int(f * common) // divisor for f in exact]
    if max(map(abs, integers)) > _MAX_VALUES:
        node.refuse(problem, accepted)
    values = np.array(integers, np.int64)[np.searchsorted(distinct, array)]
    return values, np.full(array.shape, float(Fraction(divisor, common))), None


def choose_encoding(node: Node, values: np.ndarray, declared: int | None) -> tuple[int, Encoding]:
    """(w_bits, encoding) of integer weights; declared: their width, or None."""
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    odd = (values & 1).all()
    bits = max(-low, high).bit_length()
    if odd and bits <= MAX_BITS and (declared is None or bits <= declared):
        return bits, Encoding.BIPOLAR
    bits = max(bits_of(low, high), declared or 1)
    if bits > MAX_BITS:
        node.refuse(f"its weights have {bits} bits ({low}..{high})", f"1..{MAX_BITS} bits")
    return bits, Encoding.plain(low < 0)
