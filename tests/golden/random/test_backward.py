"""Random convolutions of a training step: ranges of everything drawn, the same for the same seed."""

import numpy as np

from dorefa.golden.random.backward import random_convolution, widths_of
from dorefa.golden.random.draws import RawDraws


def test_every_triple_of_widths_once():
    triples = {widths_of(number) for number in range(512)}
    assert len(triples) == 512 and min(triples) == (1, 1, 1) and max(triples) == (8, 8, 8)


def test_operands_fit_the_shape(seed):
    draws = RawDraws(seed)
    scales = set()
    for number in range(60):
        case = random_convolution(draws, widths_of(number), 16)
        shape, samples = case.shape, len(case.scales)
        assert (shape.w_bits, shape.a_bits, shape.g_bits) == widths_of(number)
        assert 1 <= samples <= 3 and max(shape.in_shape[:2]) <= 13 and shape.groups <= 3
        for codes, bits, size in (
            (case.activations, shape.a_bits, (samples, *shape.in_shape)),
            (case.weights, shape.w_bits, shape.weights_shape),
            (case.gradients, shape.g_bits, (samples, *shape.out_shape)),
        ):
            assert codes.dtype == np.uint8 and codes.shape == size and codes.max() < 1 << bits
        scales |= set(case.scales.tolist())
    assert min(scales) == 0 and max(scales) == 16 and len(scales) > 5


def test_a_seed_is_a_case():
    first, second = (random_convolution(RawDraws(7), (1, 2, 6), 256) for _ in range(2))
    assert (
        first.shape == second.shape and first.shape != random_convolution(RawDraws(8), (1, 2, 6), 256).shape
    )
    for name in ("activations", "weights", "gradients", "scales"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
