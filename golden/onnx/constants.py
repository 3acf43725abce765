"""Operators on constants: evaluated once, in float32 as every executor does."""

import math

import numpy as np

from ..errors import InputError
from .quantizers import QUANTIZERS, Constant, Grid, parameter, quantize_constant, read_quantizer

# Elements that a constant may grow to by broadcasting.
_MAX_SIZE = 1 << 27
_ARITHMETIC = {"Mul": np.multiply, "Div": np.divide, "Add": np.add, "Sub": np.subtract, "Pow": np.power}
_UNARY = {
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Abs": np.abs,
    "Floor": np.floor,
    "Ceil": np.ceil,
    "Reciprocal": np.reciprocal,
}
_CASTS = {1: np.float32, 6: np.int32, 7: np.int64, 11: np.float64}


def fold(node, constants):
    """The Constant that `node`, whose inputs are all in `constants`, computes."""
    op = node.op
    if op == "Constant":
        return Constant(_constant(node))
    inputs = [constants[name] for name in node.inputs if name]
    if op in QUANTIZERS:
        if not inputs:
            node.refuse("has no inputs", "the tensor, scale, zero point and bit width")
        return quantize_constant(node, inputs[0], read_quantizer(node, constants))
    needed = {"Concat": 1, "Unsqueeze": 1, "Squeeze": 1, "Reshape": 2, "Gather": 2} | dict.fromkeys(
        _ARITHMETIC, 2
    )
    if len(inputs) < needed.get(op, 1):
        node.refuse(f"has {len(inputs)} inputs", f"at least {needed.get(op, 1)}")
    try:
        with np.errstate(all="ignore"):
            return _evaluate(node, constants, inputs)
    except InputError:
        raise
    except (ValueError, IndexError, TypeError) as error:
        node.refuse(
            f"its constants do not fit ({str(error).splitlines()[0]})", "constants of matching shapes"
        )


def _constant(node):
    for name in ("value", "value_float", "value_int", "value_floats", "value_ints"):
        value = node.attributes.get(name)
        if isinstance(value, np.ndarray):
            return value
        if value is not None:
            return np.array(value, np.float32 if "float" in name else np.int64)
    return node.refuse("holds no value", "a number or a tensor")


def _evaluate(node, constants, inputs):
    op, first = node.op, inputs[0]
    if op in ("Identity", "Dropout", "DebugMarker"):
        return first
    if op == "Cast":
        to = node.integer("to", 0)
        if to not in _CASTS:
            node.refuse(f"casts to type {to}", "float32, float64, int32, int64")
        return first if first.grid else Constant(first.array.astype(_CASTS[to]))
    if op in _ARITHMETIC:
        return _arithmetic(node, *inputs[:2])
    if op in _UNARY:
        return Constant(_UNARY[op](first.array))
    if op == "Concat":
        axis = node.integer("axis", 0)
        return Constant(np.concatenate([np.atleast_1d(item.array) for item in inputs], axis))
    if op == "Gather":
        return Constant(np.take(first.array, inputs[1].array, node.integer("axis", 0)))
    return map_constant(first, layout_function(node, first.array.shape, constants))


def layout_function(node, shape, constants):
    """A function that applies Reshape, Flatten, Transpose, Squeeze or Unsqueeze to an array."""
    op = node.op
    if op == "Transpose":
        perm = node.integers("perm") or tuple(reversed(range(len(shape))))
        return lambda array: np.transpose(array, perm)
    if op not in ("Reshape", "Flatten", "Squeeze", "Unsqueeze"):
        node.refuse(
            "is not supported on constants", "Quant nodes with integers on weights, other constants folded"
        )
    target = target_shape(node, shape, constants)
    return lambda array: array.reshape(target)


def target_shape(node, shape, constants):
    """The shape after Reshape, Flatten, Squeeze or Unsqueeze of a tensor of `shape`."""
    op = node.op
    if op == "Flatten":
        axis = node.integer("axis", 1)
        axis += len(shape) if axis < 0 else 0
        return math.prod(shape[:axis]), math.prod(shape[axis:])
    if op == "Reshape":
        target = [int(size) for size in parameter(node, constants, 1, "shape").ravel()]
        if not node.integer("allowzero", 0):
            target = [shape[i] if size == 0 and i < len(shape) else size for i, size in enumerate(target)]
        if target.count(-1) == 1:
            rest = math.prod(size for size in target if size != -1)
            if rest > 0 and math.prod(shape) % rest == 0:
                target[target.index(-1)] = math.prod(shape) // rest
        if min(target, default=1) < 1 or math.prod(target) != math.prod(shape):
            node.refuse(
                f"shape {tuple(target)} for a tensor of shape {tuple(shape)}", "a shape of as many elements"
            )
        return tuple(target)
    axes = node.integers("axes")
    if axes is None and len(node.inputs) > 1:
        axes = tuple(int(axis) for axis in parameter(node, constants, 1, "axes").ravel())
    count = len(shape) + (0 if op == "Squeeze" else len(axes or ()))
    distinct = {axis + count if axis < 0 else axis for axis in axes or ()}
    if len(distinct) != len(axes or ()) or not distinct <= set(range(count)):
        node.refuse(f"axes are {axes}", f"different ones below {count}")
    if op == "Squeeze":
        drop = distinct or {axis for axis in range(count) if shape[axis] == 1}
        if any(shape[axis] != 1 for axis in drop):
            node.refuse(f"squeezes axes {sorted(drop)} of shape {tuple(shape)}", "axes of size 1")
        return tuple(size for axis, size in enumerate(shape) if axis not in drop)
    if not axes:
        node.refuse("has no axes", "axes as an attribute or a constant")
    rest = iter(shape)
    return tuple(1 if place in distinct else next(rest) for place in range(count))


def map_constant(constant, function):
    """The Constant with its elements moved by `function`, its integers and scales alike."""
    if constant.grid is None:
        return Constant(function(constant.array))
    grid = constant.grid
    moved = Grid(function(grid.values), function(grid.scale), grid.bits)
    return Constant(function(constant.array), moved)


def _arithmetic(node, first, second):
    shape = np.broadcast_shapes(first.array.shape, second.array.shape)
    if math.prod(shape) > _MAX_SIZE:
        node.refuse(f"a constant of {math.prod(shape)} elements", f"at most {_MAX_SIZE}")
    result = _ARITHMETIC[node.op](first.array, second.array)
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
