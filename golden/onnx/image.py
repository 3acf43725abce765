"""The image of an imported network: which integers stand for it, by its quantizer or its type."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from ..errors import InputError
from ..network.layer import MAX_BITS
from .file.graph import Node
from .values.draft import Codes
from .values.integer_quant import own_quantizer
from .values.quantizers import (
    Constant,
    bits_of,
    integer_range,
    parameter,
    read_quantizer,
    scalar,
    step_of_zero,
)
from .values.tensors import per_channel

_NAMED = {"BINARY": (0, 1), "BIPOLAR": (-1, 1), "TERNARY": (-1, 1)}
_WHOLE = re.compile(r"(U?)INT([0-9]{1,3})")
_FIXED = re.compile(r"FIXED<([0-9]{1,3}),(-?[0-9]{1,3})>")
ACCEPTED_TYPES = (
    f"UINT1..{MAX_BITS}, INT2..{MAX_BITS}, BINARY, BIPOLAR, TERNARY or FIXED<bits,integer bits>, "
    "where it is needed with a divisor, as UINT8/255"
)


def read_type(text: str) -> tuple[int, int, Fraction]:
    """(low, high, scale) of an image type: integers low..high, real value scale * integer.

    `text` is a data type of QONNX, and after a slash the number that its values are divided by.
    """
    name, slash, divisor = text.partition("/")
    name = name.strip().upper()
    scale = Fraction(1)
    whole, fixed = _WHOLE.fullmatch(name), _FIXED.fullmatch(name)
    if name in _NAMED:
        low, high = _NAMED[name]
    elif whole and whole[2] != "0" and not (whole[2] == "1" and not whole[1]):
        low, high = integer_range(int(whole[2]), not whole[1], False)
    elif fixed and fixed[1] != "0":
        low, high = integer_range(int(fixed[1]), True, False)
        scale = Fraction(2) ** (int(fixed[2]) - int(fixed[1]))
    else:
        raise InputError(f"image type is {text[:40]!r}; accepted: {ACCEPTED_TYPES}")
    if bits_of(low, high) > MAX_BITS:
        raise InputError(f"image type is {name}, {bits_of(low, high)} bits; accepted: {ACCEPTED_TYPES}")
    if slash:
        try:
            scale /= Fraction(divisor.strip())
        except (ValueError, ZeroDivisionError):
            scale = Fraction(0)
        if scale <= 0:
            raise InputError(f"image type is {text[:40]!r}; accepted: a divisor above 0, as UINT8/255")
    return low, high, scale


def declared_codes(text: str, sizes: Sequence[int], channel: int | None) -> Codes:
    """The Codes of an image of the type `text`; sizes, channel: see image_codes."""
    low, high, scale = read_type(text)
    codes = _blank(low, high, sizes, channel)
    channels = codes.shape[2]
    return replace(codes, scale=[scale] * channels, offset=[Fraction(0)] * channels)


def image_codes(
    node: Node, sizes: Sequence[int], channel: int | None, constants: dict[str, Constant]
) -> Codes:
    """The Codes of the image behind its first quantizer: v = d * (q - zero), see step_of_zero, or q
    where that fits no code.

    sizes: the tensor's axes after the batch; channel: which of them holds the channels, None if one of
    size 1 is added for them.
    """
    quantizer = read_quantizer(node, constants)
    if quantizer.bits > MAX_BITS:
        node.refuse(f"quantizes the image to {quantizer.bits} bits", f"1..{MAX_BITS} bits")
    step, zero = step_of_zero(node, quantizer.zero)
    codes = _zeroed(node, (quantizer.low, quantizer.high), (step, zero), sizes, channel)
    scale = per_channel(node, codes, quantizer.scale, "the scale")
    # Codes that are q stand for scale * (q - zero).
    return replace(codes, scale=[s / step for s in scale], offset=[-s * codes.zero for s in scale])


def linear_codes(
    node: Node, sizes: Sequence[int], channel: int | None, constants: dict[str, Constant]
) -> Codes:
    """The Codes of the image behind its QuantizeLinear: v = q - zero, or q where that fits no code, of the
    value q."""
    quantizer = own_quantizer(node, constants, 1 + len(sizes))
    zero = quantizer.one_zero(node)
    codes = _zeroed(node, quantizer.ends, (1, zero), sizes, channel)
    # One scale for each channel, whatever it is: what a caller divides by.
    per_channel(node, codes, quantizer.scale, "the scale")
    channels = codes.shape[2]
    return replace(codes, scale=[Fraction(1)] * channels, offset=[Fraction(zero - codes.zero)] * channels)


def _zeroed(
    node: Node, ends: tuple[int, int], zero: tuple[int, int], sizes: Sequence[int], channel: int | None
) -> Codes:
    """Codes d * q - z of integers q from one of `ends` to the other, or q itself where that takes more bits
    than a code of an image has; `zero`: (d, z)."""
    step, moved = zero
    low, high = (step * end - moved for end in ends)
    if step == 1 and bits_of(low, high) > MAX_BITS >= bits_of(*ends):
        return replace(_blank(*ends, sizes, channel), zero=moved)
    _check_bits(node, low, high, "minus the zero point ")
    return _blank(low, high, sizes, channel)


def counted_codes(
    node: Node, behind: list[Node], sizes: Sequence[int], channel: int | None, constants: dict[str, Constant]
) -> Codes:
    """The Codes of the image behind the MultiThreshold `node`: integers whose 0 is the real 0.

    behind: the nodes that scale and shift its result before anything else reads it.
    """
    table = parameter(node, constants, 1, "threshold table")
    if table.ndim != 2 or table.shape[1] >= 1 << MAX_BITS:
        node.refuse(
            f"thresholds have shape {table.shape}",
            f"two axes, at most {(1 << MAX_BITS) - 1} thresholds per channel",
        )
    own = scale, offset = _out_affine(node)
    for follower in behind:
        place = next(p for p, name in enumerate(follower.inputs) if name in constants)
        value = Fraction(scalar(follower, constants, place, "operand"))
        if follower.op in ("Mul", "Div"):
            if not value:
                break
            factor = value if follower.op == "Mul" else 1 / value
            scale, offset = scale * factor, offset * factor
        else:
            offset += value if follower.op == "Add" else -value
    # Where the real 0 is no code, the counts themselves are the image.
    real_zero = offset / scale if scale else Fraction(0)
    step, zero = real_zero.denominator, real_zero.numerator
    low, high = zero, step * table.shape[1] + zero
    if not low <= 0 <= high or bits_of(low, high) > MAX_BITS:
        step, zero, low, high = 1, 0, 0, table.shape[1]
    scale, offset = own
    codes = _blank(low, high, sizes, channel)
    channels = codes.shape[2]
    return replace(codes, scale=[scale / step] * channels, offset=[offset - scale * zero / step] * channels)


def reshaped_axes(
    axes: list[int | None], before: Sequence[int], after: Sequence[int]
) -> list[int | None] | None:
    """Which of the image's axes each axis of size `after` is, None for a new one of size 1.

    axes: the same for the sizes `before`. None if an axis is split or joined.
    """
    if [size for size in before if size > 1] != [size for size in after if size > 1]:
        return None
    long = iter([axis for axis, size in zip(axes, before, strict=True) if size > 1])
    short = iter([axis for axis, size in zip(axes, before, strict=True) if size == 1])
    return [next(long) if size > 1 else next(short, None) for size in after]


def _out_affine(node: Node) -> tuple[Fraction, Fraction]:
    """(scale, bias) of a MultiThreshold's results."""
    scale, bias = Fraction(node.number("out_scale")), Fraction(node.number("out_bias"))
    if scale <= 0:
        node.refuse(f"out_scale is {float(scale):g}", "a number above 0")
    return scale, bias


def _check_bits(node: Node, low: int, high: int, what: str) -> None:
    """Refuses integers low..high that codes do not hold."""
    if bits_of(low, high) > MAX_BITS:
        node.refuse(
            f"its integers {what}are {low}..{high}, {bits_of(low, high)} bits", f"at most {MAX_BITS} bits"
        )


def _blank(low: int, high: int, sizes: Sequence[int], channel: int | None) -> Codes:
    """Codes of the image without scale and offset."""
    bits, signed = bits_of(low, high), low < 0
    spatial = len(sizes) - (channel is not None)
    names = iter("HW"[2 - spatial :])
    dims = tuple(("C",) if axis == channel else (next(names),) for axis in range(len(sizes)))
    size_of = {dim[0]: size for dim, size in zip(dims, sizes, strict=True)}
    height, width, channels = (size_of.get(name, 1) for name in "HWC")
    # Every code of the width is accepted as image, so all of them bound the sums.
    least, greatest = integer_range(bits, signed, False)
    return Codes(-1, [], [], least, greatest, bits, signed, (height, width, channels), dims)
