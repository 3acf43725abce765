"""Integers that codes can hold, from values that are real or not bounded."""

from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..lowering.fold import Range, seen_range
from ..lowering.staircase import Affine, Round, apply
from ..network.layer import MAX_BITS
from .file.graph import Node
from .quantizers import bits_of
from .tensors import Sums

_LEVELS = (1 << MAX_BITS) - 1


def reachable(tensor: Sums, last: int) -> Sums:
    """`tensor`, the results of its step `last` bounded to the reachable ones if no width is declared."""
    final = tensor.steps[last]
    if final.high - final.low <= _LEVELS:
        return tensor
    chain = tensor.steps[: last + 1]
    ends = [
        apply(chain, channel, Fraction(end))
        for channel in range(tensor.shape[2])
        for end in _value_range(tensor)
    ]
    bounded = replace(final, low=min(ends), high=max(ends))
    return replace(tensor, steps=(*tensor.steps[:last], bounded, *tensor.steps[last + 1 :]))


def fits(step: int, ratio: Fraction, final: Round) -> bool:
    """Whether the integers step * result + the ratio's numerator fit a code."""
    least = step * final.low + ratio.numerator
    return bits_of(least, least + step * (final.high - final.low)) <= MAX_BITS


def on_grid(node: Node, tensor: Sums, last: int | None) -> tuple[Sums, int]:
    """(Sums, position) whose integer step gives the real values exactly, scaled by their grid."""
    if last is None:
        low, high = _value_range(tensor)
        rest = tensor.steps
    else:
        low, high = tensor.steps[last].low, tensor.steps[last].high
        rest = tensor.steps[last + 1 :]
    if high - low > _LEVELS:
        kind = "not quantized" if tensor.draft.m is None else "a trunk"
        node.refuse(
            f"reads the values of {tensor.draft.name}, which are {kind}", "a Quant node in front of it"
        )
    reals = [
        apply(rest, channel, Fraction(value))
        for channel in range(tensor.shape[2])
        for value in range(low, high + 1)
    ]
    unit = _gcd(reals)
    least, greatest = min(reals) / unit, max(reals) / unit
    if greatest - least > _LEVELS:
        node.refuse(
            f"reads values of {tensor.draft.name} on no grid of {MAX_BITS} bits",
            "a Quant node in front of it",
        )
    channels = tensor.shape[2]
    zeros = [Fraction(0)] * channels
    tensor = tensor.extended(Affine([1 / unit] * channels, zeros), Round("ROUND", int(least), int(greatest)))
    position = len(tensor.steps) - 1
    return tensor.extended(Affine([unit] * channels, zeros)), position


def _gcd(fractions: list[Fraction]) -> Fraction:
    """Greatest Fraction that all are multiples of; 1 if all are 0."""
    common = int(np.lcm.reduce([f.denominator for f in fractions], dtype=object))
    divisor = int(np.gcd.reduce([int(f * common) for f in fractions], dtype=object))
    return Fraction(divisor, common) if divisor else Fraction(1)


def _value_range(tensor: Sums) -> Range:
    """Range of the integers that the steps of `tensor` start from."""
    return seen_range(tensor.draft.value_ranges(), tensor.pool)
