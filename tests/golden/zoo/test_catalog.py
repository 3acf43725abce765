"""The zoo: trained weights classify real digits, random weights are reproducible and alive."""

import hashlib

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.run.integer import run_integer
from dorefa.golden.train.train import network_accuracy
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample


def parameters(network):
    for layer in network.layers:
        arrays = [layer.codes, layer.scale, layer.bias]
        if layer.norm is not None:
            arrays += [layer.norm.gamma, layer.norm.beta, layer.norm.mean, layer.norm.var]
        yield from (array for array in arrays if array is not None)


def digest(network):
    result = hashlib.sha256()
    for array in parameters(network):
        result.update(array.tobytes())
    return result.hexdigest()


def test_names():
    assert catalog.names() == [
        "digits",
        "digits-small",
        "svhn-a",
        "svhn-b",
        "svhn-c",
        "svhn-d",
        "alexnet",
        "alexnet-fc",
        "resnet18",
    ]


# Integer accuracy on the shipped 1,000 images, an exact number: the model has no tolerance.
ACCURACY = {
    ("digits", 1, 2): 0.987,
    ("digits", 1, 1): 0.976,
    ("digits", 2, 2): 0.987,
    ("digits-small", 1, 2): 0.974,
}


@pytest.mark.parametrize("name, w_bits, a_bits", catalog.TRAINED)
def test_trained_weights_classify_the_shipped_digits(name, w_bits, a_bits):
    network = catalog.load(name, net_w=w_bits, net_a=a_bits)
    convolutions = 5 if name == "digits" else 3
    last_bits = 8 if name == "digits" else 4
    assert [layer.w_bits for layer in network.layers] == [1, *[w_bits] * (convolutions - 1), last_bits]
    assert [layer.a_bits for layer in network.layers] == [*[a_bits] * convolutions, None]
    assert [layer.name for layer in network.layers] == [
        *(f"conv{number}" for number in range(convolutions)),
        "fc1",
    ]
    assert all(layer.weight is None for layer in network.layers)
    assert network_accuracy(network, *digits_sample()) == ACCURACY[name, w_bits, a_bits]
    assert catalog.trained_path(name, w_bits, a_bits).stat().st_size < 250_000


def test_the_gradient_width_selects_a_training():
    trained = digest(catalog.load("digits", net_w=1, net_a=1))
    assert digest(catalog.load("digits", net_w=1, net_a=1, net_g=4)) == trained
    with pytest.raises(InputError) as error:
        catalog.load("digits", net_w=1, net_a=1, net_g=6)
    assert str(error.value) == "digits: net_g is 6; accepted for these weights: 4, or none"
    with pytest.raises(InputError, match="net_g is 6; accepted for these weights: none with rand"):
        catalog.load("digits", net_w=3, net_a=1, net_g=6)


def test_random_weights_are_the_same_on_every_machine():
    network = catalog.load("digits", net_w=3, net_a=2, seed=5)
    assert digest(network) == "d0fb8a5b788cf6b602908f7b6f661291b41689850d6d41e7d22560cee8931b5d"
    assert digest(catalog.load("digits", net_w=3, net_a=2, seed=5)) == digest(network)
    assert digest(catalog.load("digits", net_w=3, net_a=2, seed=6)) != digest(network)


@pytest.mark.parametrize(
    "w_bits, a_bits, first_w, last_w, size",
    [(1, 2, None, None, None), (3, 1, 2, 3, None), (8, 8, 8, 1, (33, 30)), (2, 4, None, 2, None)],
)
def test_random_networks_have_the_widths_asked_for_and_spread_their_codes(
    seed, w_bits, a_bits, first_w, last_w, size
):
    network = catalog.load(
        "digits",
        net_w=w_bits,
        net_a=a_bits,
        seed=seed + 1,
        first_w=first_w,
        last_w=last_w,
        size=size,
    )
    widths = [layer.w_bits for layer in network.layers]
    assert widths == [first_w or 1, *[w_bits] * 4, last_w or 8]
    assert network.input_shape == (*(size or (28, 28)), 1)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (8, *network.input_shape), np.uint8)
    results = run_integer(lower(network), images)
    for layer in network.layers[:-1]:
        counts = np.bincount(results[layer.name].ravel(), minlength=1 << a_bits)
        # Most codes occur, and none takes nearly everything.
        assert np.count_nonzero(counts) > 0.7 * len(counts), layer.name
        assert counts.max() < 0.8 * counts.sum(), layer.name
    assert len(np.unique(results["fc1"], axis=0)) == 8


def test_other_widths_of_first_and_last_layer_are_not_the_trained_ones():
    trained = digest(catalog.load("digits"))
    assert digest(catalog.load("digits", first_w=1, last_w=8, size=(28, 28), seed=0)) == trained
    for changed in ({"seed": 1}, {"last_w": 1}, {"first_w": 8}, {"size": (32, 32)}, {"net_a": 3}):
        assert digest(catalog.load("digits", **changed)) != trained


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        (
            "alexnet9",
            {},
            "network 'alexnet9' is not in the zoo; known: digits, digits-small, svhn-a, svhn-b, "
            "svhn-c, svhn-d, alexnet, alexnet-fc, resnet18, or a file ending in .toml or .py",
        ),
        ("digits", {"net_w": 9}, "digits: net_w is 9; accepted: an integer in 1..8"),
        ("digits", {"net_a": 0}, "digits: net_a is 0; accepted: an integer in 1..8"),
        (
            "digits",
            {"last_w": 16},
            "digits: weight bits of layer fc1 is 16; accepted: an integer in 1..8",
        ),
        ("digits", {"seed": -1}, "digits: seed is -1; accepted: an integer >= 0"),
        (
            "digits",
            {"size": (28,)},
            "digits: size is (28,); accepted: 2 integers >= 1 (height, width)",
        ),
        (
            "digits",
            {"size": (28, 24)},
            "digits on 28x24 images: layer conv4: kernel covers 4 columns (= 1 x (4 - 1) + 1); "
            "accepted: at most 3 (= 0 + 3 + 0, padded input)",
        ),
    ],
)
def test_what_the_zoo_does_not_have_is_refused(name, arguments, message):
    with pytest.raises(InputError) as error:
        catalog.load(name, **arguments)
    assert str(error.value) == message
