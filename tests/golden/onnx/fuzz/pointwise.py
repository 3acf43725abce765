"""Drawn operators that act on every element, in float: arithmetic, activations, normalization, dropout."""

import numpy as np

from .constants import constant, factor, number, operand, operand_shape
from .drawing import CHANNELS_LAST, element


def arithmetic(d, tensor):
    """Mul, Div, Add, Sub with a constant on either side."""
    kind = d.pick(["Mul", "Div", "Add", "Sub"])
    inputs = [tensor, operand(d, tensor, number if kind in ("Add", "Sub") else factor)]
    if kind in ("Mul", "Add") and d.maybe(0.5) or d.odd() or kind == "Sub" and d.maybe(0.3):
        inputs.reverse()
    return d.op(kind, inputs)


def unary(d, tensor):
    """An operator without parameters."""
    kinds = {"Neg": 1, "Relu": 3, "Identity": 1, "Floor": 1, "Ceil": 1, "Round": 1}
    if d.odd():
        kinds = {"Abs": 1, "Sign": 1, "Not": 1, "Sigmoid": 1, "Tanh": 1, "HardSigmoid": 1, "Sqrt": 1}
    return d.op(d.pick(kinds), [tensor])


def leaky(d, tensor):
    """LeakyRelu and PRelu."""
    if d.maybe(0.5):
        alpha = d.pick([0.25, 0.5, 2.0]) if d.dyadic else number(d, 0.05, 1)
        return d.op("LeakyRelu", [tensor], alpha=None if d.odd() else -alpha if d.odd() else alpha)
    shape = operand_shape(d, tensor)
    slopes = [factor(d, 0.02) for _ in range(int(np.prod(shape)))]
    return d.op("PRelu", [tensor, constant(d, np.array(slopes).reshape(shape))])


def clip(d, tensor):
    """Clip with bounds as attributes or inputs, one of them missing sometimes."""
    low, high = number(d, -2, 0), number(d, 0, 3)
    if d.odd():
        low, high = d.pick([(high, low), (-np.inf, high), (low, np.inf), (0.0, 0.0)])
    bounds = d.pick([(low, high), (low, None), (None, high), (None, None)], [5, 2, 2, 1])
    if d.opset < 11:
        return d.op("Clip", [tensor], min=bounds[0], max=bounds[1])
    inputs = [tensor, *("" if bound is None else constant(d, bound) for bound in bounds)]
    return d.op("Clip", inputs[: 2 if bounds[1] is None and d.maybe(0.5) else 3])


def normalize(d, tensor):
    """BatchNormalization with all its attributes and outputs."""
    rank, channels = len(d.shape(tensor)), d.shape(tensor)[1]
    domain = CHANNELS_LAST if rank > 2 and d.maybe(0.05) else ""
    gamma = [factor(d) for _ in range(channels)]
    beta, mean = ([number(d) for _ in range(channels)] for _ in "bm")
    exact = d.dyadic and d.maybe(0.85)
    var = [d.pick([0.25, 1, 4]) if exact else number(d, 0.3, 3) for _ in range(channels)]
    attributes = {"epsilon": 0.0 if exact else d.pick([None, 0.001, 1e-5])}
    if d.maybe(0.2):
        attributes["momentum"] = 0.5
    if d.maybe(0.1) and d.opset >= 14 and not domain:
        attributes["training_mode"] = int(d.odd(3))
    if d.maybe(0.1) and d.opset < 9 and not domain:
        attributes["spatial"] = int(not d.odd())
    if domain:
        tensor = d.op("Transpose", [tensor], perm=[0, *range(2, rank), 1])
    outputs = (3 if d.opset >= 14 else 5) if d.odd() else 1
    inputs = [tensor, *(constant(d, values) for values in (gamma, beta, mean, var))]
    made = d.op("BatchNormalization", inputs, outputs, domain, **attributes)
    made = made if isinstance(made, str) else made[0]
    return d.op("Transpose", [made], perm=[0, rank - 1, *range(1, rank - 1)]) if domain else made


def dropout(d, tensor):
    """Dropout; its mask is read sometimes."""
    ratio, training, attributes, inputs = (
        d.pick([None, 0.0, 0.25]),
        d.pick([None, False, True], [6, 4, 0.3]),
        {},
        [tensor],
    )
    if d.opset < 12:
        attributes["ratio"] = ratio
    elif ratio is not None or training is not None:
        inputs.append("" if ratio is None else constant(d, ratio))
        if training is not None:
            inputs.append(constant(d, training, np.bool_))
    made = d.op("Dropout", inputs, 1 if d.maybe(0.5) else 2, **attributes)
    if isinstance(made, str):
        return made
    result, mask = made
    if not d.odd(2):
        return result
    if d.context[mask].dtype == bool:
        mask = d.op("Cast", [mask], to=element("FLOAT"))
    return mask if d.maybe(0.5) else d.op("Mul", [result, mask])


def wide(d, tensor):
    """To another type of float and back, with arithmetic there sometimes."""
    kind, dtype = d.pick([("DOUBLE", np.float64), ("FLOAT16", np.float16)], [3, 1])
    made = d.op("Cast", [tensor], to=element(kind))
    if d.maybe(0.5):
        made = d.op(d.pick(["Mul", "Add"]), [made, constant(d, factor(d), dtype)])
    return d.op("Cast", [made], to=element("FLOAT"))


POINTWISE = {arithmetic: 8, unary: 4, leaky: 3, clip: 2, normalize: 5, dropout: 1.5, wide: 0.3}
