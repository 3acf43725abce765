"""Exact, monotone functions of one integer per channel, and their thresholds.

A chain of steps leads from the integer that a layer computes to a real value and, by a rounding
step, to an integer again. Every step is monotone, so the chain is, and "the result is at least t"
is a half-line of the layer's integer: it is pulled back through the chain step by step, in
rational arithmetic.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

_HALF = Fraction(1, 2)


class HalfLine(NamedTuple):
    """x > bound (x >= bound unless strict) for sign 1; x < bound (x <= bound) for sign -1."""

    sign: int
    bound: Fraction
    strict: bool

    def holds(self, x: Fraction) -> bool:
        """Whether x lies on it."""
        if x == self.bound:
            return not self.strict
        return (x > self.bound) == (self.sign > 0)

    def opposite(self) -> "HalfLine":
        """The rest of the line."""
        return HalfLine(-self.sign, self.bound, not self.strict)

    def integer(self) -> int:
        """The least integer on it for sign 1, the greatest for sign -1."""
        if self.sign > 0:
            return math.floor(self.bound) + 1 if self.strict else math.ceil(self.bound)
        return math.ceil(self.bound) - 1 if self.strict else math.floor(self.bound)


class Step(ABC):
    """A monotone function of one number per channel."""

    @abstractmethod
    def apply(self, channel: int, x: Fraction | int) -> Fraction | int:
        """The value at x, an int where the step rounds."""

    @abstractmethod
    def pull(self, channel: int, line: HalfLine) -> HalfLine | bool:
        """The x whose value lies on `line`: a HalfLine, True for all, False for none."""

    def direction(self, channel: int) -> int:
        """1 for growing, -1 for falling, 0 for constant."""
        return 1


@dataclass(frozen=True, eq=False)
class Affine(Step):
    """y = slope * x + offset, one of each per channel."""

    slope: list[Fraction]
    offset: list[Fraction]

    def apply(self, channel: int, x: Fraction | int) -> Fraction | int:
        """See Step."""
        return self.slope[channel] * x + self.offset[channel]

    def pull(self, channel: int, line: HalfLine) -> HalfLine | bool:
        """See Step."""
        slope, offset = self.slope[channel], self.offset[channel]
        if slope == 0:
            return line.holds(offset)
        sign = line.sign if slope > 0 else -line.sign
        return HalfLine(sign, (line.bound - offset) / slope, line.strict)

    def direction(self, channel: int) -> int:
        """See Step."""
        slope = self.slope[channel]
        return (slope > 0) - (slope < 0)


@dataclass(frozen=True, eq=False)
class Clamp(Step):
    """y = min(max(x, low), high); Fraction, or None for no bound."""

    low: Fraction | None
    high: Fraction | None

    def apply(self, channel: int, x: Fraction | int) -> Fraction | int:
        """See Step."""
        x = x if self.low is None else max(x, self.low)
        return x if self.high is None else min(x, self.high)

    def pull(self, channel: int, line: HalfLine) -> HalfLine | bool:
        """See Step."""
        at_low = line.sign < 0 if self.low is None else line.holds(self.low)
        at_high = line.sign > 0 if self.high is None else line.holds(self.high)
        return line if at_low != at_high else at_low


@dataclass(frozen=True, eq=False)
class Leaky(Step):
    """y = x, but alpha * x below 0; alpha: positive, one per channel."""

    alpha: list[Fraction]

    def apply(self, channel: int, x: Fraction | int) -> Fraction | int:
        """See Step."""
        return x if x >= 0 else self.alpha[channel] * x

    def pull(self, channel: int, line: HalfLine) -> HalfLine | bool:
        """See Step."""
        if line.bound >= 0:
            return line
        return line._replace(bound=line.bound / self.alpha[channel])


class Integers(Step):
    """A step with integer results low..high; `reach` says from which x on the result is >= t."""

    low: int
    high: int

    @abstractmethod
    def reach(self, channel: int, t: int) -> HalfLine:
        """The x with a result of at least t, for low < t <= high."""

    def pull(self, channel: int, line: HalfLine) -> HalfLine | bool:
        """See Step."""
        # "Less than b" is the opposite of "at least b".
        wanted = line if line.sign > 0 else line.opposite()
        t = wanted.integer()
        if self.low < t <= self.high:
            reached = self.reach(channel, t)
        else:
            reached = t <= self.low
        if line.sign > 0:
            return reached
        return not reached if isinstance(reached, bool) else reached.opposite()


# Mode -> for results t > 0 and t <= 0: distance of the boundary below t, and whether x must exceed it.
# "tie" goes to even. QONNX rounds HALF_UP away from zero and HALF_DOWN towards it, UP and DOWN too.
ROUNDING = {
    "ROUND": ((_HALF, "tie"), (_HALF, "tie")),
    "HALF_EVEN": ((_HALF, "tie"), (_HALF, "tie")),
    "CEIL": ((1, True), (1, True)),
    "FLOOR": ((0, False), (0, False)),
    "UP": ((1, True), (0, False)),
    "DOWN": ((0, False), (1, True)),
    "HALF_UP": ((_HALF, False), (_HALF, True)),
    "HALF_DOWN": ((_HALF, True), (_HALF, False)),
}


@dataclass(frozen=True, eq=False)
class Round(Integers):
    """x clamped to low..high, then rounded to an integer; mode: a key of ROUNDING."""

    mode: str
    low: int
    high: int

    def reach(self, channel: int, t: int) -> HalfLine:
        """See Integers."""
        distance, strict = ROUNDING[self.mode][t <= 0]
        return HalfLine(1, Fraction(t) - distance, t % 2 == 1 if strict == "tie" else strict)

    def apply(self, channel: int, x: Fraction | int) -> Fraction | int:
        """See Step."""
        x = min(max(x, self.low), self.high)
        floor = math.floor(x)
        if floor == x:
            return floor
        return floor + (floor < self.high and self.reach(channel, floor + 1).holds(x))


@dataclass(frozen=True, eq=False)
class Count(Integers):
    """The number of thresholds that x reaches; levels: per channel a sorted list."""

    levels: list[list[Fraction]]

    low = 0

    @property
    def high(self) -> int:
        """The number of thresholds."""
        return len(self.levels[0])

    def reach(self, channel: int, t: int) -> HalfLine:
        """See Integers."""
        return HalfLine(1, self.levels[channel][t - 1], False)

    def apply(self, channel: int, x: Fraction | int) -> Fraction | int:
        """See Step."""
        return sum(x >= level for level in self.levels[channel])


def is_integer_step(step: Step) -> bool:
    """Whether the results of `step` are the integers step.low..step.high."""
    return isinstance(step, Integers)


def last_integers(steps: Sequence[Step]) -> int | None:
    """Position of the last step with integer results, None without one."""
    return max((i for i, step in enumerate(steps) if is_integer_step(step)), default=None)


def apply(steps: Sequence[Step], channel: int, x: Fraction | int) -> Fraction | int:
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
    first = steps[-1]
    slope = [a * b for a, b in zip(first.slope, step.slope, strict=True)]
    offset = [a * b + c for a, b, c in zip(first.offset, step.slope, step.offset, strict=True)]
    return (*steps[:-1], Affine(slope, offset))


def thresholds(steps: Sequence[Step], channel: int, low: int, high: int) -> tuple[bool, list[int]]:
    """(falling, T): the result of a chain that ends in integers, of an integer in low..high.

    Not falling: result = least + count(x >= T). Falling: result = greatest - count(x >= T). T is a
    nondecreasing list of one integer per result above the least, saturated to low..high + 1.
    """
    last = steps[-1]
    if len(steps) == 2 and isinstance(steps[0], Affine) and is_even_rounding(last):
        slope, offset = steps[0].slope[channel], steps[0].offset[channel]
        falling, bounds = slope < 0, _affine_bounds(slope, offset, last)
    else:
        falling, bounds = _pulled_bounds(steps, channel)
    ends = {True: high + 1 if falling else low, False: low if falling else high + 1}
    result = [ends[bound] if isinstance(bound, bool) else min(max(bound, low), high + 1) for bound in bounds]
    return falling, result[::-1] if falling else result


def is_even_rounding(step: Step) -> bool:
    """Whether the step rounds to the nearest integer, ties to even."""
    return isinstance(step, Round) and ROUNDING[step.mode] == ROUNDING["HALF_EVEN"]


def _pulled_bounds(steps: Sequence[Step], channel: int) -> tuple[bool, list[int | bool]]:
    """(falling, bounds): per result t above the least, the first x with at least t, or with less than t
    where the chain falls; True, False where all or no x have at least t."""
    last, falling, bounds = steps[-1], False, []
    for t in range(last.low + 1, last.high + 1):
        line = last.reach(channel, t)
        for step in reversed(steps[:-1]):
            line = step.pull(channel, line)
            if isinstance(line, bool):
                break
        if isinstance(line, bool):
            bounds.append(line)
        else:
            falling |= line.sign < 0
            # Falling: at least t up to the integer bound, so less than t from the next one on.
            bounds.append(line.integer() + (line.sign < 0))
    return falling, bounds


def _affine_bounds(slope: Fraction, offset: Fraction, last: Round) -> list[int | bool]:
    """The bounds of _pulled_bounds for round_half_even(slope * x + offset): in integers, for speed.

    The result reaches t where slope * x + offset >= t - 1/2, equality counting for even t only.
    """
    if slope == 0:
        code = min(max(round(offset), last.low), last.high)
        return [t <= code for t in range(last.low + 1, last.high + 1)]
    # Everything over one denominator: x >= above / below where the slope is positive.
    common = slope.denominator * offset.denominator
    twice_offset = 2 * offset.numerator * slope.denominator
    below = 2 * slope.numerator * offset.denominator
    bounds = []
    for t in range(last.low + 1, last.high + 1):
        quotient, rest = divmod((2 * t - 1) * common - twice_offset, below)
        # Above the quotient, or there where equality counts: for even t, for odd t where the chain falls.
        bounds.append(quotient + (rest != 0 or (t % 2 == 1) == (slope > 0)))
    return bounds
