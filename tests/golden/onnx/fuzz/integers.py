"""Drawn integer sections: tensors of integer types and of bool between two Cast nodes."""

import numpy as np

from .constants import constant, number
from .drawing import element

_BITS = {
    "INT8": 8,
    "INT16": 16,
    "INT32": 32,
    "INT64": 64,
    "UINT8": 8,
    "UINT16": 16,
    "UINT32": 32,
    "UINT64": 64,
}


def section(d, tensor):
    """Floats to integers, what is computed there, and back."""
    kinds = {"INT8": 4, "INT32": 4, "INT64": 3, "UINT8": 2, "BOOL": 0.6, "INT16": 0.5}
    name = d.pick(kinds | dict.fromkeys(("UINT16", "UINT32", "UINT64"), 0.15))
    if d.maybe(0.6):
        # To steps of a quantizer.
        most = float(np.abs(d.context[tensor]).max()) or 1.0
        gain = 2.0 ** np.round(np.log2(d.between(2, 60) / most))
        tensor = d.op("Mul", [tensor, constant(d, gain if d.dyadic else gain * d.rng.uniform(0.7, 1.4))])
    if d.maybe(0.5):
        tensor = d.op(d.pick(["Floor", "Ceil", "Round"]), [tensor])
    bits = _BITS.get(name, 2)
    low, high = (
        (0.0, 2.0**bits - 1) if name.startswith("U") else (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1)
    )
    array = d.context[tensor]
    if name != "BOOL" and (array.min() < low or array.max() > high or d.maybe(0.3)):
        tensor = _bounded(d, tensor, max(low, -100), min(high, 100))
    tensor = d.op("Cast", [tensor], to=element(name))
    for _ in range(d.pick([0, 1, 2, 3], [2, 4, 3, 1])):
        tensor = d.attempt(_step, tensor) or tensor
    if d.odd():
        tensor = d.op("Cast", [tensor], to=element(d.pick(list(_BITS))))
    tensor = d.op("Cast", [tensor], to=element("FLOAT"))
    return d.op("Mul", [tensor, constant(d, d.pick([0.25, 0.5, 2.0]))]) if d.maybe(0.4) else tensor


def _bounded(d, tensor, low, high):
    """Clip in float, at whole numbers or not."""
    low, high = (
        float(bound) if d.maybe(0.7) else number(d, bound / 2 - 1, bound / 2) for bound in (low, high)
    )
    if d.opset < 11:
        return d.op("Clip", [tensor], min=min(low, high), max=max(low, high))
    return d.op("Clip", [tensor, constant(d, min(low, high)), constant(d, max(low, high))])


def _step(d, tensor):
    """An operator on integers."""
    array = d.context[tensor]
    if array.dtype == bool:
        return d.op(d.pick({"Not": 1, "Identity": 3}), [tensor])
    kind = d.pick(
        {
            "Mul": 3,
            "Add": 3,
            "Sub": 2,
            "Div": 4,
            "Neg": 1,
            "Clip": 2,
            "Relu": 1,
            "Identity": 0.5,
            "MaxPool": 0.5,
        }
    )
    if kind in ("Neg", "Relu", "Identity"):
        return d.op(kind, [tensor])
    if kind == "MaxPool":
        if array.ndim < 3:
            return tensor
        return d.op(kind, [tensor], kernel_shape=[2] * (array.ndim - 2))
    if kind == "Clip":
        # Of integers: versions from 12 on.
        low, high = sorted((d.between(0 if array.dtype.kind == "u" else -20, 10), d.between(3, 60)))
        return d.op(kind, [tensor, constant(d, low, array.dtype), constant(d, high, array.dtype)])
    least = 1 if array.dtype.kind == "u" or kind == "Mul" and not d.odd() else -4
    low, high = (1, 3) if kind == "Mul" else (least, 7)
    values = d.rng.integers(
        low, high + 1, d.pick([(), (1,), (1, *array.shape[1:2]) + (1,) * (array.ndim - 2)])
    )
    if kind == "Div":
        values = np.where(np.isin(values, (0, -1)), 2, values)
    inputs = [tensor, constant(d, values, array.dtype)]
    if kind != "Div" and d.maybe(0.3):
        inputs.reverse()
    return d.op(kind, inputs)
