"""The steps of a staircase: exact, monotone functions of one number per channel."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, NamedTuple, TypeGuard

_HALF = Fraction(1, 2)
Number = Fraction | int


class HalfLine(NamedTuple):
    """x > bound (x >= bound unless strict) for sign 1; x < bound (x <= bound) for sign -1."""

    sign: int
    bound: Fraction
    strict: bool

    def holds(self, x: Number) -> bool:
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
    def apply(self, channel: int, x: Number) -> Number:
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

    def apply(self, channel: int, x: Number) -> Number:
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

    def then(self, step: "Affine") -> "Affine":
        """This step and `step` behind it as one."""
        return Affine(
            [a * b for a, b in zip(self.slope, step.slope, strict=True)],
            [a * b + c for a, b, c in zip(self.offset, step.slope, step.offset, strict=True)],
        )


@dataclass(frozen=True, eq=False)
class Clamp(Step):
    """y = min(max(x, low), high); Fraction, or None for no bound."""

    low: Fraction | None
    high: Fraction | None

    def apply(self, channel: int, x: Number) -> Number:
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

    def apply(self, channel: int, x: Number) -> Number:
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
    def apply(self, channel: int, x: Number) -> int:
        """See Step."""

    @abstractmethod
    def reach(self, channel: int, t: int) -> HalfLine:
        """The x with a result of at least t, for low < t <= high."""

    def pull(self, channel: int, line: HalfLine) -> HalfLine | bool:
        """See Step."""
        # "Less than b" is the opposite of "at least b".
        wanted = line if line.sign > 0 else line.opposite()
        t = wanted.integer()
        inside = self.low < t <= self.high
        reached: HalfLine | bool = self.reach(channel, t) if inside else t <= self.low
        if line.sign > 0:
            return reached
        return not reached if isinstance(reached, bool) else reached.opposite()


# Distance of the boundary below a result, and whether x must exceed it; "tie" goes to even.
Boundary = tuple[Number, bool | Literal["tie"]]
# Mode -> the boundary of results t > 0 and t <= 0. QONNX rounds HALF_UP away from zero and HALF_DOWN
# towards it, UP and DOWN too.
ROUNDING: dict[str, tuple[Boundary, Boundary]] = {
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
        return HalfLine(1, Fraction(t) - distance, strict if isinstance(strict, bool) else t % 2 == 1)

    def apply(self, channel: int, x: Number) -> int:
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
    low: int = field(init=False, default=0)
    high: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "high", len(self.levels[0]))

    def reach(self, channel: int, t: int) -> HalfLine:
        """See Integers."""
        return HalfLine(1, self.levels[channel][t - 1], False)

    def apply(self, channel: int, x: Number) -> int:
        """See Step."""
        return sum(x >= level for level in self.levels[channel])


def is_even_rounding(step: Step) -> TypeGuard[Round]:
    """Whether the step rounds to the nearest integer, ties to even."""
    return isinstance(step, Round) and ROUNDING[step.mode] == ROUNDING["HALF_EVEN"]
