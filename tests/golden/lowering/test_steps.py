"""Steps of a staircase: what rounding means, and two affine steps as one."""

from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden.lowering.steps import ROUNDING, Affine, Count, Round


@pytest.mark.parametrize("mode", ROUNDING)
def test_rounding_is_that_of_the_qonnx_package(mode):
    from qonnx.custom_op.general.intquant import resolve_rounding_mode

    values = np.arange(-24, 25) / 4
    step = Round(mode, -9, 9)
    expected = resolve_rounding_mode(mode)(values)
    assert [step.apply(0, Fraction(value)) for value in values.tolist()] == expected.tolist()


def test_then_is_one_step_after_the_other(rng):
    draw = lambda: [Fraction(int(n), 4) for n in rng.integers(-20, 21, 3)]  # noqa: E731
    first, second = Affine(draw(), draw()), Affine(draw(), draw())
    both = first.then(second)
    for channel in range(3):
        for x in range(-5, 6):
            assert both.apply(channel, x) == second.apply(channel, first.apply(channel, x))


def test_a_count_ends_at_the_number_of_its_levels():
    count = Count([[Fraction(-1), Fraction(1, 2), Fraction(1, 2)]])
    assert (count.low, count.high) == (0, 3)
    assert [count.apply(0, x) for x in (-2, -1, 0, 1)] == [0, 1, 1, 3]
