"""The staircase of a layer as one multiplication per channel, found by integer search and proved.

    result = (m * acc + b) >> f, one less where `tie` is set, the result is odd and the f bits
    shifted out are all zero; then clipped to 0..n. It equals count(acc >= T_t), so the code, and
    n - code where the layer is inverted. acc stands for the value that the thresholds see.

Every threshold inside the value's range is two linear constraints on (m, b); one saturated
to an end of the range is one. Only the convex hulls of the two sets matter.
"""

import weakref
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .. import checks
from ..errors import InputError
from .integer_network import IntegerLayer

# Largest shift tried: six bits hold it.
MAX_SHIFT = 63
_HALF = Fraction(1, 2)
# (multiplier bits, form) of layers that had one: the search takes seconds and is asked for repeatedly.
_KNOWN: weakref.WeakKeyDictionary[IntegerLayer, tuple[int, "Affine"]] = weakref.WeakKeyDictionary()
# (m, b, f, tie) of one channel; (accumulator, level).
Form = tuple[int, int, int, int]
Point = tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Affine:
    """Per channel, int64 (Cout,): multiplier m >= 0, offset b, shift f, tie 0 or 1."""

    m: np.ndarray
    b: np.ndarray
    f: np.ndarray
    tie: np.ndarray

    def codes(self, accumulators: np.ndarray, layer: IntegerLayer) -> np.ndarray:
        """Codes of values int64 (..., Cout) that the layer's thresholds see: uint8, or uint16 of more than
        255."""
        levels = _thresholds(layer).shape[1]
        # Python integers: the product may need more than 64 bits.
        total = accumulators.astype(object) * self.m.astype(object) + self.b.astype(object)
        f = self.f.astype(object)
        result = total >> f
        exact = (result << f) == total
        result = result - ((self.tie == 1) & exact & (result % 2 == 1)).astype(object)
        kind = np.uint8 if levels < 256 else np.uint16
        codes = np.clip(result, 0, levels).astype(kind)
        return np.where(layer.inverted, kind(levels) - codes, codes)


def affine_form(layer: IntegerLayer, mul_bits: int) -> Affine:
    """The Affine form of an IntegerLayer that has thresholds: least f, then least m, per channel.

    mul_bits: bits of the unsigned multiplier. The equality with the thresholds is proved over
    [value_min, value_max] here. InputError names the layer and the channel that has no such form.
    """
    checks.integer(mul_bits, "affine_form: mul_bits", 1, 62)
    known = _KNOWN.get(layer)
    if known is not None and known[0] <= mul_bits:
        return known[1]
    forms = []
    for channel, thresholds in enumerate(_thresholds(layer)):
        where = f"layer {layer.name} channel {channel}:"
        form = _search(thresholds, layer.value_min, layer.value_max)
        form = form or _search_ties(thresholds, layer.value_min, layer.value_max)
        if form is None:
            form = _exact_ties(layer, channel, where)
        if not -(1 << 63) <= form[1] < 1 << 63:
            raise InputError(
                f"{where} the affine offset {form[1]} needs {form[1].bit_length() + 1} bits; "
                "accepted: at most 64, or the threshold quantizer"
            )
        needed = form[0].bit_length()
        if needed > mul_bits:
            raise InputError(
                f"{where} the affine multiplier {form[0]} needs {needed} bits; "
                f"accepted: at most {mul_bits} (mul_bits), or the threshold quantizer"
            )
        _prove(where, thresholds, layer.value_min, layer.value_max, form)
        forms.append(form)
    m, b, f, tie = np.array(forms, dtype=np.int64).T
    _KNOWN[layer] = max(form[0].bit_length() for form in forms), Affine(m=m, b=b, f=f, tie=tie)
    return _KNOWN[layer][1]


def _thresholds(layer: IntegerLayer) -> np.ndarray:
    """The layer's thresholds, which it must have."""
    if layer.thresholds is None:
        raise InputError(
            f"layer {layer.name}: has no thresholds; accepted for the affine form: a layer with codes"
        )
    return layer.thresholds


