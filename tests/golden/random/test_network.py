"""Random networks: reproducible, within their limits, varied, and with codes that spread."""

import hashlib
import re

import numpy as np
import pytest

from dorefa.golden import InputError, lower, random_images, random_network, run_integer
from dorefa.golden.network.encoding import Encoding

OPTIONS = {"encodings": tuple(Encoding), "allow_average": True, "allow_pool_padding": True}


def test_a_seed_gives_the_same_bits_everywhere():
    digest = hashlib.sha256()
    network = random_network(20)
    for layer in network.layers:
        digest.update(layer.codes.tobytes() + layer.scale.tobytes())
        if layer.norm is not None:
            digest.update(layer.norm.gamma.tobytes() + layer.norm.mean.tobytes())
            digest.update(layer.norm.beta.tobytes() + layer.norm.var.tobytes())
    digest.update(random_images(network, 2, 20).tobytes())
    assert digest.hexdigest()[:16] == "f23a44f9e86efdf6"


def test_seeds_differ():
    shapes = {random_network(seed).layers[0].codes.tobytes() for seed in range(10)}
    assert len(shapes) == 10


def test_codes_are_spread(seed):
    constant = layers = few = 0
    for draw in range(seed, seed + 60):
        network = random_network(draw, **OPTIONS)
        results = run_integer(lower(network), random_images(network, 8, draw))
        for layer in network.layers[:-1]:
            codes = results[layer.name]
            layers += 1
            constant += codes.min() == codes.max()
            few += len(np.unique(codes)) < min(1 << layer.a_bits, codes.size) / 4
    # A map of one pixel and one channel can be constant; most layers use most of their codes.
    assert layers > 100
    assert constant <= layers * 0.04
    assert few <= layers * 0.15


def test_everything_occurs():
    layers = [layer for draw in range(150) for layer in random_network(draw, **OPTIONS).layers]
    convolutions = [layer for layer in layers if layer.kind == "conv"]

    def occurs(condition, among=convolutions):
        return any(condition(layer) for layer in among)

    assert {size for layer in convolutions for size in layer.codes.shape[1:3]} == set(range(1, 8))
    assert {step for layer in convolutions for step in layer.stride} == {1, 2, 3}
    assert {layer.w_bits for layer in layers} == set(range(1, 9))
    assert {layer.a_bits for layer in convolutions} == set(range(1, 9))
    assert {layer.encoding for layer in layers} == set(Encoding)
    assert {1, 7, 67} <= {layer.out_channels for layer in convolutions}
    assert occurs(lambda layer: layer.groups > 1)
    assert occurs(lambda layer: layer.dilation != (1, 1))
    assert occurs(lambda layer: len(set(layer.padding)) > 2)
    assert occurs(lambda layer: layer.norm is None and layer.bias is None)
    assert occurs(lambda layer: layer.norm is None and layer.bias is not None)
    assert occurs(lambda layer: layer.norm is not None and layer.bias is not None)
    assert occurs(lambda layer: layer.scale.shape != ())
    normed = [layer for layer in convolutions if layer.norm is not None]
    assert occurs(lambda layer: (layer.norm.gamma < 0).any(), normed)
    assert occurs(lambda layer: (layer.norm.gamma == 0).any(), normed)
    pooled = [layer for layer in convolutions if layer.pool is not None]
    assert occurs(lambda layer: layer.pool.kind == "average", pooled)
    assert occurs(lambda layer: any(layer.pool.padding), pooled)
    assert occurs(lambda layer: layer.pool.stride < layer.pool.kernel, pooled)


@pytest.mark.parametrize("max_macs", [20_000, 300_000])
def test_limits(max_macs):
    for draw in range(40):
        network = random_network(draw, max_macs=max_macs, w_bits=3, a_bits=2, max_channels=20)
        assert sum(layer.macs for layer in lower(network).layers) <= max_macs
        assert network.input_bits == 2 and max(network.input_shape[:2]) <= 14
        for layer in network.layers:
            assert layer.w_bits == 3 and layer.encoding == "bipolar" and layer.a_bits in (2, None)
            assert layer.out_channels <= 20
            if layer.pool is not None:
                assert layer.pool.kind == "max" and not any(layer.pool.padding)
    assert len(random_network(0, conv_layers=4).layers) == 5
    assert random_network(0, a_bits=2, input_bits=8).input_bits == 8
    assert random_network(0, max_size=3).input_shape[0] <= 3


def test_images():
    network = random_network(1, input_bits=3)
    images = random_images(network, 4, 9)
    assert images.shape == (4, *network.input_shape) and images.dtype == np.uint8
    assert set(np.unique(images)) == set(range(8))
    assert np.array_equal(images, random_images(lower(network), 4, 9))
    assert not np.array_equal(images, random_images(network, 4, 10))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"w_bits": 0}, "random_network: w_bits is 0; accepted: an integer in 1..8"),
        ({"conv_layers": 5}, "random_network: conv_layers is 5; accepted: an integer in 1..4"),
        ({"max_macs": 10}, "random_network: max_macs is 10; accepted: an integer >= 20000"),
        ({"encodings": ()}, "random_network: encodings is (); accepted: one or more names"),
        (
            {"encodings": ("signed",)},
            "random_network: encodings is 'signed'; accepted: bipolar, twos_complement, unsigned",
        ),
        ({"seed": -1}, "seed is -1; accepted: an integer >= 0"),
    ],
)
def test_refused(options, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        random_network(**({"seed": 1} | options))
