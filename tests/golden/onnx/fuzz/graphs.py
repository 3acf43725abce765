"""A whole random graph: image, layers with quantizers between, scores, what follows them."""

from typing import NamedTuple

import numpy as np

from . import growing, integers, moves, pools
from .constants import constant, factor, number, operand, quant
from .drawing import GENERAL, Drawing, Unrunnable
from .ends import behind, image
from .layers import gemm, linear, matmul
from .pointwise import POINTWISE


class Drawn(NamedTuple):
    """A graph; scores: the tensor of the classes' scores; tail: the operator behind it, "" without;
    outputs: the tensors of the file's outputs, the answer of `tail` first."""

    drawing: Drawing
    scores: str
    tail: str
    outputs: list[str]


def draw(rng):
    """A Drawn; Unrunnable if no executor runs what was drawn."""
    d = Drawing(rng)
    tensor = image(d)
    kept = []
    for layer in range(d.pick([0, 1, 2, 3], [1, 4, 4, 2])):
        if layer or d.maybe(0.2):
            tensor = chain(d, tensor, d.pick([0, 1], [3, 1]))
        tensor = chain(d, again(d, linear, tensor), d.pick([0, 1, 2, 3], [1, 3, 3, 1]))
        if d.maybe(0.15):
            tensor = d.attempt(pools.pool, tensor) or tensor
        if d.maybe(0.1):
            tensor = d.attempt(growing.grow, tensor) or tensor
        if d.maybe(0.06):
            tensor = d.attempt(growing.part, tensor) or tensor
        tensor = residual(d, tensor, kept)
        tensor = again(d, quantize, tensor)
        if d.maybe(0.15):
            tensor = d.attempt(growing.grow, tensor) or tensor
        if d.maybe(0.15):
            tensor = d.attempt(growing.beside, tensor, kept) or tensor
        if d.maybe(0.06):
            tensor = d.attempt(growing.part, tensor) or tensor
        kept.append(tensor)
        if d.maybe(0.3):
            tensor = d.attempt(pools.pool, tensor) or tensor
        if d.maybe(0.2):
            tensor = d.attempt(integers.section, tensor) or tensor
        if d.maybe(0.15):
            tensor = d.attempt(moves.there_and_back, tensor) or tensor
        if d.maybe(0.1):
            tensor = quantize(d, tensor)
    return finish(d, tensor)


def finish(d, tensor):
    """The scores of a tensor, and what follows."""
    if len(d.shape(tensor)) > 2 and d.maybe(0.2):
        tensor = d.attempt(pools.whole, tensor) or tensor
    tensor = again(d, moves.flatten, tensor)
    if d.maybe(0.1):
        tensor = d.attempt(quantize, tensor) or tensor
    if len(d.shape(tensor)) != 2 or d.shape(tensor)[0] != d.batch:
        raise Unrunnable("lost the batch")
    classes = d.between(2, 6)
    if d.maybe(0.9):
        tensor = again(d, d.pick([gemm, matmul]), tensor, classes)
    for _ in range(d.pick([0, 1], [2, 1])):
        tensor = d.op(d.pick(["Mul", "Add"]), [tensor, constant(d, number(d) or factor(d))])
    if len(d.shape(tensor)) != 2:
        raise Unrunnable("lost the batch")
    if d.maybe(0.1):
        tensor = d.attempt(quantize, tensor) or tensor
    return Drawn(d, *(d.attempt(behind, tensor) or (tensor, "", [tensor])))


def again(d, make, *given):
    """make(d, *given), drawn again if a node does not run."""
    for _ in range(4):
        if (made := d.attempt(make, *given)) is not None:
            return made
    raise Unrunnable(f"{make.__name__}: nothing drawn runs")


def chain(d, tensor, count):
    """Elementwise operators in a row."""
    for _ in range(count):
        tensor = d.attempt(d.pick(POINTWISE), tensor) or tensor
    return tensor


def residual(d, tensor, kept):
    """The sum with an earlier tensor of the same shape, if there is one."""
    same = [name for name in kept if d.shape(name) == d.shape(tensor)]
    if d.odd(0.5):
        same = [tensor]
    if not same or d.maybe(0.5):
        return tensor
    pair = [tensor, d.pick(same)]
    kind = d.pick(["Sub", "Mul", "Div"]) if d.odd() else "Add"
    return d.attempt(lambda d: d.op(kind, pair if d.maybe(0.5) else pair[::-1])) or tensor


