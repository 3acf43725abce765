"""Both quantizers in the engine's units: codes and scales as golden has them, cycles as predicted."""

import numpy as np
import pytest

from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.gradient import LARGEST_WORD, quantize_words
from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.hw.compiler.training.cost import PassCost, quantizer_cost
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.sim.training.engine import TrainingEngine
from dorefa.sim.training.engine_quantizers import EngineQuantizers

from ..conftest import TRAINING

SHAPE = (3, 5, 4, 3)  # of words: 60 a sample, which end within no beat, and 63 that do
ODD = (2, 7, 3, 3)


def quantizers(session):
    return EngineQuantizers(engine=engine_of(session))


def engine_of(session):
    engine = TrainingEngine(session=session, program=JobProgram.of([], TRAINING))
    engine.load()
    return engine


def words_of(rng, shape):
    """Words of samples of very unequal size, one of zeros among them, and one with the greatest magnitude."""
    words = rng.integers(-LARGEST_WORD, LARGEST_WORD + 1, shape) >> rng.integers(0, 12, (shape[0], 1, 1, 1))
    words[0].flat[0] = -LARGEST_WORD
    words[-1] = 0
    return words.astype(np.int16)


def check_gradients(own, rng, bits, shape, seed):
    words = words_of(rng, shape)
    states = noise = None
    if seed is not None:
        states = [stream_state(seed, 3, 1, sample) for sample in range(shape[0])]
        noise = noise_bytes(seed, 3, 1, shape[0], words[0].size).reshape(shape)
    codes, scales = own.gradients("conv", words, bits, states)
    expected, expected_scales = quantize_words(words, bits, noise)
    assert np.array_equal(codes, expected) and np.array_equal(scales, expected_scales)
    return quantizer_cost("quantize_gradients", bits, shape[0], words[0].size, TRAINING)


def check_weights(own, weights, bits):
    assert np.array_equal(own.weights("conv", weights, bits), quantize_weights(weights, bits)[0])
    return quantizer_cost("quantize_weights", bits, 1, weights.size, TRAINING)


@pytest.mark.parametrize("bits", range(1, 9))
def test_gradients(bits, rng, opened):
    own = quantizers(opened)
    expected = sum(
        (check_gradients(own, rng, bits, shape, seed) for shape in (SHAPE, ODD) for seed in (None, 7)),
        PassCost(),
    )
    assert own.costs == {("conv", "quantize_gradients"): expected}


@pytest.mark.parametrize("bits", range(1, 9))
def test_weights(bits, rng, opened):
    own = quantizers(opened)
    draws = [np.exp(rng.uniform(-6, 1)) * rng.standard_normal((4, 3, 3, 5)) for _ in range(2)]
    draws += [np.zeros((2, 1, 1, 3)), np.array([[[[-0.0, 0.0, -0.5]]]])]
    expected = sum((check_weights(own, draw.astype(np.float32), bits) for draw in draws), PassCost())
    assert own.costs == {("conv", "quantize_weights"): expected}


def test_other_widths_after_one_another(rng, opened):
    own = quantizers(opened)
    for bits in (6, 2, 6):
        check_gradients(own, rng, bits, ODD, 1)
        check_weights(own, rng.standard_normal((3, 2, 2, 3)).astype(np.float32), bits)


def test_ports_that_stall(rng, stalling):
    own = quantizers(stalling)
    check_gradients(own, rng, 6, SHAPE, 5)
    check_weights(own, rng.standard_normal((3, 2, 2, 3)).astype(np.float32), 3)


def test_what_was_measured_is_waited_for(opened, monkeypatch):
    engine = engine_of(opened)
    monkeypatch.setattr(type(opened), "read", lambda self, address: 1)
    with pytest.raises(RuntimeError, match="^the engine is busy after 100 reads of its status$"):
        engine.measured()
