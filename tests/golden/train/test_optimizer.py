"""The optimizers against the formulas written out, and the schedule's ends."""

import numpy as np
import pytest

from dorefa.golden.train.optimizer import Adam, Momentum, cosine_rate, optimizer_of

from .support import recipe_of


def test_adam_follows_the_published_formulas(rng):
    start = rng.standard_normal((3, 2))
    value = start.copy()
    optimizer = Adam({"w": value})
    first = second = np.zeros((3, 2))
    expected = start
    for step in range(1, 6):
        gradient = rng.standard_normal((3, 2))
        optimizer.step({"w": gradient}, 0.01, step - 1)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        mean, variance = first / (1 - 0.9**step), second / (1 - 0.999**step)
        expected = expected - 0.01 * mean / (np.sqrt(variance) + 1e-8)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_momentum_follows_its_formula(rng):
    start = rng.standard_normal((3, 2))
    value = start.copy()
    optimizer = Momentum({"w": value}, 0.8)
    velocity, expected = 0, start
    for step in range(5):
        gradient = rng.standard_normal((3, 2))
        optimizer.step({"w": gradient}, 0.1, step)
        velocity = 0.8 * velocity + gradient
        expected = expected - 0.1 * velocity
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_array_equal(optimizer.state["velocity.w"], velocity)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_weights_alone_decay_and_apart_from_their_gradient(rng, name):
    start = {"conv.weight": rng.standard_normal((3, 2)), "conv.gamma": rng.standard_normal(3)}
    gradients = {name: rng.standard_normal(value.shape) for name, value in start.items()}
    results = []
    for decay in (0.0, 0.5):
        parameters = {name: value.copy() for name, value in start.items()}
        recipe = recipe_of(optimizer=name, weight_decay=decay, momentum=0.7)
        optimizer_of(recipe, parameters).step(gradients, 0.1, 0)
        results.append(parameters)
    np.testing.assert_array_equal(results[0]["conv.gamma"], results[1]["conv.gamma"])
    difference = results[0]["conv.weight"] - results[1]["conv.weight"]
    np.testing.assert_allclose(difference, 0.1 * 0.5 * start["conv.weight"], rtol=1e-9)


def test_cosine_rate_falls_from_its_peak_to_nearly_zero():
    rates = [cosine_rate(0.5, step, 10) for step in range(10)]
    assert rates[0] == 0.5 and rates[5] == pytest.approx(0.25)
    assert rates == sorted(rates, reverse=True)
    assert 0 < rates[-1] < 0.02
