"""Operators that act on every element alone: steps of a chain, quantizers among them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..lowering.staircase import Affine, Clamp, Count, Leaky, Round, apply
from ..network.network import MAX_BITS
from ..network.parts import BatchNorm
from .draft import identity
from .quantizers import (
    QUANTIZERS,
    integer_range,
    parameter,
    read_quantizer,
    rounding_mode,
    scalar,
    scale_of,
    width,
)
from .tensors import Codes, per_channel

ARITHMETIC = ("Mul", "Div", "Add", "Sub")
OPERATORS = (
    *ARITHMETIC,
    "Neg",
    "BatchNormalization",
    "Relu",
    "Clip",
    "LeakyRelu",
    "PRelu",
    "Floor",
    "Ceil",
    "Round",
    "Trunc",
    "MultiThreshold",
    *QUANTIZERS,
)
# Results of rounding without a declared width.
_WIDE = 1 << 40
_MAX_STEPS, _MAX_DIGITS = 64, 4096


def elementwise(node, tensor, constants):
    """`tensor` (Codes or Sums) after an operator of OPERATORS whose other inputs are constants."""
    steps = _steps(node, tensor, constants)
    if isinstance(tensor, Codes):
        if all(isinstance(step, Affine) for step in steps):
            (affine,) = steps
            scale = [a * b for a, b in zip(tensor.scale, affine.slope, strict=True)]
            offset = [a * b + c for a, b, c in zip(tensor.offset, affine.slope, affine.offset, strict=True)]
            _check_size(node, (Affine(scale, offset),))
            return replace(tensor, scale=scale, offset=offset)
        if _keeps(tensor, steps):
            return tensor
        tensor = identity(node.name, tensor, node.position)
    tensor = tensor.extended(*steps)
    _check_size(node, tensor.steps)
    return tensor


def _check_size(node, chain):
    """Bounds the work that a file can ask for: exact numbers grow with every product."""
    if len(chain) > _MAX_STEPS:
        node.refuse(
            f"is one of more than {_MAX_STEPS} operators in a row without weights", f"at most {_MAX_STEPS}"
        )
    if isinstance(chain[-1], Affine):
        bits = max(number.denominator.bit_length() for number in chain[-1].slope)
        if bits > _MAX_DIGITS:
            node.refuse(f"its exact factor has {bits} binary digits", f"at most {_MAX_DIGITS}")


def _keeps(codes, steps):
    """Whether the steps leave every value of the codes as it is."""
    for channel, (scale, offset) in enumerate(zip(codes.scale, codes.offset, strict=True)):
        for value in range(codes.low, codes.high + 1):
            real = scale * value + offset
            if apply(steps, channel, real) != real:
                return False
    return True


def _steps(node, tensor, constants):
    op, channels = node.op, tensor.shape[2]
    ones, zeros = [Fraction(1)] * channels, [Fraction(0)] * channels
    if op in QUANTIZERS:
        return quantizer_steps(node, tensor, read_quantizer(node, constants))
    if op in ARITHMETIC:
        return (_arithmetic(node, tensor, constants),)
    if op == "Neg":
        return (Affine([-one for one in ones], zeros),)
    if op == "BatchNormalization":
        return (_batch_norm(node, tensor, constants),)
    if op == "Relu":
        return (Clamp(Fraction(0), None),)
    if op == "Clip":
        bounds = [node.number("min", None), node.number("max", None)]
        for place in (1, 2):
            if place < len(node.inputs) and node.inputs[place]:
                bounds[place - 1] = scalar(node, constants, place, "bound", finite=False)
        if None not in bounds and bounds[0] > bounds[1]:
            node.refuse(f"clips to {bounds[0]:g}..{bounds[1]:g}", "a minimum below the maximum")
        return (_clamp(*bounds),)
    if op in ("LeakyRelu", "PRelu"):
        alpha = [Fraction(node.number("alpha", 0.01))] * channels
        if op == "PRelu":
            alpha = per_channel(node, tensor, parameter(node, constants, 1, "slope"), "slope")
        if min(alpha) <= 0:
            node.refuse(f"its slope {float(min(alpha)):g} is not monotone", "slopes above 0")
        return (Leaky(alpha),)
    if op == "Trunc":
        return _trunc(node, tensor, constants)
    if op == "MultiThreshold":
        return _multi_threshold(node, tensor, constants)
    mode = {"Floor": "FLOOR", "Ceil": "CEIL", "Round": "ROUND"}[op]
    return (Round(mode, -_WIDE, _WIDE),)


def _clamp(*bounds):
    """Clamp of two floats or None; infinity is no bound."""
    finite = (bound is not None and np.isfinite(bound) for bound in bounds)
    return Clamp(*(Fraction(bound) if given else None for bound, given in zip(bounds, finite, strict=True)))


def _arithmetic(node, tensor, constants):
    """Mul, Div, Add or Sub with a constant on either side as an Affine."""
    if len(node.inputs) != 2:
        node.refuse(f"has {len(node.inputs)} inputs", "2")
    place = 1 if node.inputs[1] in constants else 0
    array = parameter(node, constants, place, "operand")
    values = per_channel(node, tensor, array, "the constant")
    channels = tensor.shape[2]
    ones, zeros = [Fraction(1)] * channels, [Fraction(0)] * channels
    if node.op == "Mul":
        return Affine(values, zeros)
    if node.op == "Add":
        return Affine(ones, values)
    if node.op == "Sub":
        if place == 1:
            return Affine(ones, [-value for value in values])
        return Affine([-one for one in ones], values)
    if place == 0:
        node.refuse("divides by the activation, which is not linear", "division by a constant")
    if not all(values):
        node.refuse("divides by 0", "divisors that are not 0")
    return Affine([1 / value for value in values], zeros)


def _batch_norm(node, tensor, constants):
    """BatchNormalization; the square root is the one operation that is rounded, to float64."""
    if node.integer("training_mode", 0):
        node.refuse("training_mode is 1", "0, a model exported for inference")
    names = ("gamma", "beta", "mean", "var")
    arrays = [
        parameter(node, constants, place, name).astype(np.float32).ravel()
        for place, name in enumerate(names, 1)
    ]
    channels = tensor.shape[2]
    channel_first = "channels_last" not in node.domain
    dim = tensor.dims[0 if channel_first else -1]
    if dim not in (("C",), ()) or any(len(array) != channels for array in arrays):
        node.refuse(
            f"parameters of {', '.join(str(len(a)) for a in arrays)} elements for {channels} channels",
            "one element per channel",
        )
    epsilon = node.number("epsilon", float(np.float32(1e-5)))
    total = arrays[3].astype(np.float64) + epsilon
    if not (total > 0).all():
        node.refuse(f"var + epsilon is {total.min():g}", "more than 0")
    norm = BatchNorm(**dict(zip(names, arrays, strict=True)), eps=epsilon)
    slope, offset = [], []
    for gamma, beta, mean, sigma in zip(
        norm.gamma.tolist(),
        norm.beta.tolist(),
        norm.mean.tolist(),
        norm.sigma.tolist(),
        strict=True,
    ):
        slope.append(Fraction(gamma) / Fraction(sigma))
        offset.append(Fraction(beta) - slope[-1] * Fraction(mean))
    return Affine(slope, offset)


def quantizer_steps(node, tensor, quantizer):
    """The steps x / scale + zero, rounding, and back, of a Quantizer on `tensor`."""
    scale = per_channel(node, tensor, quantizer.scale, "the scale")
    zero = per_channel(node, tensor, quantizer.zero, "the zero point")
    before = Affine([1 / s for s in scale], zero)
    if quantizer.mode == "BIPOLAR":
        # The count is (q + 1) / 2.
        middle = Count([[Fraction(0)]] * tensor.shape[2])
        after = Affine([2 * s for s in scale], [-s * (1 + z) for s, z in zip(scale, zero, strict=True)])
    else:
        middle = Round(quantizer.mode, quantizer.low, quantizer.high)
        after = Affine(scale, [-s * z for s, z in zip(scale, zero, strict=True)])
    return before, middle, after


def _trunc(node, tensor, constants):
    """Trunc of either version: 5 inputs, or 6 with the output's scale."""
    scale = scale_of(node, constants)
    zero = Fraction(float(scalar(node, constants, 2, "zero point")))
    in_bits = width(node, scalar(node, constants, 3, "input bit width"), 32)
    mode = rounding_mode(node, "FLOOR")
    scales = per_channel(node, tensor, scale, "the scale")
    channels = tensor.shape[2]
    if len(node.inputs) > 5:
        out_scale = Fraction(float(scale_of(node, constants, 4).ravel()[0]))
        if len(set(scales)) != 1:
            node.refuse("scales differ between channels", "one scale per tensor")
        shift = round(float(np.log2(float(out_scale / scales[0]))))
        bits = width(node, scalar(node, constants, 5, "output bit width"), MAX_BITS)
        low, high = integer_range(bits, node.integer("signed", 1), node.integer("narrow", 0))
        results = [out_scale] * channels
        zero_out = zero / Fraction(2) ** shift
    else:
        bits = width(node, scalar(node, constants, 4, "output bit width"), MAX_BITS)
        shift = in_bits - bits
        # Nothing is clamped: the results reach what the integers in front reach.
        low, high = -_WIDE, _WIDE
        results, zero_out = scales, zero
    factor = [Fraction(1) / Fraction(2) ** shift] * channels
    return (
        Affine([1 / s for s in scales], [zero] * channels),
        Round("ROUND", -_WIDE, _WIDE),
        Affine(factor, [Fraction(0)] * channels),
        Round(mode, low, high),
        Affine(results, [-s * zero_out for s in results]),
    )


def _multi_threshold(node, tensor, constants):
    table = parameter(node, constants, 1, "threshold table")
    channels = tensor.shape[2]
    if table.ndim != 2 or table.shape[0] not in (1, channels) or not table.shape[1]:
        node.refuse(f"thresholds have shape {table.shape}", f"({channels}, levels) or (1, levels)")
    if table.shape[1] >= 1 << MAX_BITS:
        node.refuse(f"counts {table.shape[1]} thresholds", f"at most {(1 << MAX_BITS) - 1}")
    layout = node.text("data_layout", "") or {1: "NC", 2: "NWC", 3: "NCHW"}[len(tensor.dims)]
    place = layout.find("C") - 1 if "C" in layout else 0
    if not 0 <= place < len(tensor.dims) or tensor.dims[place] not in (("C",), ()):
        node.refuse(f"counts along axis {place + 1} of layout {layout}", "the channels' axis")
    levels = [[Fraction(value) for value in row] for row in np.sort(table, axis=1).tolist()]
    scale = Fraction(node.number("out_scale", 1.0))
    bias = Fraction(node.number("out_bias", 0.0))
    return (
        Count(levels * (channels // len(levels))),
        Affine([scale] * channels, [bias] * channels),
    )
