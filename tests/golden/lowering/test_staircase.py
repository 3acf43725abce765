"""Thresholds of chains of steps against the chain evaluated at every integer."""

from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden.lowering.staircase import append, apply, composed, direction, split, thresholds
from dorefa.golden.lowering.steps import ROUNDING, Affine, Clamp, Count, Leaky, Round


def draw_step(rng):
    kind = rng.integers(6)
    number = lambda low, high: Fraction(int(rng.integers(low, high)), int(rng.choice([1, 2, 3, 4])))  # noqa: E731
    if kind == 0:
        return Clamp(
            number(-9, 1) if rng.random() < 0.7 else None, number(1, 9) if rng.random() < 0.7 else None
        )
    if kind == 1:
        return Leaky([number(1, 5)])
    if kind == 2:
        low = int(rng.integers(-6, 2))
        return Round(str(rng.choice(list(ROUNDING))), low, low + int(rng.integers(1, 9)))
    if kind == 3:
        return Count([sorted(number(-9, 9) for _ in range(int(rng.integers(1, 6))))])
    return Affine([number(-6, 6)], [number(-6, 6)])


@pytest.mark.parametrize("draw", range(300))
def test_thresholds_are_the_chain(draw, seed):
    rng = np.random.default_rng([seed, draw])
    steps = ()
    for _ in range(int(rng.integers(0, 6))):
        steps = append(steps, draw_step(rng))
    mode = str(rng.choice(list(ROUNDING)))
    steps = append(steps, Round(mode, -int(rng.integers(0, 4)), int(rng.integers(1, 5))))
    low, high = -int(rng.integers(0, 30)), int(rng.integers(0, 30))
    falling, levels = thresholds(steps, 0, low, high)
    results = [apply(steps, 0, Fraction(x)) for x in range(low, high + 1)]
    assert len(levels) == steps[-1].high - steps[-1].low and levels == sorted(levels)
    assert all(low <= level <= high + 1 for level in levels)
    for x, result in zip(range(low, high + 1), results, strict=True):
        count = sum(x >= level for level in levels)
        assert result == (steps[-1].high - count if falling else steps[-1].low + count)
    if results[0] != results[-1]:
        assert direction(steps, 0) == (1 if results[-1] > results[0] else -1)


@pytest.mark.parametrize("draw", range(300))
def test_ramps_give_what_the_chain_gives(draw, seed):
    """Affine steps and clamps in front of rounding to even."""
    rng = np.random.default_rng([seed, draw])
    number = lambda most, *below: Fraction(int(rng.integers(-most, most + 1)), int(rng.choice(below)))  # noqa: E731
    steps = ()
    for _ in range(int(rng.integers(1, 6))):
        ends = sorted(number(20, 1, 2, 3) for _ in range(2))
        ends = [end if rng.random() < 0.7 else None for end in ends]
        steps += (Affine([number(9, 1, 2, 5, 8)], [number(40, 1, 2, 4, 7)]),)
        steps += (Clamp(*ends),) * int(rng.integers(0, 3))
    last = Round(str(rng.choice(["ROUND", "HALF_EVEN"])), -int(rng.integers(0, 9)), int(rng.integers(0, 9)))
    # A step that changes nothing keeps the chain from the short way.
    longer = (*steps, Leaky([Fraction(1)]), last)
    assert thresholds((*steps, last), 0, -30, 25) == thresholds(longer, 0, -30, 25)


def test_affine_steps_merge():
    first, second = Affine([Fraction(2)], [Fraction(3)]), Affine([Fraction(-1, 2)], [Fraction(1)])
    (merged,) = append((first,), second)
    assert (merged.slope, merged.offset) == ([Fraction(-1)], [Fraction(-1, 2)])
    whole = composed((first, second, first), 1)
    assert all(whole.apply(0, x) == apply((first, second, first), 0, x) for x in range(-5, 6))
    assert composed((), 2).slope == [1, 1] and composed((), 2).offset == [0, 0]


def test_a_chain_is_split_at_its_last_integers():
    affine, inner, last = Affine([Fraction(2)], [Fraction(3)]), Count([[Fraction(0)]]), Round("FLOOR", 0, 3)
    parts = split((inner, affine, last, affine, affine))
    assert parts == ((inner, affine), last, (affine, affine))
    assert parts.chain == (inner, affine, last)
    assert split((affine, Clamp(None, Fraction(1)))) is None
