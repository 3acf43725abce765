"""Quantizers on what depends on the image: Quant and its kin, Trunc, MultiThreshold, plain rounding."""

from fractions import Fraction

import numpy as np

from ...lowering.steps import Affine, Count, Integers, Round, Step
from ...network.layer import MAX_BITS, MAX_CODE_BITS
from ..file.graph import Node
from .draft import Codes
from .element_types import WIDE, unbounded
from .grid import MOST_VALUES
from .quantizers import (
    Constant,
    Quantizer,
    integer_range,
    parameter,
    read_quantizer,
    rounding_mode,
    scalar,
    scale_of,
    width,
)
from .tensors import Sums, per_channel


def quant(node: Node, tensor: Codes | Sums, constants: dict[str, Constant]) -> tuple[Step, ...]:
    """Steps of a Quant, IntQuant or BipolarQuant node."""
    return quantizer_steps(node, tensor, read_quantizer(node, constants))


def rounded(node: Node, tensor: Codes | Sums, constants: dict[str, Constant]) -> tuple[Step, ...]:
    """Steps of Floor, Ceil and Round."""
    return (unbounded(node, tensor, node.op.upper()),)


def quantizer_steps(
    node: Node, tensor: Codes | Sums, quantizer: Quantizer
) -> tuple[Affine, Integers, Affine]:
    """The steps x / scale + zero, rounding, and back, of a Quantizer on `tensor`."""
    scale = per_channel(node, tensor, quantizer.scale, "the scale")
    zero = per_channel(node, tensor, quantizer.zero, "the zero point")
    before = Affine([1 / s for s in scale], zero)
    if quantizer.mode == "BIPOLAR":
        # The count is (q + 1) / 2.
        middle: Integers = Count([[Fraction(0)]] * tensor.shape[2])
        after = Affine([2 * s for s in scale], [-s * (1 + z) for s, z in zip(scale, zero, strict=True)])
    else:
        middle = Round(quantizer.mode, quantizer.low, quantizer.high)
        after = Affine(scale, [-s * z for s, z in zip(scale, zero, strict=True)])
    return before, middle, after


def trunc(node: Node, tensor: Codes | Sums, constants: dict[str, Constant]) -> tuple[Step, ...]:
    """Trunc of either version; the second one has the output's scale."""
    scale = scale_of(node, constants)
    zero = Fraction(float(scalar(node, constants, 2, "zero point")))
    in_bits = width(node, scalar(node, constants, 3, "input bit width"), 32)
    mode = rounding_mode(node)
    scales = per_channel(node, tensor, scale, "the scale")
    channels = tensor.shape[2]
    if node.since == 2:
        out_scales = per_channel(node, tensor, scale_of(node, constants, 4), "the output scale")
        out_scale = out_scales[0]
        if len(set(scales)) != 1 or len(set(out_scales)) != 1:
            node.refuse("scales differ between channels", "one scale per tensor")
        shift = round(float(np.log2(float(out_scale / scales[0]))))
        bits = width(node, scalar(node, constants, 5, "output bit width"), MAX_BITS)
        low, high = integer_range(bits, node.integer("signed"), node.integer("narrow"))
        results = [out_scale] * channels
        zero_out = zero / Fraction(2) ** shift
    else:
        bits = width(node, scalar(node, constants, 4, "output bit width"), MAX_BITS)
        shift = in_bits - bits
        # Nothing is clamped: the results reach what the integers in front reach.
        low, high = -WIDE, WIDE
        results, zero_out = scales, zero
    factor = [Fraction(1) / Fraction(2) ** shift] * channels
    first = Affine([1 / s for s in scales], [zero] * channels)
    return (
        first,
        unbounded(node, tensor, "ROUND", first),
        Affine(factor, [Fraction(0)] * channels),
        Round(mode, low, high),
        Affine(results, [-s * zero_out for s in results]),
    )


def requant_shift(node: Node, tensor: Codes | Sums, constants: dict[str, Constant]) -> tuple[Step, ...]:
    """Steps of RequantShift: floor((x mul + add) / div + 1/2) within the levels."""
    div, levels = node.integer("div"), node.integer("n_levels")
    if div < 1 or levels < 2:
        node.refuse(f"div is {div} and n_levels {levels}", "at least 1, and at least 2")
    mul, add = (_by_channel(node, tensor, constants, *which) for which in ((1, "mul"), (2, "add")))
    low, high = (-((levels + 1) // 2), (levels + 1) // 2 - 1) if node.integer("signed") else (0, levels - 1)
    half = Fraction(1, 2)
    return Affine([m / div for m in mul], [a / div + half for a in add]), Round("FLOOR", low, high)


def _by_channel(
    node: Node, tensor: Codes | Sums, constants: dict[str, Constant], place: int, what: str
) -> list[Fraction]:
    """A parameter that broadcasts to the map, or whose only long axis is that of the channels: its last one,
    or one with none but axes of 1 behind it."""
    array = parameter(node, constants, place, what)
    alone = array.ndim == 1 or array.shape[1:].count(1) == array.ndim - 1
    if alone and tensor.dims[0] in (("C",), ()):
        array = array.reshape(-1, *(1,) * (len(tensor.dims) - 1))
    return per_channel(node, tensor, array, what)


def multi_threshold(node: Node, tensor: Codes | Sums, constants: dict[str, Constant]) -> tuple[Step, ...]:
    """Steps of MultiThreshold."""
    table = parameter(node, constants, 1, "threshold table")
    channels = tensor.shape[2]
    if table.ndim != 2 or table.shape[0] not in (1, channels) or not table.shape[1]:
        node.refuse(f"thresholds have shape {table.shape}", f"({channels}, levels) or (1, levels)")
    if table.shape[1] >= 1 << MAX_CODE_BITS or channels * table.shape[1] > MOST_VALUES:
        node.refuse(
            f"counts {table.shape[1]} thresholds of {channels} channels",
            f"at most {(1 << MAX_CODE_BITS) - 1}, and {MOST_VALUES} in all",
        )
    layout = node.text("data_layout") or {1: "NC", 2: "NWC", 3: "NCHW"}[len(tensor.dims)]
    place = layout.find("C") - 1 if "C" in layout else 0
    of_channels = 0 <= place < len(tensor.dims) and tensor.dims[place] in (("C",), ())
    if not of_channels and len(table) > 1:
        node.refuse(f"counts along axis {place + 1} of layout {layout}", "the channels' axis")
    levels = [[Fraction(value) for value in row] for row in np.sort(table, axis=1).tolist()]
    scale = Fraction(node.number("out_scale"))
    bias = Fraction(node.number("out_bias"))
    return (
        Count(levels * (channels // len(levels))),
        Affine([scale] * channels, [bias] * channels),
    )
