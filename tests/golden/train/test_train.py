"""Training from a seed: it learns, it repeats itself bit for bit, it refuses what does not fit."""

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.train.train import accuracy, network_accuracy, train
from dorefa.golden.zoo.architectures import DIGITS, find
from dorefa.golden.zoo.datasets import digits_sample

from .support import recipe_of


def arrays_of(network):
    for layer in network.layers:
        yield layer.codes
        yield layer.scale
        if layer.bias is not None:
            yield layer.bias
        if layer.norm is not None:
            yield from (layer.norm.gamma, layer.norm.beta, layer.norm.mean, layer.norm.var)


@pytest.mark.slow
@pytest.mark.sample
def test_training_on_the_sample_learns(seed):
    images, labels = digits_sample()
    result = train(
        DIGITS,
        recipe_of(epochs=4, seed=seed, batch=32, rate=2e-3),
        images[:800],
        labels[:800],
        test=(images[800:], labels[800:]),
    )
    assert [entry["epoch"] for entry in result.history] == [1, 2, 3, 4]
    assert result.history[-1]["loss"] < result.history[0]["loss"] / 2
    # Chance is 0.1; seeds differ by a few hundredths.
    assert result.accuracy > 0.7
    assert result.accuracy == network_accuracy(result.network, images[800:], labels[800:])
    assert [layer.w_bits for layer in result.network.layers] == [1, 1, 1, 1, 1, 8]
    assert [layer.a_bits for layer in result.network.layers] == [2, 2, 2, 2, 2, None]


def test_a_seed_gives_the_same_bits_and_another_seed_others(seed):
    images, labels = digits_sample()
    runs = [
        train(
            DIGITS,
            recipe_of(w_bits=2, a_bits=1, g_bits=4, epochs=2, seed=run_seed, first_w=3, last_w=1, batch=16),
            images[:40],
            labels[:40],
        )
        for run_seed in (seed, seed, seed + 1)
    ]
    assert runs[0].history == runs[1].history != runs[2].history
    assert runs[0].accuracy is None
    for first, second in zip(*(arrays_of(run.network) for run in runs[:2]), strict=True):
        np.testing.assert_array_equal(first, second)
    other = zip(*(arrays_of(run.network) for run in runs[::2]), strict=True)
    assert any(not np.array_equal(first, second) for first, second in other)
    assert [layer.w_bits for layer in runs[0].network.layers] == [3, 2, 2, 2, 2, 1]


def test_progress_is_told_after_every_batch():
    images, labels = digits_sample()
    calls = []
    train(
        DIGITS,
        recipe_of(a_bits=1, g_bits=32, epochs=2, batch=8),
        images[:20],
        labels[:20],
        progress=lambda *call: calls.append(call),
    )
    assert [call[:2] for call in calls] == [(step, 6) for step in range(1, 7)]
    assert [call[2]["epoch"] for call in calls] == [1, 1, 1, 2, 2, 2]
    assert all(np.isfinite(call[2]["loss"]) for call in calls)


@pytest.mark.parametrize(
    "rate, g_bits, message",
    [
        (1e39, 6, "epoch 1, step 1 of 4: layer conv0: weight is inf at (0, 0, 0, 0)"),
        (1e20, 32, "epoch 1, step 2 of 4: layer conv0: var is inf at (0,)"),
        (1e300, 6, "epoch 1, step 1 of 4: layer conv0: weight is inf at (0, 0, 0, 0)"),
    ],
)
def test_a_rate_that_is_too_high_is_named(rate, g_bits, message):
    """Also without a warning, which would be an error here."""
    images, labels = (array[:4] for array in digits_sample())
    small = find("digits-small")
    with pytest.raises(InputError) as error:
        train(small, recipe_of(g_bits=g_bits, epochs=2, batch=2, rate=rate), images, labels)
    assert str(error.value) == (
        f"train: {message}, because the learning rate is too high: rate is {rate:g}; accepted: a lower one, "
        "as 0.001"
    )


def test_a_test_set_at_a_high_rate_warns_of_nothing():
    """Parameters that are finite, just so: sums of them are not."""
    images, labels = (array[:4] for array in digits_sample())
    sets = {"images": images, "labels": labels, "test": (images, labels)}
    trained = train(find("digits-small"), recipe_of(rate=3e37), **sets)
    assert trained.history[0]["test_accuracy"] == trained.accuracy


def test_scores_that_are_not_finite_have_no_accuracy():
    images, labels = (array[:4] for array in digits_sample())
    with pytest.raises(InputError, match=r"^a score is nan at \(0, 2\); accepted: finite numbers$"):
        accuracy(lambda part: np.full((len(part), 3), (0, 1, np.nan)), images, labels)


def test_ends_after_some_steps():
    images, labels = digits_sample()
    recipe = recipe_of(batch=8, epochs=2)
    results = [
        train(DIGITS, recipe, images[:20], labels[:20], test=(images[20:40], labels[20:40]), steps=steps)
        for steps in (1, 3, 4, 99, None)
    ]
    assert [len(result.losses) for result in results] == [1, 3, 4, 6, 6]
    assert [len(result.history) for result in results] == [1, 1, 2, 2, 2]
    for result in results:
        assert result.losses == results[-1].losses[: len(result.losses)]
        assert result.history[-1].keys() == {"epoch", "loss", "train_accuracy", "test_accuracy"}
    assert results[0].history[0]["loss"] == results[0].losses[0]
    assert len({result.parameters_sha256 for result in results}) == 4
    with pytest.raises(InputError, match="^train: steps is 0; accepted: an integer >= 1$"):
        train(DIGITS, recipe, images[:20], labels[:20], steps=0)


def test_what_no_file_holds_trains_and_is_measured(seed):
    images, labels = digits_sample()
    test = images[300:400], labels[300:400]
    recipe = recipe_of(first="float", last="float", batch=32, epochs=2, rate=2e-3, optimizer="sgd", seed=seed)
    result = train(DIGITS, recipe, images[:300], labels[:300], test=test)
    assert result.network is None
    assert result.accuracy == result.history[-1]["test_accuracy"]
    assert result.history[1]["loss"] < result.history[0]["loss"]
