"""Exact, monotone functions of one integer per channel, and their thresholds.

A chain of steps leads from the integer that a layer computes to a real value and, by a rounding
step, to an integer again. Every step is monotone, so the chain is, and "the result is at least t"
is a half-line of the layer's integer: it is pulled back through the chain step by step, in
rational arithmetic.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

_HALF = Fraction(1, 2)


class HalfLine(NamedTuple):
    """x > bound (x >= bound unless strict) for sign 1; x < bound (x <= bound) for sign -1."""

    sign: int
    bound: Fraction
    strict: bool

    def holds(self, x):
        """Whether x lies on it."""
        if x == self.bound:
            return not self.strict
        return (x > self.bound) == (self.sign > 0)

    def opposite(self):
        """The rest of the line."""
        return HalfLine(-self.sign, self.bound, not self.strict)

    def integer(self):
        """The least integer on it for sign 1, the greatest for sign -1."""
        if self.sign > 0:
            return math.floor(self.bound) + 1 if self.strict else math.ceil(self.bound)
        return math.ceil(self.bound) - 1 if self.strict else math.floor(self.bound)


@dataclass(frozen=True, eq=False)
class Affine:
    """y = slope * x + offset; lists of Fraction, one per channel."""

    slope: list
    offset: list

    def apply(self, channel, x):
        """The value at x."""
        return self.slope[channel] * x + self.offset[channel]

    def pull(self, channel, line):
        """The x whose value lies on `line`: a HalfLine, True for all, False for none."""
        slope, offset = self.slope[channel], self.offset[channel]
        if slope == 0:
            return line.holds(offset)
        sign = line.sign if slope > 0 else -line.sign
        return HalfLine(sign, (line.bound - offset) / slope, line.strict)

    def direction(self, channel):
        """1 for growing, -1 for falling, 0 for constant."""
        slope = self.slope[channel]
        return (slope > 0) - (slope < 0)


class _Growing:
    def direction(self, channel):
        """1: the step never falls."""
        return 1


@dataclass(frozen=True, eq=False)
class Clamp(_Growing):
    """y = min(max(x, low), high); Fraction, or None for no bound."""

    low: Fraction | None
    high: Fraction | None

    def apply(self, channel, x):
        """The value at x."""
        x = x if self.low is None else max(x, self.low)
        return x if self.high is None else min(x, self.high)

    def pull(self, channel, line):
        """See Affine."""
        at_low = line.sign < 0 if self.low is None else line.holds(self.low)
        at_high = line.sign > 0 if self.high is None else line.holds(self.high)
        return line if at_low != at_high else at_low


@dataclass(frozen=True, eq=False)
class Leaky(_Growing):
    """y = x, but alpha * x below 0; alpha: list of positive Fraction, one per channel."""

    alpha: list

    def apply(self, channel, x):
        """The value at x."""
        return x if x >= 0 else self.alpha[channel] * x

    def pull(self, channel, line):
        """See Affine."""
        if line.bound >= 0:
            return line
        return line._replace(bound=line.bound / self.alpha[channel])


class _Integers(_Growing):
    """A step with integer results low..high; `reach` says from which x on the result is >= t."""

    def pull(self, channel, line):
        """See Affine."""
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
class Round(_Integers):
    """x clamped to low..high, then rounded to an integer; mode: a key of ROUNDING."""

    mode: str
    low: int
    high: int

    def reach(self, channel, t):
        """HalfLine of the x with a result of at least t, for low < t <= high."""
        distance, strict = ROUNDING[self.mode][t <= 0]
        return HalfLine(1, Fraction(t) - distance, t % 2 == 1 if strict == "tie" else strict)

    def apply(self, channel, x):
        """The value at x, an int."""
        x = min(max(x, self.low), self.high)
        floor = math.floor(x)
        if floor == x:
            return floor
        return floor + (floor < self.high and self.reach(channel, floor + 1).holds(x))


@dataclass(frozen=True, eq=False)
class Count(_Integers):
    """The number of thresholds that x reaches; levels: per channel a sorted list of Fraction."""

    levels: list

    low = 0

    @property
    def high(self):
        """The number of thresholds."""
        return len(self.levels[0])

    def reach(self, channel, t):
        """HalfLine of the x with a result of at least t, for 0 < t <= high."""
        return HalfLine(1, self.levels[channel][t - 1], False)

    def apply(self, channel, x):
        """The value at x, an int."""
        return sum(x >= level for level in self.levels[channel])


def is_integer_step(step):
    """Whether the results of `step` are the integers step.low..step.high."""
    return isinstance(step, _Integers)


def apply(steps, channel, x):
    """The chain's value at x."""
    for step in steps:
        x = step.apply(channel, x)
    return x


def direction(steps, channel):
    """1 if the chain grows, -1 if it falls, 0 if it is constant."""
    return math.prod(step.direction(channel) for step in steps)


def append(steps, step):
    """The chain with one more step; neighboring affine steps become one."""
    if not steps or not isinstance(step, Affine) or not isinstance(steps[-1], Affine):
        return (*steps, step)
    first = steps[-1]
    slope = [a * b for a, b in zip(first.slope, step.slope, strict=True)]
    offset = [a * b + c for a, b, c in zip(first.offset, step.slope, step.offset, strict=True)]
    return (*steps[:-1], Affine(slope, offset))


def thresholds(steps, channel, low, high):
    """(falling, T): the result of a chain that ends in integers, of an integer in low..high.

    Not falling: result = least + count(x >= T). Falling: result = greatest - count(x >= T). T is a
    nondecreasing list of one integer per result above the least, saturated to low..high + 1.
    """
    last = steps[-1]
    falling = False
    bounds = []
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
            bounds.append(line.integer())
    # Falling: at least t up to the integer bound, so one less than t from the next one on.
    values = {True: high + 1 if falling else low, False: low if falling else high + 1}
    result = [
        values[bound] if isinstance(bound, bool) else min(max(bound + falling, low), high + 1)
        for bound in bounds
    ]
    return falling, result[::-1] if falling else result
