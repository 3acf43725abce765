"""Operators on constants: evaluated once, in float32 as every executor does."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from ..errors import InputError
from .declared.meaning import INTEGERS
from .file.graph import Node
from .values.integer_quant import dequantize_constant_linear, quantize_constant_linear
from .values.layout import layout_function
from .values.quantizers import (
    QUANTIZERS,
    Constant,
    Grid,
    quantize_constant,
    read_quantizer,
    scalar,
    type_range,
)
from .values.slicing import choices

# Elements that a constant may grow to by broadcasting.
_MAX_SIZE = 1 << 27
# Operators that leave their input as it is.
PASSING = ("Identity", "Dropout", "DebugMarker")
# Operators that make constants alone.
CONSTANT = ("Constant", "Shape")


def fold(node: Node, constants: dict[str, Constant]) -> Constant:
    """The Constant that `node`, whose inputs are all in `constants`, computes."""
    if node.op == "Constant":
        return Constant(_constant(node))
    check_inference(node, constants)
    inputs = [constants[name] for name in node.inputs if name]
    if node.op in QUANTIZERS:
        return quantize_constant(node, inputs[0], read_quantizer(node, constants))
    try:
        with np.errstate(all="ignore"):
            if node.op == "QuantizeLinear":
                return quantize_constant_linear(node, inputs[0].array, constants)
            if node.op == "DequantizeLinear":
                return dequantize_constant_linear(node, inputs[0].array, constants)
            if node.op == "Slice":
                return _sliced(node, inputs[0], constants)
            if node.op in _FOLDED:
                return _FOLDED[node.op](node, inputs)
            return map_constant(inputs[0], layout_function(node, inputs[0].array.shape, constants))
    except InputError:
        raise
    except (ValueError, IndexError, TypeError) as error:
        node.refuse(
            f"its constants do not fit ({str(error).splitlines()[0]})", "constants of matching shapes"
        )


def _constant(node: Node) -> np.ndarray:
    ((name, value),) = node.attributes.items()
    if isinstance(value, np.ndarray):
        return value
    return np.array(value, np.float32 if "float" in name else np.int64)


def map_constant(constant: Constant, function: Callable[[np.ndarray], np.ndarray]) -> Constant:
    """The Constant with its elements moved by `function`, its integers and scales alike."""
    if constant.grid is None:
        return Constant(function(constant.array))
    grid = constant.grid
    moved = Grid(function(grid.values), function(grid.scale), grid.bits)
    return Constant(function(constant.array), moved)


def check_inference(node: Node, constants: dict[str, Constant]) -> None:
    """Refuses a Dropout that drops."""
    if node.op == "Dropout" and node.has(2) and scalar(node, constants, 2, "training_mode"):
        node.refuse("training_mode is true", "false: a file exported for inference")


def shape_constant(node: Node, shape: tuple[int, ...]) -> Constant:
    """What a Shape node, which may start and end within, makes of a tensor of `shape`."""
    part = slice(node.attributes.get("start", 0), node.attributes.get("end"))
    return Constant(np.array(shape[part], np.int64))


def _first(node: Node, inputs: list[Constant]) -> Constant:
    return inputs[0]


def _shape(node: Node, inputs: list[Constant]) -> Constant:
    return shape_constant(node, inputs[0].array.shape)


def _cast(node: Node, inputs: list[Constant]) -> Constant:
    array = inputs[0].array
    if array.dtype.kind == "f" and node.result in INTEGERS:
        whole, (low, high) = np.trunc(array), type_range(node.result)
        # As floats, of which the one next to the greatest integer may be too large.
        if not ((whole >= low) & (whole < float(high) + 1)).all():
            node.refuse(f"casts numbers that {node.result} does not hold", f"{low}..{high}")
    result = array.astype(node.result)
    return Constant(result, inputs[0].grid if (result == array).all() else None)


def _concat(node: Node, inputs: list[Constant]) -> Constant:
    return Constant(np.concatenate([item.array for item in inputs], node.integer("axis")))


def _gather(node: Node, inputs: list[Constant]) -> Constant:
    return Constant(np.asarray(np.take(inputs[0].array, inputs[1].array, node.integer("axis"))))


def _sliced(node: Node, constant: Constant, constants: dict[str, Constant]) -> Constant:
    """What a Slice node takes of a constant."""
    ((chosen, _),) = choices(node, constant.array.shape, constants)

    def taken(array: np.ndarray) -> np.ndarray:
        for axis, places in chosen.items():
            array = np.take(array, places, axis)
        return array

    return map_constant(constant, taken)


def _unary(function: Callable[[np.ndarray], np.ndarray], node: Node, inputs: list[Constant]) -> Constant:
    return Constant(np.asarray(function(inputs[0].array)))


def _arithmetic(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray], node: Node, inputs: list[Constant]
) -> Constant:
    first, second = inputs
    shape = np.broadcast_shapes(first.array.shape, second.array.shape)
    if math.prod(shape) > _MAX_SIZE:
        node.refuse(f"a constant of {math.prod(shape)} elements", f"at most {_MAX_SIZE}")
    if first.array.dtype.kind in "iu":
        function = {"Div": partial(_quotient, node), "Pow": partial(_power, node)}.get(node.op, function)
    result = np.asarray(function(first.array, second.array), first.array.dtype)
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


def _quotient(node: Node, dividend: np.ndarray, divisor: np.ndarray) -> np.ndarray:
    """Integer division, towards zero."""
    if not divisor.all():
        node.refuse("divides by 0", "divisors that are not 0")
    if np.any((divisor == -1) & (dividend == np.iinfo(dividend.dtype).min) & (dividend < 0)):
        node.refuse("divides the least integer by -1, which overflows", "quotients that their type holds")
    floor, rest = np.divmod(dividend, divisor)
    return floor + ((rest != 0) & ((dividend < 0) != (divisor < 0)))


def _power(node: Node, base: np.ndarray, exponent: np.ndarray) -> np.ndarray:
    """Powers of integers, which executors compute as floating-point numbers."""
    power = np.power(base.astype(np.float64), exponent)
    if not (np.abs(power) < min(1 << 53, np.iinfo(base.dtype).max)).all():
        node.refuse("makes powers beyond its type or 2^53", "powers that are exact")
    return np.trunc(power)


# Operator -> what it makes of its inputs.
_FOLDED: dict[str, Callable[[Node, list[Constant]], Constant]] = {
    "Identity": _first,
    "Dropout": _first,
    "Shape": _shape,
    "DebugMarker": _first,
    "Cast": _cast,
    "Mul": partial(_arithmetic, np.multiply),
    "Div": partial(_arithmetic, np.divide),
    "Add": partial(_arithmetic, np.add),
    "Sub": partial(_arithmetic, np.subtract),
    "Pow": partial(_arithmetic, np.power),
    "Neg": partial(_unary, np.negative),
    "Sqrt": partial(_unary, np.sqrt),
    "Abs": partial(_unary, np.abs),
    "Floor": partial(_unary, np.floor),
    "Ceil": partial(_unary, np.ceil),
    "Reciprocal": partial(_unary, np.reciprocal),
    "Concat": _concat,
    "Gather": _gather,
}
