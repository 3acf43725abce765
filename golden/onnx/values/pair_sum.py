"""Sums of two codes whose scales have no small ratio, as integers that give the same results.

The real value is s1 a + s2 b + o of two codes a and b, the integer t = m1 a + m2 b with small m1 and m2.
What a quantizer makes of the real value is at least some result for some of the pairs (a, b), which are few;
the integer stands for the sum where each time a threshold of t parts these pairs from the others.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate

from ...lowering.fold import Range
from ...lowering.staircase import split, thresholds
from ...lowering.steps import HalfLine, Number, Step
from ...network.layer import MAX_BITS
from ...network.parts import M_BITS
from ..file.graph import Node
from .draft import Draft
from .tensors import Sums

Factors = tuple[int, int]


class NotParted(Exception):
    """No threshold of the integers parts the pairs of codes as the real values do; `pairs`: two of them whose
    order differs."""

    def __init__(self, pairs: tuple[Factors, Factors]):
        super().__init__(pairs)
        self.pairs = pairs


@dataclass(frozen=True)
class _Table:
    """Pairs of codes in the order of their real values: `reals` (without the offset), `integers`, the least
    integer from each one on, the greatest up to it, and `pairs`; `pulled`: what half-lines became."""

    reals: list[Fraction]
    integers: list[int]
    least: list[int]
    greatest: list[int]
    pairs: list[Factors]
    pulled: dict[HalfLine, HalfLine | bool] = field(default_factory=dict)


@lru_cache(maxsize=64)
def _table(scales: tuple[Fraction, Fraction], factors: Factors, ranges: tuple[Range, Range]) -> _Table:
    common = scales[0].denominator * scales[1].denominator
    first, second = (int(scale * common) for scale in scales)
    (low, high), (other_low, other_high) = ranges
    ordered = sorted(
        (first * a + second * b, factors[0] * a + factors[1] * b, (a, b))
        for a in range(low, high + 1)
        for b in range(other_low, other_high + 1)
    )
    integers = [integer for _, integer, _ in ordered]
    return _Table(
        reals=[Fraction(real, common) for real, _, _ in ordered],
        integers=integers,
        least=list(accumulate(reversed(integers), min))[::-1],
        greatest=list(accumulate(integers, max)),
        pairs=[pair for _, _, pair in ordered],
    )


@dataclass(frozen=True, eq=False)
class PairSum(Step):
    """From integers m1 a + m2 b to s1 a + s2 b + offset; scales and offset: per channel; factors: (m1, m2) of
    all channels; ranges: of a and of b."""

    scales: list[tuple[Fraction, Fraction]]
    offset: list[Fraction]
    factors: Factors
    ranges: tuple[Range, Range]

    def apply(self, channel: int, x: Number) -> Number:
        """See Step: nearly, because pairs with one integer have several values."""
        return self.scales[channel][0] / self.factors[0] * x + self.offset[channel]

    def pull(self, channel: int, line: HalfLine) -> HalfLine | bool:
        """See Step; NotParted where no half-line of integers has the same pairs."""
        table = _table(self.scales[channel], self.factors, self.ranges)
        moved = line._replace(bound=line.bound - self.offset[channel])
        # Channels of one scale ask for the same ones.
        if moved not in table.pulled:
            table.pulled[moved] = _parted(table, moved)
        return table.pulled[moved]

    def ends(self, channel: int) -> tuple[Fraction, Fraction]:
        """Least and greatest real value of any pair."""
        one, other = (
            sorted((scale * low, scale * high))
            for scale, (low, high) in zip(self.scales[channel], self.ranges, strict=True)
        )
        offset = self.offset[channel]
        return one[0] + other[0] + offset, one[1] + other[1] + offset


def _parted(table: _Table, line: HalfLine) -> HalfLine | bool:
    """The half-line of integers with the pairs of one of real values; True for all, False for none."""
    # Pairs from this place on lie on the line, or not.
    rising = line if line.sign > 0 else line.opposite()
    place = bisect_left(table.reals, True, key=rising.holds)
    if place in (0, len(table.reals)):
        return (place == 0) == (line.sign > 0)
    if table.greatest[place - 1] >= table.least[place]:
        before = table.integers.index(table.greatest[place - 1])
        behind = table.integers.index(table.least[place], place)
        raise NotParted((table.pairs[before], table.pairs[behind]))
    found = HalfLine(1, Fraction(table.least[place]), False)
    return found if line.sign > 0 else found.opposite()


# Pairs of codes that are looked at: of two maps of 9 bits.
_MOST_PAIRS = 1 << 18


def are_few(drafts: tuple[Draft, Draft]) -> bool:
    """Whether all pairs of the codes that two drafts read can be looked at."""
    first, second = (draft.inputs.high - draft.inputs.low + 1 for draft in drafts)
    return first * second <= _MOST_PAIRS


def pair_sum(
    drafts: tuple[Draft, Draft], scales: list[tuple[Fraction, Fraction]], offset: list[Fraction]
) -> PairSum:
    """The PairSum of two drafts whose integers are codes, with any factors."""
    first, second = ((draft.inputs.low, draft.inputs.high) for draft in drafts)
    return PairSum(scales, offset, (1, 1), (first, second))


def starting_ends(tensor: Sums) -> tuple[list[tuple[Number, Number]], tuple[Step, ...]]:
    """Per channel the ends of what steps of `tensor` start from, and these steps: those behind a PairSum, of
    which only the real values are known."""
    first, *rest = tensor.steps
    if isinstance(first, PairSum):
        return [first.ends(channel) for channel in range(tensor.shape[2])], tuple(rest)
    ranges: list[tuple[Number, Number]] = [*tensor.draft.value_ranges()]
    return ranges, tensor.steps


def _candidates(ratio: Fraction) -> Iterator[Factors]:
    """Pairs of integers below 2^20 in about the ratio s1 / s2, ever closer to it."""
    most = (1 << M_BITS) - 1
    last = None
    for bits in range(1, M_BITS + 1):
        found = abs(ratio).limit_denominator(min(most, (1 << bits) - 1))
        pair = found.numerator * (1 if ratio > 0 else -1), found.denominator
        if pair != last and 0 < abs(pair[0]) <= most:
            yield pair
        last = pair


def settled(node: Node, tensor: Sums) -> Sums:
    """`tensor`, whose steps begin with a PairSum, with the least factors that give the same codes.

    Refused where there are none, or no integers.
    """
    first, *_ = tensor.steps
    assert isinstance(first, PairSum)
    parts = split(tensor.steps)
    accepted = (
        "one scale for both, or scales with a ratio of integers below 2^20, or a quantizer behind the sum"
    )
    if parts is None or parts.final.high - parts.final.low >= 1 << MAX_BITS:
        node.refuse("reads a sum of maps of different scales that is not quantized", accepted)
    ratios = {one / other for one, other in first.scales}
    if len(ratios) > 1:
        node.refuse("reads a sum of maps whose scales have other ratios in other channels", accepted)
    found = None
    for factors in _candidates(ratios.pop()):
        step = replace(first, factors=_signed(factors, first))
        draft = _with_factors(tensor.draft, step.factors)
        before: tuple[Step, ...] = (step, *parts.before[1:])
        ranges = draft.value_ranges()
        try:
            for channel, (low, high) in enumerate(ranges):
                thresholds((*before, parts.final), channel, low, high)
        except NotParted as error:
            found = error.pairs
            continue
        return replace(tensor, draft=draft, steps=(step, *tensor.steps[1:]))
    node.refuse(f"reads a sum of maps whose codes {found} no integers part as their real values", accepted)


def _signed(factors: Factors, step: PairSum) -> Factors:
    """Factors with the signs of the scales."""
    one, other = step.scales[0]
    return (abs(factors[0]) if one > 0 else -abs(factors[0])), (factors[1] if other > 0 else -factors[1])


def _with_factors(draft: Draft, factors: Factors) -> Draft:
    """The draft of the second code, which adds that of the first, with these factors."""
    assert draft.rounding is not None and draft.add is not None and draft.add.rounding is not None
    channels = len(draft.rounding.m)
    added = replace(draft.add, rounding=draft.add.rounding._replace(m=[factors[0]] * channels))
    return replace(draft, add=added, rounding=draft.rounding._replace(m=[factors[1]] * channels))
