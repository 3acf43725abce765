"""Operators on constants: evaluated once, in float32 as every executor does."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from ..errors import InputError
from .file.graph import Node
from .layout import layout_function
from .quantizers import QUANTIZERS, Constant, Grid, quantize_constant, read_quantizer

# Elements that a constant may grow to by broadcasting.
_MAX_SIZE = 1 << 27
_CASTS = {1: np.float32, 6: np.int32, 7: np.int64, 11: np.float64}
# Inputs that layout operators need at least.
_LAYOUT_INPUTS = {"Reshape": 2}
# Operators that leave their input as it is.
PASSING = ("Identity", "Dropout", "Cast", "DebugMarker")
# Operators that make constants alone.
CONSTANT = ("Constant", "Shape", "Concat", "Gather")


def fold(node: Node, constants: dict[str, Constant]) -> Constant:
    """The Constant that `node`, whose inputs are all in `constants`, computes."""
    if node.op == "Constant":
        return Constant(_constant(node))
    inputs = [constants[name] for name in node.inputs if name]
    if node.op in QUANTIZERS:
        if not inputs:
            node.refuse("has no inputs", "the tensor, scale, zero point and bit width")
        return quantize_constant(node, inputs[0], read_quantizer(node, constants))
    least, evaluate = _FOLDED.get(node.op, (_LAYOUT_INPUTS.get(node.op, 1), None))
    if len(inputs) < least:
        node.refuse(f"has {len(inputs)} inputs", f"at least {least}")
    try:
        with np.errstate(all="ignore"):
            if evaluate is not None:
                return evaluate(node, inputs)
            return map_constant(inputs[0], layout_function(node, inputs[0].array.shape, constants))
    except InputError:
        raise
    except (ValueError, IndexError, TypeError) as error:
        node.refuse(
            f"its constants do not fit ({str(error).splitlines()[0]})", "constants of matching shapes"
        )


def _constant(node: Node) -> np.ndarray:
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        value = node.attributes.get(name)
        if isinstance(value, np.ndarray):
            return value
        if value is not None:
            return np.array(value, np.float32 if "float" in name else np.int64)
    return node.refuse("holds no value", "a number or a tensor")


def map_constant(constant: Constant, function: Callable[[np.ndarray], np.ndarray]) -> Constant:
    """The Constant with its elements moved by `function`, its integers and scales alike."""
    if constant.grid is None:
        return Constant(function(constant.array))
    grid = constant.grid
    moved = Grid(function(grid.values), function(grid.scale), grid.bits)
    return Constant(function(constant.array), moved)


def _first(node: Node, inputs: list[Constant]) -> Constant:
    return inputs[0]


def _cast(node: Node, inputs: list[Constant]) -> Constant:
    to = node.integer("to", 0)
    if to not in _CASTS:
        node.refuse(f"casts to type {to}", "float32, float64, int32, int64")
    return inputs[0] if inputs[0].grid else Constant(inputs[0].array.astype(_CASTS[to]))


def _concat(node: Node, inputs: list[Constant]) -> Constant:
    return Constant(np.concatenate([np.atleast_1d(item.array) for item in inputs], node.integer("axis", 0)))


def _gather(node: Node, inputs: list[Constant]) -> Constant:
    return Constant(np.take(inputs[0].array, inputs[1].array, node.integer("axis", 0)))


def _unary(function: Callable[[np.ndarray], np.ndarray], node: Node, inputs: list[Constant]) -> Constant:
    return Constant(function(inputs[0].array))


def _arithmetic(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], node: Node, inputs: list[Constant]
) -> Constant:
    first, second = inputs[:2]
    shape = np.broadcast_shapes(first.array.shape, second.array.shape)
    if math.prod(shape) > _MAX_SIZE:
        node.refuse(f"a constant of {math.prod(shape)} elements", f"at most {_MAX_SIZE}")
    result = function(first.array, second.array)
    if first.array.dtype == np.float32 == second.array.dtype:
        result = result.astype(np.float32)
    if node.op == "Mul":
        for quantized, factor in ((first, second), (second, first)):
            grid = quantized.grid
            if grid is None or quantized.array.shape != shape or not (factor.array > 0).all():
                continue
            # Two float32 factors have an exact product in float64; of more it would be rounded.
            if (grid.scale.astype(np.float32) == grid.scale).all():
                scale = grid.scale * factor.array.astype(np.float64)
                return Constant(result, Grid(grid.values, scale, grid.bits))
    return Constant(result)


# Operator -> the inputs that it needs at least, and what it makes of them.
_FOLDED: dict[str, tuple[int, Callable[[Node, list[Constant]], Constant]]] = {
    "Identity": (1, _first),
    "Dropout": (1, _first),
    "DebugMarker": (1, _first),
    "Cast": (1, _cast),
    "Mul": (2, partial(_arithmetic, np.multiply)),
    "Div": (2, partial(_arithmetic, np.divide)),
    "Add": (2, partial(_arithmetic, np.add)),
    "Sub": (2, partial(_arithmetic, np.subtract)),
    "Pow": (2, partial(_arithmetic, np.power)),
    "Neg": (1, partial(_unary, np.negative)),
    "Sqrt": (1, partial(_unary, np.sqrt)),
    "Abs": (1, partial(_unary, np.abs)),
    "Floor": (1, partial(_unary, np.floor)),
    "Ceil": (1, partial(_unary, np.ceil)),
    "Reciprocal": (1, partial(_unary, np.reciprocal)),
    "Concat": (1, _concat),
    "Gather": (2, _gather),
}