def _search(thresholds: np.ndarray, low: int, high: int) -> Form | None:
    """(m, b, f, 0) of one channel on low..high, or None if no shift up to MAX_SHIFT has one."""
    levels = np.arange(1, len(thresholds) + 1)
    reached = thresholds <= high
    passed = thresholds > low
    # At least t at acc = T_t, and less than t at acc = T_t - 1, wherever the range has these.
    at_least = _hull(thresholds[reached], levels[reached], upper=True)
    less_than = _hull(thresholds[passed] - 1, levels[passed], upper=False)
    if not at_least:
        return 0, 0, 0, 0
    if not less_than:
        return 0, len(thresholds), 0, 0
    pairs = [(x - x_low, t - t_low) for x_low, t_low in at_least for x, t in less_than]

    def multipliers(f: int) -> tuple[int, int]:
        """Least and largest m with an integer b: m * dx <= dt * 2^f - 1 for every pair."""
        least = max((-(((dt << f) - 1) // -dx) for dx, dt in pairs if dx < 0), default=0)
        largest = min((((dt << f) - 1) // dx for dx, dt in pairs if dx > 0), default=least)
        return least, largest

    def feasible(f: int) -> bool:
        least, largest = multipliers(f)
        return least <= largest

    if not feasible(MAX_SHIFT):
        return None
    # Doubling m and b turns a form of shift f into one of f + 1: bisection finds the least.
    f, most = 0, MAX_SHIFT
    while f < most:
        middle = (f + most) // 2
        f, most = (f, middle) if feasible(middle) else (middle + 1, most)
    m = multipliers(f)[0]
    b_least = max((t << f) - m * x for x, t in at_least)
    b_largest = min((t << f) - 1 - m * x for x, t in less_than)
    return m, min(max(0, b_least), b_largest), f, 0


def _search_ties(thresholds: np.ndarray, low: int, high: int) -> Form | None:
    """(1, b, f, 1) of one channel whose levels are 2^f apart but for the odd ones, which begin one behind
    their tie: rounding half to even by powers of two. None where it is none of these."""
    inside = np.flatnonzero((thresholds > low) & (thresholds <= high))
    ties = thresholds[inside] - (inside + 1) % 2
    distances = set(np.diff(ties).tolist())
    if len(distances) != 1 or (distance := distances.pop()) <= 0 or distance & (distance - 1):
        return None
    form = 1, int((inside[0] + 1) * distance - ties[0]), distance.bit_length() - 1, 1
    return None if _difference(thresholds, low, high, form) else form


def _hull(x: np.ndarray, t: np.ndarray, upper: bool) -> list[Point]:
    """Vertices (x, t) of the upper or lower convex hull of points sorted by x, then t."""
    sign = 1 if upper else -1
    hull: list[Point] = []
    for point in zip(x.tolist(), t.tolist(), strict=True):
        if hull and hull[-1][0] == point[0]:
            # Of equal x only the highest (lowest) level binds.
            if not upper:
                continue
            hull.pop()
        while len(hull) > 1 and sign * _turn(hull[-2], hull[-1], point) >= 0:
            hull.pop()
        hull.append(point)
    return hull


def _turn(first: Point, second: Point, third: Point) -> int:
    """Positive for a left turn along three points."""
    return (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (third[0] - first[0])


def _exact_ties(layer: IntegerLayer, channel: int, where: str) -> Form:
    """(m, b, f, 1) with m / 2^f the slope and b / 2^f the offset + 1/2, exactly."""
    if layer.slope is None or layer.offset is None:
        raise InputError(
            f"{where} no affine form with a shift of at most {MAX_SHIFT} bits equals the "
            "thresholds; accepted: the threshold quantizer"
        )
    slope, offset = layer.slope[channel], layer.offset[channel] + _HALF
    f = max(slope.denominator, offset.denominator).bit_length() - 1
    power = 1 << f
    reason = None
    if layer.inverted[channel]:
        reason = "ties and a negative slope"
    elif (slope * power).denominator != 1 or (offset * power).denominator != 1:
        numbers = f"slope {float(slope):.9g}, offset {float(offset - _HALF):.9g}"
        reason = f"{numbers} are no binary fractions"
    elif f > MAX_SHIFT:
        reason = f"exact slope and offset need a shift of {f} bits"
    if reason:
        raise InputError(
            f"{where} no affine form with a shift of at most {MAX_SHIFT} bits equals the "
            f"thresholds: {reason}; accepted: the threshold quantizer"
        )
    return int(slope * power), int(offset * power), f, 1


def _prove(where: str, thresholds: np.ndarray, low: int, high: int, form: Form) -> None:
    """Complete proof that the form equals the thresholds on the whole range low..high."""
    if wrong := _difference(thresholds, low, high, form):
        acc, result, code = wrong
        raise AssertionError(f"{where} {form} gives {result} at {acc}, not {code}")


def _difference(thresholds: np.ndarray, low: int, high: int, form: Form) -> tuple[int, int, int] | None:
    """(accumulator, result, code) where the form is not the thresholds on the range low..high, None where it
    is everywhere.

    Both sides are nondecreasing in acc (with ties too: the sum grows by m >= 1 per step, so below
    an odd result without fraction the result is smaller already). The thresholds' side is
    constant between two neighbors of T_t - 1, T_t and the ends of the range, so equality at all of
    these points is equality everywhere.
    """
    levels = len(thresholds)
    points = np.concatenate((thresholds - 1, thresholds, [low, high]))
    points = np.unique(points.clip(low, high))
    expected = np.searchsorted(thresholds, points, side="right")
    m, b, f, tie = form
    for acc, code in zip(points.tolist(), expected.tolist(), strict=True):
        total = m * acc + b
        result = total >> f
        if tie and result & 1 and total == result << f:
            result -= 1
        if min(max(result, 0), levels) != code:
            return acc, result, code
    return None
