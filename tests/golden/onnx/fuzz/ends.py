"""Both ends of a drawn graph: how the image comes in, and what follows the scores."""

import numpy as np

from .constants import constant, factor, integers, quant
from .drawing import GENERAL, element
from .pointwise import arithmetic, leaky

_ANNOTATED = {
    "UINT4": (0, 15),
    "INT3": (-4, 3),
    "UINT2": (0, 3),
    "BIPOLAR": (-1, 1),
    "BINARY": (0, 1),
    "TERNARY": (-1, 1),
    "UINT8": (0, 255),
    "INT8": (-128, 127),
}


def image(d):
    """The image as floats on a grid: quantized, counted, or of a declared type."""
    axes = d.pick({4: 5, 3: 2, 2: 3})
    sizes = {
        4: (d.between(1, 3), d.between(3, 6), d.between(3, 6)),
        3: (d.between(1, 4), d.between(4, 9)),
        2: (d.between(3, 8),),
    }
    shape = (d.batch, *sizes[axes])
    moved = axes == 4 and d.maybe(0.1)
    shape = (shape[0], *shape[2:], shape[1]) if moved else shape
    tensor = d.pick({_quantized: 60, _bipolar: 8, _typed: 16, _annotated: 12, _counted: 6})(d, shape)
    return d.op("Transpose", [tensor], perm=[0, 3, 1, 2]) if moved else tensor


def _floats(d, shape, reach):
    """The input as normal floats of about this size."""

    def draw():
        return (d.rng.normal(size=shape) * reach).astype(np.float32)

    tensor = d.images(draw(), draw)
    for step in (leaky, arithmetic) if d.odd() else ():
        tensor = d.attempt(step, tensor) or tensor
    return tensor


def _quantized(d, shape):
    bits, signed = d.pick([1, 2, 3, 4, 8], [1, 3, 3, 3, 2]), d.between(0, 1)
    scale = factor(d, 0) / 4
    zero = d.pick([0, 1, 2, 0.5]) if d.maybe(0.12) else 0
    return quant(d, _floats(d, shape, scale * 2**bits / 2), scale, bits, signed, zero)


def _bipolar(d, shape):
    return d.op("BipolarQuant", [_floats(d, shape, 1), constant(d, factor(d, 0))], domain=GENERAL)


def _counted(d, shape):
    count, channels = d.between(1, 7), d.pick([1, shape[1]])
    table = np.sort(d.rng.integers(-16, 17, (channels, count)) / 8)
    return d.op(
        "MultiThreshold", [_floats(d, shape, 1.5), constant(d, table)], domain=GENERAL, out_dtype="UINT4"
    )


def _typed(d, shape):
    """Elements of an integer type, cast to float behind operators of that type sometimes."""
    dtype = d.pick([np.uint8, np.int8, np.int16], [8, 6, 1])

    def draw():
        return d.rng.integers(-100 if dtype != np.uint8 else 0, 101, shape).astype(dtype)

    tensor = d.images(draw(), draw)
    if d.odd(2):
        inputs = [tensor, constant(d, d.between(1, 3), dtype)]
        tensor = d.attempt(lambda d: d.op(d.pick(["Add", "Sub", "Mul", "Div"]), inputs)) or tensor
    if d.odd():
        return quant(d, tensor, factor(d, 0), 4, int(dtype != np.uint8), 0)
    tensor = d.op("Cast", [tensor], to=element("FLOAT"))
    return d.op("Mul", [tensor, constant(d, factor(d, 0) / 16)]) if d.maybe(0.5) else tensor


def _annotated(d, shape):
    d.annotation = d.pick(list(_ANNOTATED))
    low, high = _ANNOTATED[d.annotation]

    def draw():
        if d.annotation == "BIPOLAR":
            return d.rng.choice([-1, 1], shape).astype(np.float32)
        return d.rng.integers(low, high + 1, shape).astype(np.float32)

    tensor = d.images(draw(), draw)
    return d.op("Mul", [tensor, constant(d, factor(d, 0))]) if d.maybe(0.4) else tensor


def behind(d, scores):
    """What follows the scores: (the tensor of the scores, operator or "", the outputs)."""
    kind = d.pick(
        {
            "": 4,
            "Softmax": 1,
            "LogSoftmax": 1,
            "Sigmoid": 0.5,
            "ArgMax": 2,
            "TopK": 2,
            "Identity": 0.3,
            "Cast": 0.3,
        }
    )
    if not kind:
        return scores, kind, [scores]
    if kind in ("Identity", "Cast"):
        to = element(d.pick(["FLOAT", "DOUBLE", "INT64", "INT32", "BOOL"])) if kind == "Cast" else None
        made = d.op(kind, [scores], to=to)
        return made, "", [made]
    if kind in ("Softmax", "LogSoftmax"):
        return scores, kind, [d.op(kind, [scores], axis=0 if d.odd() else d.pick([None, 1, -1]))]
    if kind == "ArgMax":
        attributes = {"axis": 0 if d.odd() else d.pick([1, -1]), "keepdims": d.pick([None, 0, 1])}
        if d.odd():
            del attributes["axis"]
        if d.opset >= 12 and d.maybe(0.2):
            attributes["select_last_index"] = d.pick([0, 1], [4, 1])
        return scores, kind, [d.op(kind, [scores], **attributes)]
    if kind == "TopK":
        return _top(d, scores)
    return scores, kind, [d.op(kind, [scores])]


def _top(d, scores):
    """TopK, of which either output is that of the file."""
    count = d.between(1, d.shape(scores)[1])
    attributes = {"axis": 0 if d.odd() else d.pick([None, 1, -1])}
    if d.opset < 10:
        made = d.op("TopK", [scores], 2, k=count, **attributes)
    else:
        if d.opset >= 11 and d.maybe(0.3):
            attributes |= {"largest": d.pick([1, 0], [4, 1]), "sorted": d.pick([1, 0], [4, 1])}
        made = d.op("TopK", [scores, integers(d, [count])], 2, **attributes)
    order = "" if attributes.get("sorted", 1) else " in any order"
    if d.maybe(0.2):
        return scores, *d.pick([("TopK" + order, made[::-1]), ("TopK values" + order, made)])
    return scores, *d.pick([("TopK" + order, [made[1]]), ("TopK values" + order, [made[0]])], [3, 1])
