"""Integers that codes can hold, from values that are real or not bounded."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ...lowering.fold import Range, seen_range
from ...lowering.staircase import Chain, Parts, apply
from ...lowering.steps import Affine, Integers, Number, Round, Step
from ...network.layer import MAX_BITS, MAX_CODE_BITS
from ..file.graph import Node
from .pair_sum import PairSum, starting_ends
from .quantizers import bits_of
from .tensors import Sums

_LEVELS = (1 << MAX_CODE_BITS) - 1
# Real values of all channels that are looked at one by one.
MOST_VALUES = 1 << 20


def reachable(tensor: Sums, parts: Parts) -> tuple[Sums, Parts]:
    """`tensor` and the Parts of its steps, its integers only the reachable ones if they are more than of 8
    bits."""
    before, final, rest = parts
    if not isinstance(final, Round) or final.high - final.low < 1 << MAX_BITS:
        return tensor, parts
    ranges: list[tuple[Number, Number]] = [_value_range(tensor)] * tensor.shape[2]
    steps = before
    if isinstance(tensor.steps[0], PairSum):
        ranges, _ = starting_ends(tensor)
        steps = before[1:]
    ends = [
        final.apply(channel, apply(steps, channel, Fraction(end)))
        for channel, range_ in enumerate(ranges)
        for end in range_
    ]
    low, high = min(ends), max(ends)
    if high - low >= 1 << MAX_BITS:
        bends = [_bend(rest, channel, low, high) for channel in range(tensor.shape[2])]
        low, high = min(first for first, _ in bends), max(last for _, last in bends)
    final = replace(final, low=low, high=high)
    return replace(tensor, steps=(*before, final, *rest)), Parts(before, final, rest)


def _bend(rest: Sequence[Step], channel: int, low: int, high: int) -> tuple[int, int]:
    """Bounds within low..high that the steps `rest`, a Clamp among them, map to the same ends."""
    ends = [apply(rest, channel, Fraction(end)) for end in (low, high)]
    if ends[0] == ends[1]:
        return low, low
    found = []
    for inside, outside, end in ((low, high, ends[0]), (high, low, ends[1])):
        # `inside` has the value of its end, `outside` another one.
        while abs(outside - inside) > 1:
            middle = (inside + outside) // 2
            if apply(rest, channel, Fraction(middle)) == end:
                inside = middle
            else:
                outside = middle
        found.append(inside)
    return found[0], found[1]


def fits(step: int, ratio: Fraction, final: Integers, most: int) -> bool:
    """Whether the integers step * result + the ratio's numerator fit a code of `most` bits."""
    least = step * final.low + ratio.numerator
    return bits_of(least, least + step * (final.high - final.low)) <= most


def on_grid(node: Node, tensor: Sums, parts: Parts | None) -> tuple[Chain, Affine]:
    """(chain, affine): integers that are the real values exactly, scaled by their grid, and back.

    parts: of the steps of `tensor`, None where none of them has integer results.
    """
    if parts is None:
        low, high = _value_range(tensor)
        rest = tensor.steps
    else:
        low, high = parts.final.low, parts.final.high
        rest = parts.rest
    channels = tensor.shape[2]
    if high - low > _LEVELS or channels * (high - low) > MOST_VALUES:
        kind = "not quantized" if tensor.draft.rounding is None else "a trunk"
        node.refuse(
            f"reads the values of {tensor.draft.name}, which are {kind}",
            f"at most {_LEVELS + 1} values, {MOST_VALUES} in all channels: a Quant node, or Round or Floor "
            "with a Clip, behind that node",
        )
    reals = [
        apply(rest, channel, Fraction(value)) for channel in range(channels) for value in range(low, high + 1)
    ]
    unit = _gcd(reals)
    least, greatest = min(reals) / unit, max(reals) / unit
    if greatest - least > _LEVELS:
        node.refuse(
            f"reads values of {tensor.draft.name} on no grid of {MAX_CODE_BITS} bits",
            "multiples of one number, as a Quant node gives them",
        )
    zeros = [Fraction(0)] * channels
    scaled = tensor.extended(Affine([1 / unit] * channels, zeros))
    final = Round("ROUND", int(least), int(greatest))
    return (*scaled.steps, final), Affine([unit] * channels, zeros)


def _gcd(fractions: Sequence[Number]) -> Fraction:
    """Greatest Fraction that all are multiples of; 1 if all are 0."""
    common = int(np.lcm.reduce([f.denominator for f in fractions], dtype=object))
    divisor = int(np.gcd.reduce([int(f * common) for f in fractions], dtype=object))
    return Fraction(divisor, common) if divisor else Fraction(1)


def _value_range(tensor: Sums) -> Range:
    """Range of the integers that the steps of `tensor` start from."""
    return seen_range(tensor.draft.value_ranges(), tensor.pool)
