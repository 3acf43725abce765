"""Algorithm 1: the whole backward pass, and which tensors pass through which quantizer."""

import hashlib

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.lower import lower
from dorefa.golden.run.integer import logits, run_integer
from dorefa.golden.train import layers
from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.train.recipe import FLOAT

from .support import TINY, DirectBackend, check_gradients, tiny_network


def test_float_backward_equals_finite_differences(rng):
    network, images, labels = tiny_network(rng, dtype=np.float64, w_bits=FLOAT, a_bits=FLOAT, g_bits=FLOAT)
    check_gradients(network, images, labels, rng)


class Recorded(MatrixBackend):
    """Remembers what every operation was given, the latest layer last."""

    def __init__(self, noise_seed):
        super().__init__(noise_seed)
        self.operands = {"forward": [], "backward_weight": [], "backward_input": []}

    def forward(self, *operands):
        self.operands["forward"].append(operands)
        return super().forward(*operands)

    def backward_weight(self, *operands):
        self.operands["backward_weight"].append(operands)
        return super().backward_weight(*operands)

    def backward_input(self, *operands):
        self.operands["backward_input"].append(operands)
        return super().backward_input(*operands)


@pytest.mark.parametrize("w_bits, a_bits, g_bits", [(1, 2, 6), (2, 1, 4), (3, 3, 2)])
def test_the_three_convolutions_see_quantized_operands_only(rng, w_bits, a_bits, g_bits):
    backend = Recorded(1)
    network, images, labels = tiny_network(rng, backend, w_bits=w_bits, a_bits=a_bits, g_bits=g_bits)
    scores = network.forward(images, 0)
    network.backward(layers.softmax_cross_entropy(scores, labels)[1], 0)
    names = [spec.name for spec in TINY.layers]
    calls = backend.operands
    assert [shape.name for shape, *_ in calls["forward"]] == names
    assert [shape.name for shape, *_ in calls["backward_weight"]] == names[::-1]
    # The image needs no gradient.
    assert [shape.name for shape, *_ in calls["backward_input"]] == names[:0:-1]
    for index, (shape, activations, weights) in enumerate(calls["forward"]):
        assert (shape.w_bits, shape.a_bits, shape.g_bits) == (w_bits, a_bits if index else 8, g_bits)
        assert activations.dtype == weights.dtype == np.uint8
        assert activations.max() < 1 << shape.a_bits and weights.max() < 1 << w_bits
    inputs = {shape.name: operands for shape, *operands in calls["backward_input"]}
    for shape, gradients, scales, activations in calls["backward_weight"]:
        _, same, weights = calls["forward"][names.index(shape.name)]
        assert activations is same
        assert gradients.dtype == np.uint8 and gradients.max() < 1 << g_bits
        assert np.unique(scales).size > 1
        if shape.name in inputs:
            assert inputs[shape.name][0] is gradients and inputs[shape.name][1] is weights


def gradients_of(rng, step=0, **fields):
    network, images, labels = tiny_network(rng, **fields)
    scores = network.forward(images, step)
    loss, gradient = layers.softmax_cross_entropy(scores, labels)
    return loss, network.backward(gradient, step)


def test_steps_and_seeds_have_their_own_noise(seed):
    def weights_of(**fields):
        gradients = gradients_of(np.random.default_rng(seed), **fields)[1]
        return gradients["conv1.weight"]

    for fields in ({"g_bits": 4}, {"g_bits": 12}, {"g_bits": 4, "maximum": "exact"}):
        usual = weights_of(**fields)
        np.testing.assert_array_equal(usual, weights_of(noise_seed=0, **fields))
        assert (usual != weights_of(noise_seed=1, **fields)).any()
        assert (usual != weights_of(step=1, **fields)).any()
        assert (usual != weights_of(noise=False, **fields)).any()
        np.testing.assert_array_equal(
            weights_of(noise=False, **fields), weights_of(noise=False, noise_seed=1, step=1, **fields)
        )


@pytest.mark.parametrize("w_bits, a_bits, g_bits", [(1, 2, 6), (3, 2, 8), (8, 8, 1)])
def test_another_exact_backend_gives_the_same_bits(seed, w_bits, a_bits, g_bits):
    results = []
    for backend in (MatrixBackend(5), DirectBackend(5)):
        rng = np.random.default_rng(seed)
        widths = {"w_bits": w_bits, "a_bits": a_bits, "g_bits": g_bits}
        results.append(gradients_of(rng, backend=backend, **widths))
    assert results[0][0] == results[1][0]
    for name, value in results[0][1].items():
        np.testing.assert_array_equal(value, results[1][1][name], err_msg=name)


def test_equal_sums_are_equal_floats_so_that_the_first_of_equal_maxima_counts(rng):
    """Many windows have their greatest sum twice."""
    network, images, _ = tiny_network(rng)
    backend = Recorded(1)
    network.layers[0].convolution.backend = backend
    images = rng.integers(0, 2, images.shape, np.uint8)
    network.forward(images, 0)
    sums = MatrixBackend(1).forward(*backend.operands["forward"][0]).astype(np.int64)
    found = 0
    for n, y, x, channel in np.ndindex(network.layers[0].position.shape):
        window = sums[n, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2, channel].ravel()
        assert network.layers[0].position[n, y, x, channel] == window.argmax()
        found += (window == window.max()).sum() > 1
    assert found > 50


def test_first_and_last_layer_in_floating_point(rng):
    backend = Recorded(1)
    network, images, labels = tiny_network(rng, backend, first="float", last="float")
    scores = network.forward(images, 0)
    network.backward(layers.softmax_cross_entropy(scores, labels)[1], 0)
    for calls in backend.operands.values():
        assert {shape.name for shape, *_ in calls} == {"conv1", "conv2"}
    # What the last layer reads is clipped and no code.
    assert network.layers[2].bits.yields == FLOAT and network.layers[3].bits.reads == FLOAT
    with pytest.raises(InputError) as error:
        network.freeze()
    assert str(error.value) == (
        "train: layer conv0 has float weights, which no network file holds; accepted: 1 to 8 bits, or a "
        "training without one"
    )


def test_parameters_sha256_is_what_it_says(rng):
    network, *_ = tiny_network(rng)
    digest = hashlib.sha256()
    for name in sorted(network.parameters):
        digest.update(name.encode() + b"\n" + network.parameters[name].astype("<f4").tobytes())
    assert network.parameters_sha256 == digest.hexdigest()
    network.parameters["fc1.bias"][0] += 1
    assert network.parameters_sha256 != digest.hexdigest()


@pytest.mark.parametrize("w_bits, a_bits", [(1, 2), (2, 2), (8, 4)])
def test_frozen_network_computes_what_the_training_network_does(rng, w_bits, a_bits):
    network, images, _ = tiny_network(rng, w_bits=w_bits, a_bits=a_bits, g_bits=8)
    for step in range(3):
        network.forward(rng.integers(0, 256, (50, *TINY.input_shape), np.uint8), step)
    integers = lower(network.freeze())
    accumulators = run_integer(integers, images)["fc1"]
    # One activation on the other side of a rounding boundary would move a logit far more.
    np.testing.assert_allclose(logits(integers, accumulators), network.forward(images), rtol=1e-4, atol=1e-4)