def quantize(d, tensor):
    """The tensor on a grid of few bits."""
    if len(d.shape(tensor)) < 2:
        raise Unrunnable("lost the batch")
    kinds = {_quant: 10, _bipolar: 1, _count: 2, integers.section: 4, _round: 1.5, _trunc: 1}
    return d.pick(kinds)(d, tensor)


def _scale(d, tensor, steps):
    """A scale with which the tensor takes about this many steps."""
    most = float(np.abs(d.context[tensor]).max()) or 1.0
    scale = 2.0 ** (np.round(np.log2(most / steps)) + d.between(-1, 1))
    return float(scale if d.dyadic else np.float32(scale * d.rng.uniform(0.7, 1.4)))


def _quant(d, tensor):
    bits, signed = d.pick([1, 2, 3, 4, 8, 11], [1, 4, 4, 3, 1, 0.5]), d.between(0, 1)
    scale = _scale(d, tensor, 2 ** (bits - signed))
    if d.odd(2):
        _, channels, *spatial = d.shape(tensor)
        factors = np.array([factor(d, 0) for _ in range(channels)])
        scale = scale * factors.reshape(1, channels, *[1] * len(spatial))
    zero = d.pick([1, 2, 3, -1, 0.5]) if d.maybe(0.12) else 0
    return quant(d, tensor, scale, bits, signed, zero)


def _bipolar(d, tensor):
    scale = operand(d, tensor, lambda d: factor(d, 0)) if d.odd() else constant(d, factor(d, 0))
    return d.op("BipolarQuant", [tensor, scale], domain=GENERAL)


def _count(d, tensor):
    """MultiThreshold."""
    count, channels = d.between(1, 15), d.pick([1, d.shape(tensor)[1]])
    unit = _scale(d, tensor, count)
    table = d.rng.integers(-count, count + 1, (channels, count)) * unit
    table = table if d.maybe(0.1) else np.sort(table, axis=1)
    rank = len(d.shape(tensor))
    attributes = {
        "out_dtype": "INT8",
        "out_scale": -1.0 if d.odd() else d.pick([None, 0.5, 2.0]),
        "out_bias": d.pick([None, -1.0, -4.0, 0.25]),
    }
    attributes["data_layout"] = d.pick([None, {2: "NC", 3: "NCW", 4: "NCHW"}[rank]])
    if rank == 3:
        attributes["data_layout"] = d.pick(["NCW", None, "NWC"], [8, 1, 1])
    return d.op("MultiThreshold", [tensor, constant(d, table)], domain=GENERAL, **attributes)


def _round(d, tensor):
    """Floor, Ceil or Round of scaled floats, mostly clipped."""
    tensor = d.op("Mul", [tensor, constant(d, 1 / _scale(d, tensor, d.between(2, 8)))])
    tensor = d.op(d.pick(["Floor", "Ceil", "Round"]), [tensor])
    low, high = float(d.between(-8, 0)), float(d.between(1, 15))
    if d.opset < 11:
        return d.op("Clip", [tensor], min=low, max=high)
    return d.op("Clip", [tensor, constant(d, low), constant(d, high)])


def _trunc(d, tensor):
    """Trunc of either version behind a Quant node."""
    bits, out = d.between(4, 8), d.between(2, 4)
    scale = _scale(d, tensor, 2 ** (bits - 1))
    signed = d.between(0, 1)
    zero = d.pick([1, 2]) if d.maybe(0.12) else 0
    tensor = quant(d, tensor, scale, bits, signed, zero)
    mode = d.pick(["FLOOR", "ROUND", "CEIL"])
    inputs = [tensor, constant(d, scale), constant(d, zero), constant(d, bits)]
    if d.general < 2:
        return d.op("Trunc", [*inputs, constant(d, out)], domain=GENERAL, rounding_mode=mode)
    out_scale = scale * 2.0 ** d.between(0, bits - out)
    inputs += [constant(d, out_scale), constant(d, out)]
    return d.op("Trunc", inputs, domain=GENERAL, rounding_mode=mode, signed=signed, narrow=d.between(0, 1))
