"""Adam against the formulas written out, and the schedule's ends."""

import numpy as np
import pytest

from dorefa.golden.train.optimizer import Adam, cosine_rate


def test_adam_follows_the_published_formulas(rng):
    start = rng.standard_normal((3, 2))
    value = start.copy()
    optimizer = Adam({"w": value})
    first = second = np.zeros((3, 2))
    expected = start
    for step in range(1, 6):
        gradient = rng.standard_normal((3, 2))
        optimizer.step({"w": gradient}, 0.01)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        mean, variance = first / (1 - 0.9**step), second / (1 - 0.999**step)
        expected = expected - 0.01 * mean / (np.sqrt(variance) + 1e-8)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_cosine_rate_falls_from_its_peak_to_nearly_zero():
    rates = [cosine_rate(0.5, step, 10) for step in range(10)]
    assert rates[0] == 0.5 and rates[5] == pytest.approx(0.25)
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.02
