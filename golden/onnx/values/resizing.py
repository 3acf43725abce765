"""Which pixels Resize and Upsample take from where."""

import math
from collections.abc import Callable
from fractions import Fraction

from ..file.graph import Node
from .layout import within
from .quantizers import Constant, parameter

_HALF = Fraction(1, 2)
# Rows or columns that are made: no engine has more.
_MOST = (1 << 16) - 1
# From a place among `new` ones to that among `old` ones.
_PLACES: dict[str, Callable[[Fraction, int, int], Fraction]] = {
    "asymmetric": lambda at, old, new: at * old / new,
    **dict.fromkeys(
        ("half_pixel", "half_pixel_symmetric"), lambda at, old, new: (at + _HALF) * old / new - _HALF
    ),
    "pytorch_half_pixel": lambda at, old, new: (at + _HALF) * old / new - _HALF if new > 1 else Fraction(0),
    "align_corners": lambda at, old, new: at * (old - 1) / (new - 1) if new > 1 else Fraction(0),
    "tf_half_pixel_for_nn": lambda at, old, new: (at + _HALF) * old / new,
}
_ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": lambda place: math.ceil(place - _HALF),
    "round_prefer_ceil": lambda place: math.floor(place + _HALF),
}


def whole_factors(
    node: Node, shape: tuple[int, ...], channels: int, constants: dict[str, Constant]
) -> list[int]:
    """Per axis of a map of `shape`, whose axis `channels` stays, how many pixels Resize or Upsample makes of
    one; refuses others."""
    if node.text("mode") != "nearest":
        node.refuse(f"mode is {node.text('mode')!r}", "nearest")
    after = _resized(node, shape, constants)
    same = after[0] == shape[0] and after[channels] == shape[channels]
    if not same or any(new % old for new, old in zip(after, shape, strict=True)):
        node.refuse(f"makes {after} of {shape}", "rows and columns times whole numbers")
    # Before version 11 there was one way.
    mode = node.attributes.get("coordinate_transformation_mode", "asymmetric")
    rounding = node.attributes.get("nearest_mode", "floor")
    if mode not in _PLACES or rounding not in _ROUNDINGS:
        node.refuse(
            f"coordinate_transformation_mode is {mode}, nearest_mode {rounding}",
            f"{', '.join(_PLACES)}; {', '.join(_ROUNDINGS)}",
        )
    factors = []
    for old, new in zip(shape, after, strict=True):
        taken = (_ROUNDINGS[rounding](_PLACES[mode](Fraction(at), old, new)) for at in range(new))
        if any(min(max(place, 0), old - 1) != at // (new // old) for at, place in enumerate(taken)):
            node.refuse(
                f"coordinate_transformation_mode {mode} with nearest_mode {rounding} makes no whole blocks "
                f"of {old} pixels in {new}",
                "asymmetric with floor, or half_pixel with round_prefer_floor",
            )
        factors.append(new // old)
    return factors


def _resized(node: Node, shape: tuple[int, ...], constants: dict[str, Constant]) -> tuple[int, ...]:
    """The shape that Resize or Upsample makes of `shape`."""
    axes = within(node, node.integers("axes") or tuple(range(len(shape))), len(shape))
    scales = list(node.attributes.get("scales") or ())
    place = 2 if node.op == "Resize" and node.since > 10 else 1
    if not scales and node.has(place):
        scales = parameter(node, constants, place, "scales").ravel().tolist()
    sizes = parameter(node, constants, 3, "sizes").ravel().tolist() if node.has(3) else []
    given = sizes or scales
    if bool(sizes) == bool(scales) or len(given) != len(axes) or not all(map(math.isfinite, given)):
        node.refuse(f"scales are {scales}, sizes {sizes}", f"one of them, with {len(axes)} numbers")
    after = list(shape)
    for axis, value in zip(axes, given, strict=True):
        size = Fraction(value) if sizes else shape[axis] * Fraction(value)
        if not 1 <= size <= _MOST or size.denominator > 1:
            node.refuse(
                f"makes {float(size):g} of {shape[axis]} along axis {axis}",
                f"rows and columns times whole numbers, up to {_MOST}",
            )
        after[axis] = int(size)
    return tuple(after)
