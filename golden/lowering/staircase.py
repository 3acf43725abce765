"""Exact, monotone functions of one integer per channel, and their thresholds.

A chain of steps leads from the integer that a layer computes to a real value and, by a rounding
step, to an integer again. Every step is monotone, so the chain is, and "the result is at least t"
is a half-line of the layer's integer: it is pulled back through the chain step by step, in
rational arithmetic.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from typing import NamedTuple, TypeGuard

from .steps import Affine, Clamp, HalfLine, Integers, Number, Round, Step, is_even_rounding

# Steps whose last one has integer results.
Chain = tuple[*tuple[Step, ...], Integers]


class Parts(NamedTuple):
    """The last step with integer results, what stands in front of it and what behind it."""

    before: tuple[Step, ...]
    final: Integers
    rest: tuple[Step, ...]

    @property
    def chain(self) -> Chain:
        """The steps up to the integers."""
        return (*self.before, self.final)


def split(steps: tuple[Step, ...]) -> Parts | None:
    """The Parts of a chain, None where no step has integer results."""
    for position in range(len(steps) - 1, -1, -1):
        final = steps[position]
        if isinstance(final, Integers):
            return Parts(steps[:position], final, steps[position + 1 :])
    return None


def are_affine(steps: tuple[Step, ...]) -> TypeGuard[tuple[Affine, ...]]:
    """Whether all steps are affine."""
    return all(isinstance(step, Affine) for step in steps)


def composed(steps: Sequence[Affine], channels: int) -> Affine:
    """The steps as one, the identity where there are none."""
    return reduce(Affine.then, steps, Affine([Fraction(1)] * channels, [Fraction(0)] * channels))


def apply(steps: Sequence[Step], channel: int, x: Number) -> Number:
    """The chain's value at x."""
    for step in steps:
        x = step.apply(channel, x)
    return x


def direction(steps: Sequence[Step], channel: int) -> int:
    """1 if the chain grows, -1 if it falls, 0 if it is constant."""
    return math.prod(step.direction(channel) for step in steps)


def append(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """The chain with one more step; neighboring affine steps become one."""
    if not steps or not isinstance(step, Affine) or not isinstance(steps[-1], Affine):
        return (*steps, step)
    return (*steps[:-1], steps[-1].then(step))


def thresholds(steps: Chain, channel: int, low: int, high: int) -> tuple[bool, list[int]]:
    """(falling, T): the result of a chain that ends in integers, of an integer in low..high.

    Not falling: result = least + count(x >= T). Falling: result = greatest - count(x >= T). T is a
    nondecreasing list of one integer per result above the least, saturated to low..high + 1.
    """
    *before, last = steps
    ramp = _ramp(before, channel) if is_even_rounding(last) else None
    if ramp is not None and is_even_rounding(last):
        bounds = _ramp_bounds(ramp, last)
        falling = ramp.slope < 0 and not all(isinstance(bound, bool) for bound in bounds)
    else:
        falling, bounds = _pulled_bounds(steps, channel)
    ends = {True: high + 1 if falling else low, False: low if falling else high + 1}
    result = [ends[bound] if isinstance(bound, bool) else min(max(bound, low), high + 1) for bound in bounds]
    return falling, result[::-1] if falling else result


def _pulled_bounds(steps: Chain, channel: int) -> tuple[bool, list[int | bool]]:
    """(falling, bounds): per result t above the least, the first x with at least t, or with less than t
    where the chain falls; True, False where all or no x have at least t."""
    *before, last = steps
    falling = False
    bounds: list[int | bool] = []
    for t in range(last.low + 1, last.high + 1):
        line = _pulled(before, channel, last.reach(channel, t))
        if isinstance(line, bool):
            bounds.append(line)
        else:
            falling |= line.sign < 0
            # Falling: at least t up to the integer bound, so less than t from the next one on.
            bounds.append(line.integer() + (line.sign < 0))
    return falling, bounds


def _pulled(steps: Sequence[Step], channel: int, line: HalfLine) -> HalfLine | bool:
    """See Step.pull, of a chain."""
    for step in reversed(steps):
        pulled = step.pull(channel, line)
        if isinstance(pulled, bool):
            return pulled
        line = pulled
    return line


class _Ramp(NamedTuple):
    """y = slope * x + offset, within low..high where these are not None."""

    slope: Fraction
    offset: Fraction
    low: Number | None
    high: Number | None


def _ramp(steps: Sequence[Step], channel: int) -> _Ramp | None:
    """Affine steps and clamps as one; None where there are others."""
    slope, offset = Fraction(1), Fraction(0)
    ends: list[Number | None] = [None, None]
    for step in steps:
        if isinstance(step, Affine):
            a, b = step.slope[channel], step.offset[channel]
            slope, offset = a * slope, a * offset + b
            ends = [end if end is None else a * end + b for end in (ends if a >= 0 else ends[::-1])]
        elif isinstance(step, Clamp):
            clamps = (step.low, step.high)
            ends = [clamp if end is None else end for end, clamp in zip(ends, clamps, strict=True)]
            ends = [end if end is None else step.apply(channel, end) for end in ends]
        else:
            return None
    return _Ramp(slope, offset, *ends)


def _ramp_bounds(ramp: _Ramp, last: Round) -> list[int | bool]:
    """The bounds of _pulled_bounds for round_half_even of a _Ramp: in integers, for speed.

    The result reaches t where slope * x + offset >= t - 1/2, equality counting for even t only; every t up to
    that of the ramp's low end is reached everywhere, none above that of its high end.
    """
    slope, offset = ramp.slope, ramp.offset
    # Rounding keeps the order, so it may be bounded behind as well as in front.
    low = last.low if ramp.low is None else last.apply(0, ramp.low)
    high = last.high if ramp.high is None else last.apply(0, ramp.high)
    if slope == 0:
        code = min(max(round(offset), low), high)
        return [t <= code for t in range(last.low + 1, last.high + 1)]
    # Everything over one denominator: x >= above / below where the slope is positive.
    common = slope.denominator * offset.denominator
    twice_offset = 2 * offset.numerator * slope.denominator
    below = 2 * slope.numerator * offset.denominator
    bounds: list[int | bool] = [True] * (low - last.low)
    for t in range(low + 1, high + 1):
        quotient, rest = divmod((2 * t - 1) * common - twice_offset, below)
        # Above the quotient, or there where equality counts: for even t, for odd t where the chain falls.
        bounds.append(quotient + (rest != 0 or (t % 2 == 1) == (slope > 0)))
    return bounds + [False] * (last.high - high)
