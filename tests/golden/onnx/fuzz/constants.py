"""Constants of a drawn graph in every form that a file gives them, and what is drawn of them."""

import numpy as np
from onnx import numpy_helper

from .drawing import BREVITAS, GENERAL, element

_TYPES = {"float32": "FLOAT", "float64": "DOUBLE", "int32": "INT32", "int64": "INT64", "int8": "INT8"}


def constant(d, array, dtype=np.float32):
    """The name of a constant of the array's shape and this dtype; nodes may compute other values."""
    array = np.asarray(array, dtype)
    if array.dtype.name in _TYPES and d.maybe(0.12) and (made := d.attempt(_computed, array)):
        return made
    if d.maybe(0.25) and (made := d.attempt(_node, array)):
        return made
    return d.initializer(array)


def integers(d, values):
    """An int64 constant, as shapes and axes are."""
    return constant(d, values, np.int64)


def _node(d, array):
    """A Constant node with one of its attributes."""
    if d.opset >= 12 and array.ndim < 2 and array.dtype in (np.float32, np.int64) and d.maybe(0.6):
        name = ("value_float" if array.dtype == np.float32 else "value_int") + "s" * array.ndim
        return d.op("Constant", [], **{name: array.tolist()})
    return d.op("Constant", [], value=numpy_helper.from_array(array, "value"))


def _computed(d, array):
    """The result of nodes on constants."""
    forms = [_arithmetic, _unary, _moved, _cut, _cast]
    if (array == np.rint(array)).all() or d.odd():
        # Operators that cut leave whole numbers as they are.
        forms.append(_whole)
    made = d.pick(forms)(d, array)
    fits = d.shape(made) == array.shape and d.context[made].dtype == array.dtype
    return made if fits else d.initializer(array)


def _arithmetic(d, array):
    kind = d.pick(["Mul", "Div", "Add", "Sub", "Pow"])
    if kind == "Pow":
        base = np.abs(array) if array.dtype.kind == "f" else array
        return d.op(kind, [d.initializer(base), d.initializer(np.array(d.pick([1, 2], [3, 1]), array.dtype))])
    other = np.array(d.pick([2, 3, -2, 4]), array.dtype)
    shifted = {
        "Mul": array if array.dtype.kind == "i" else array / other,
        "Div": array * other + d.between(0, 1),
        "Add": array - other,
        "Sub": array + other,
    }
    return d.op(kind, [d.initializer(shifted[kind].astype(array.dtype)), d.initializer(other)])


def _unary(d, array):
    kind = d.pick({"Neg": 2, "Sqrt": 2, "Abs": 2, "Reciprocal": 2, "Identity": 2, "Relu": 0.3})
    given = {"Neg": -array, "Sqrt": array * array, "Reciprocal": 1 / np.where(array == 0, 1, array)}
    return d.op(kind, [d.initializer(given.get(kind, array).astype(array.dtype))])


def _whole(d, array):
    """Rounded, or through a type that cuts or has fewer values."""
    if d.maybe(0.4):
        return d.op(d.pick({"Floor": 3, "Ceil": 3, "Round": 1}), [d.initializer(array)])
    kind = d.pick({"INT32": 4, "INT64": 4, "INT8": 2, "BOOL": 0.5, "FLOAT16": 0.5})
    through = d.op("Cast", [d.initializer(array)], to=element(kind))
    return d.op("Cast", [through], to=element(_TYPES[array.dtype.name]))


def _moved(d, array):
    kinds = ["Transpose", "Unsqueeze", "Squeeze", "Dropout"]
    kind = d.pick([*kinds, "Reshape"] if array.ndim or d.odd() else kinds)
    if kind == "Transpose":
        return d.op(kind, [d.initializer(array.T)])
    if kind == "Reshape":
        target = d.initializer(np.array(array.shape, np.int64))
        return d.op(kind, [d.initializer(array.ravel()), target])
    if kind == "Dropout":
        return d.op(kind, [d.initializer(array)])
    if kind == "Squeeze":
        return with_axes(d, kind, d.initializer(array[None]), [0])
    first = d.initializer(array[0] if len(array.shape) and array.shape[0] == 1 else array)
    return with_axes(d, kind, first, [0])


def _cut(d, array):
    if array.ndim and array.shape[0] > 1 and d.maybe(0.5):
        parts = [d.initializer(array[:1]), d.initializer(array[1:])]
        return d.op("Concat", parts, axis=d.pick([0, -array.ndim]))
    table = d.initializer(np.stack([array + 1, array]).astype(array.dtype))
    return d.op("Gather", [table, d.initializer(np.array(d.pick([1, -1]), np.int64))], axis=d.pick([0, None]))


