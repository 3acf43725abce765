"""Matrix products against sums of int64, in every way that they are cut."""

import numpy as np
import pytest

from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.quantizers.gradient import SCALE_BITS
from dorefa.golden.train.matrix_backend import MatrixBackend

from .support import DirectBackend


def random_shape(rng):
    groups = int(rng.integers(1, 4))
    kernel, stride, dilation = (tuple(map(int, rng.integers(1, top, 2))) for top in (5, 4, 3))
    size = [int(rng.integers((k - 1) * d + 1, 12)) for k, d in zip(kernel, dilation, strict=True)]
    bits = dict(zip(("w_bits", "a_bits", "g_bits"), map(int, rng.integers(1, 9, 3)), strict=True))
    return ConvolutionShape(
        name="layer",
        in_shape=(*size, groups * int(rng.integers(1, 5))),
        channels=groups * int(rng.integers(1, 5)),
        kernel=kernel,
        stride=stride,
        padding=tuple(map(int, rng.integers(0, 3, 4))),
        dilation=dilation,
        groups=groups,
        **bits,
    )


def operands(rng, shape, batch, extreme=False):
    """(activations, weights, gradients, scales): random codes, or such that all sums are greatest."""
    sizes = ((batch, *shape.in_shape), shape.weights_shape, (batch, *shape.out_shape))
    bits = (shape.a_bits, shape.w_bits, shape.g_bits)
    low = [(1 << b) - 1 if extreme else 0 for b in bits]
    codes = [
        rng.integers(least, 1 << b, size, np.uint8) for least, b, size in zip(low, bits, sizes, strict=True)
    ]
    most = 1 << SCALE_BITS
    scales = rng.integers(most if extreme else 0, most + 1, batch)
    return *codes, scales


def assert_equal(shape, activations, weights, gradients, scales):
    one, other = MatrixBackend(1), DirectBackend(1)
    for operation, arguments in (
        ("forward", (activations, weights)),
        ("backward_weight", (gradients, scales, activations)),
        ("backward_input", (gradients, weights)),
    ):
        results = [getattr(backend, operation)(shape, *arguments) for backend in (one, other)]
        assert results[0].shape == results[1].shape
        np.testing.assert_array_equal(results[0], results[1], err_msg=f"{operation} of {shape}")
    # Not from what forward kept.
    again = MatrixBackend(1).backward_weight(shape, gradients, scales, activations)
    np.testing.assert_array_equal(again, other.backward_weight(shape, gradients, scales, activations))


def test_random_layers(rng):
    for _ in range(60):
        shape = random_shape(rng)
        assert_equal(shape, *operands(rng, shape, int(rng.integers(1, 6))))


@pytest.mark.parametrize(
    "bits, size, what",
    [
        ((8, 8, 8), (20, 20), "all in float64"),
        ((1, 8, 6), (24, 24), "weights by sample"),
        ((1, 3, 6), (24, 24), "weights in chunks of samples"),
        ((1, 1, 1), (3, 3), "all in float32, one chunk"),
    ],
)
def test_the_greatest_sums(rng, bits, size, what):
    w_bits, a_bits, g_bits = bits
    shape = ConvolutionShape(
        name="layer",
        in_shape=(*size, 20),
        channels=30,
        kernel=(3, 3),
        padding=1,
        w_bits=w_bits,
        a_bits=a_bits,
        g_bits=g_bits,
    )
    assert_equal(shape, *operands(rng, shape, 5, extreme=True))


def test_forward_keeps_windows_for_the_same_activations_only(rng):
    shape = random_shape(rng)
    activations, weights, gradients, scales = operands(rng, shape, 3)
    others = activations ^ 1
    backend = MatrixBackend(1)
    backend.forward(shape, activations, weights)
    np.testing.assert_array_equal(
        backend.backward_weight(shape, gradients, scales, others),
        DirectBackend(1).backward_weight(shape, gradients, scales, others),
    )


def test_noise_is_that_of_its_seed_layer_and_step(rng):
    shape = random_shape(rng)
    words = rng.integers(-(1 << 15) + 1, 1 << 15, (3, *shape.out_shape), np.int16)
    shape = ConvolutionShape(**{**vars(shape), "g_bits": 4})

    def codes(seed, index, step):
        return MatrixBackend(seed).quantize_gradients(shape, index, step, words)[0]

    np.testing.assert_array_equal(codes(1, 2, 3), codes(1, 2, 3))
    for other in ((2, 2, 3), (1, 1, 3), (1, 2, 4), (None, 2, 3)):
        assert (codes(1, 2, 3) != codes(*other)).any()
    np.testing.assert_array_equal(codes(None, 2, 3), codes(None, 5, 6))
