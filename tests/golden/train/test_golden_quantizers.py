"""The quantizers of a step's back ends: the paper's for weights, words and streams of noise for gradients."""

import numpy as np
import pytest

from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.gradient import quantize_words
from dorefa.golden.quantizers.noise import noise_bytes
from dorefa.golden.train.golden_quantizers import GoldenQuantizers

SHAPE = ConvolutionShape(name="conv", in_shape=(5, 5, 2), channels=3, kernel=3, w_bits=2, a_bits=2, g_bits=4)


@pytest.fixture
def words(rng):
    return rng.integers(-32767, 32768, (4, *SHAPE.out_shape), dtype=np.int16)


def test_weights(rng):
    weights = rng.standard_normal(SHAPE.weights_shape).astype(np.float32)
    codes, scale = GoldenQuantizers(1).quantize_weights(SHAPE, weights)
    expected, same = quantize_weights(weights, 2)
    assert np.array_equal(codes, expected) and scale == same


def test_noise_is_that_of_seed_step_and_layer(words):
    noise = noise_bytes(5, 7, 2, 4, 27).reshape(words.shape)
    expected, scales = quantize_words(words, 4, noise)
    codes, found = GoldenQuantizers(5).quantize_gradients(SHAPE, 2, 7, words)
    assert np.array_equal(codes, expected) and np.array_equal(found, scales)
    for seed, index, step in ((6, 2, 7), (5, 3, 7), (5, 2, 8)):
        other, _ = GoldenQuantizers(seed).quantize_gradients(SHAPE, index, step, words)
        assert not np.array_equal(other, expected)


def test_without_noise_gradients_round_to_nearest(words):
    expected, scales = quantize_words(words, 4, None)
    codes, found = GoldenQuantizers(None).quantize_gradients(SHAPE, 2, 7, words)
    assert np.array_equal(codes, expected) and np.array_equal(found, scales)