def _cast(d, array):
    """From another type."""
    other = d.pick(["float64", "float32"])
    return d.op("Cast", [d.initializer(array.astype(other))], to=element(_TYPES[array.dtype.name]))


def with_axes(d, kind, tensor, axes, since=13, **attributes):
    """A node whose axes are an attribute, from version `since` of ONNX on an input."""
    if d.opset < since:
        return d.op(kind, [tensor], axes=axes, **attributes)
    return d.op(kind, [tensor, integers(d, axes)], **attributes)


def number(d, low=-2.0, high=2.0):
    """A random number, a short binary fraction where the graph has only these."""
    value = d.rng.uniform(low, high)
    return float(np.round(value * 8) / 8 if d.dyadic else np.float32(value))


def factor(d, negative=0.15):
    """A number that is not 0 to multiply with."""
    sign = -1 if d.maybe(negative) else 1
    return sign * (d.pick([0.25, 0.5, 1, 2, 4]) if d.dyadic else float(np.float32(d.rng.uniform(0.3, 3))))


def operand_shape(d, tensor):
    """A shape that broadcasts to `tensor` without making it larger, mostly one number per channel."""
    shape = d.shape(tensor)
    rank = len(shape)
    if rank < 2:
        return ()
    ones = (1,) * rank
    shapes = [(), (1,), ones, (1, shape[1]) + ones[2:], (shape[1],) + ones[2:]]
    if d.odd():
        shapes = [(1, *shape[1:]), shape[-1:], (shape[0],) + ones[1:], shape]
    return d.pick(shapes)


def operand(d, tensor, draw):
    """A float constant of draw(d) per element that broadcasts to `tensor`."""
    shape = operand_shape(d, tensor)
    return constant(d, np.array([draw(d) for _ in range(int(np.prod(shape)))]).reshape(shape))


def weight(d, shape, axis=0):
    """Weights on a grid of few bits; axis: of the output channels."""
    form = d.pick({"quant": 60, "bipolar": 12, "integers": 12, "signs": 6, "cast": 10})
    if form == "integers":
        return constant(d, d.rng.integers(-3, 4, shape) * factor(d, 0))
    if form == "signs":
        return constant(d, d.rng.choice([-1, 1], shape) * factor(d, 0))
    if form == "cast":
        name = d.op("Cast", [constant(d, d.rng.integers(-7, 8, shape), np.int8)], to=element("FLOAT"))
        return d.op("Mul", [name, constant(d, factor(d, 0))])
    values = constant(d, d.rng.normal(size=shape).round(3))
    ones = [1] * len(shape)
    ones[axis] = shape[axis] if d.maybe(0.3) else 1
    scale = np.array([factor(d, 0) / 4 for _ in range(max(ones))])
    scale = scale.reshape(ones if d.maybe(0.5) or max(ones) > 1 else ())
    if form == "bipolar":
        return d.op("BipolarQuant", [values, constant(d, scale)], domain=d.pick([GENERAL, BREVITAS]))
    bits, signed = d.pick([1, 2, 3, 4, 8], [1, 3, 4, 4, 1]), d.pick([1, 0], [8, 1])
    quantized = quant(d, values, scale, bits, signed, zero=0)
    return d.attempt(_behind_quantizer, quantized) or quantized if d.maybe(0.06) else quantized


def _behind_quantizer(d, quantized):
    """Quantized weights after one more operator, of those that leave integers or not."""
    kind = d.pick({"Mul": 4, "Div": 1, "Add": 1, "Neg": 1, "Floor": 1, "Cast": 2, "Transpose": 1})
    if kind in ("Mul", "Div", "Add"):
        return d.op(kind, [quantized, constant(d, factor(d, 0.05))])
    if kind == "Cast":
        through = d.op(kind, [quantized], to=element(d.pick(["INT8", "INT32", "INT64", "DOUBLE", "BOOL"])))
        return d.op(kind, [through], to=element("FLOAT"))
    if kind == "Transpose":
        return d.op(kind, [d.op(kind, [quantized])])
    return d.op(kind, [quantized])


def quant(d, tensor, scale, bits, signed, zero):
    """A Quant or IntQuant node."""
    mode = d.pick(
        ["ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN", None],
        [6, 1, 1, 1, 1, 1, 1, 1, 2],
    )
    inputs = [tensor, constant(d, scale), constant(d, zero), constant(d, bits)]
    return d.op(
        d.pick(["Quant", "IntQuant"], [3, 1]),
        inputs,
        domain=d.pick([GENERAL, BREVITAS], [3, 1]),
        signed=signed,
        narrow=d.between(0, 1),
        rounding_mode=mode.lower() if mode and d.maybe(0.1) else mode,
    )
