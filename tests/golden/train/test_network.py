"""Algorithm 1: the whole backward pass, and which tensors pass through which quantizer."""

import numpy as np
import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Pool
from dorefa.golden.quantizers.dorefa import quantize_activations, quantize_weights
from dorefa.golden.run.integer import logits, run_integer
from dorefa.golden.train import layers
from dorefa.golden.train.network import (
    FLOAT,
    TrainNetwork,
    quantized_activations,
    quantized_gradients,
    quantized_weights,
)
from dorefa.golden.zoo.architecture import Architecture, LayerSpec

TINY = Architecture(
    name="tiny",
    input_shape=(8, 7, 1),
    input_bits=8,
    layers=(
        LayerSpec(
            name="conv0",
            kind="conv",
            channels=3,
            kernel=(3, 2),
            pool=Pool(kind="max", kernel=(2, 2), stride=(2, 2)),
            bias=True,
            norm=False,
        ),
        LayerSpec(name="conv1", kind="conv", channels=4, kernel=(3, 3), padding=(1, 1, 1, 1)),
        LayerSpec(name="conv2", kind="conv", channels=5, kernel=(2, 2), stride=(1, 2)),
        LayerSpec(name="fc1", kind="fc", channels=3, norm=False, bias=True),
    ),
    first_w=1,
    last_w=8,
)


def tiny_network(rng, w_bits, a_bits, g_bits, dtype):
    widths = [w_bits] * len(TINY.layers)
    network = TrainNetwork(TINY, widths, a_bits, g_bits, rng, dtype)
    for layer in network.layers:
        # Off their starting values, so that each gradient matters.
        for name in ("gamma", "beta", "bias"):
            if name in layer.parameters:
                layer.parameters[name] += 0.3 * rng.standard_normal(layer.spec.channels)
    images = rng.integers(0, 256, (6, *TINY.input_shape), np.uint8)
    return network, images, rng.integers(0, 3, 6)


def test_float_backward_equals_finite_differences(rng):
    network, images, labels = tiny_network(rng, FLOAT, FLOAT, FLOAT, np.float64)

    def loss():
        scores = network.forward(images, training=True)
        return layers.softmax_cross_entropy(scores, labels)

    gradients = network.backward(loss()[1], noise=None)
    assert gradients.keys() == network.parameters.keys()
    for name, value in network.parameters.items():
        assert gradients[name].shape == value.shape
        indices = rng.permutation(value.size)[:12]
        for index in indices:
            original = value.flat[index]
            value.flat[index] = original + 1e-6
            above = loss()[0]
            value.flat[index] = original - 1e-6
            below = loss()[0]
            value.flat[index] = original
            numeric = (above - below) / 2e-6
            assert gradients[name].flat[index] == pytest.approx(numeric, rel=1e-4, abs=1e-8), name


def on_bipolar_grid(values, scale, bits):
    codes = (values / scale * ((1 << bits) - 1)).astype(np.float64)
    rounded = np.round(codes)
    assert np.all(np.abs(rounded) <= (1 << bits) - 1)
    return np.allclose(codes, rounded, atol=1e-3) and np.all(rounded % 2 == 1)


@pytest.mark.parametrize("w_bits, a_bits, g_bits", [(1, 2, 6), (2, 1, 4), (3, 3, 2)])
def test_the_three_convolutions_see_quantized_operands_only(monkeypatch, rng, w_bits, a_bits, g_bits):
    calls = {"convolve": [], "convolve_backward_weights": [], "convolve_backward_input": []}
    for name, seen in calls.items():
        original = getattr(layers, name)

        def spy(*operands, original=original, seen=seen):
            seen.append(operands)
            return original(*operands)

        monkeypatch.setattr(layers, name, spy)
    network, images, labels = tiny_network(rng, w_bits, a_bits, g_bits, np.float32)
    scores = network.forward(images, training=True)
    network.backward(
        layers.softmax_cross_entropy(scores, labels)[1],
        lambda shape: rng.random(shape, dtype=np.float32),
    )
    forward = calls["convolve"]
    weight_calls = calls["convolve_backward_weights"][::-1]
    input_calls = calls["convolve_backward_input"][::-1]
    assert len(forward) == len(weight_calls) == 4
    # The image needs no gradient.
    assert len(input_calls) == 3
    for index, (x, weights, *_) in enumerate(forward):
        levels = 255 if index == 0 else (1 << a_bits) - 1
        assert np.allclose(x * levels, np.round(x * levels), atol=1e-4)
        assert x.min() >= 0 and x.max() <= 1
        master = network.layers[index].parameters["weight"]
        scale = np.abs(master).mean() if w_bits == 1 else 1
        assert on_bipolar_grid(weights, scale, w_bits)
    for index, (gradient, patches, _) in enumerate(weight_calls):
        maxima = np.abs(gradient).reshape(6, -1).max(axis=1).reshape(6, 1, 1, 1)
        assert np.unique(maxima).size > 1
        assert on_bipolar_grid(gradient, maxima, g_bits)
        if index:
            same_gradient, weights, *_ = input_calls[index - 1]
            assert same_gradient is gradient
            assert weights is forward[index][1]
        assert patches.shape[1] == forward[index][1][0].size


def test_quantized_tensors_equal_the_exact_quantizers(rng):
    r = (rng.standard_normal((40, 30)) * 0.7).astype(np.float32)
    w = rng.standard_normal((4, 3, 3, 2)).astype(np.float32)
    for bits in range(1, 9):
        levels = (1 << bits) - 1
        np.testing.assert_array_equal(
            np.rint(quantized_activations(r, bits) * levels), quantize_activations(r, bits)
        )
        codes, scale = quantize_weights(w, bits)
        expected = scale * (2 * codes.astype(np.float64) - levels) / levels
        np.testing.assert_allclose(quantized_weights(w, bits), expected, rtol=1e-6)


def test_a_zero_gradient_stays_zero_and_float_mode_changes_nothing(rng):
    gradient = rng.standard_normal((3, 2, 2, 4)).astype(np.float32)
    gradient[1] = 0
    quantized = quantized_gradients(gradient, 4, lambda shape: rng.random(shape, np.float32))
    assert not quantized[1].any()
    assert quantized[0].any() and quantized[2].any()
    assert quantized_gradients(gradient, FLOAT, None) is gradient
    assert quantized_weights(gradient, FLOAT) is gradient


@pytest.mark.parametrize("w_bits, a_bits", [(1, 2), (2, 2), (8, 4)])
def test_frozen_network_computes_what_the_training_network_does(rng, w_bits, a_bits):
    network, images, _ = tiny_network(rng, w_bits, a_bits, 8, np.float32)
    for _ in range(3):
        network.forward(rng.integers(0, 256, (50, *TINY.input_shape), np.uint8), training=True)
    integers = lower(network.freeze())
    accumulators = run_integer(integers, images)["fc1"]
    # One activation on the other side of a rounding boundary would move a logit far more.
    np.testing.assert_allclose(logits(integers, accumulators), network.forward(images), rtol=1e-4, atol=1e-4)
