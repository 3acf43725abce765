"""The quantizers against a literal evaluation of the paper's equations in rational arithmetic."""

import math
import re
from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden import (
    InputError,
    quantize_activations,
    quantize_gradients,
    quantize_k,
    quantize_weights,
)
from dorefa.golden.quantizers.dorefa import (
    bipolar_values,
    quantize_activations_backward,
    quantize_weights_backward,
    unit_codes,
)

BITS = range(1, 9)


def literal_code(r, k):
    """round((2^k - 1) r) of Eq. 5, without rounding errors; Python rounds half to even."""
    return round((2**k - 1) * Fraction(float(r)))


def near_boundaries(k, dtype):
    """All rounding boundaries of k bits as exactly as dtype holds them, and their neighbors."""
    n = 2**k - 1
    middle = np.array([(2 * i + 1) / (2 * n) for i in range(n)], dtype)
    steps = [middle, np.nextafter(middle, dtype(0)), np.nextafter(middle, dtype(1))]
    return np.concatenate(steps + [np.array([0, 1, 0.5, 1e-40], dtype)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", BITS)
def test_quantize_k_is_exact(k, dtype, rng):
    r = np.concatenate((near_boundaries(k, dtype), rng.random(300).astype(dtype)))
    expected = [literal_code(x, k) for x in r]
    assert unit_codes(r, k).tolist() == expected
    real = quantize_k(r, k)
    assert real.dtype == dtype
    assert real.tolist() == (np.array(expected) / (2**k - 1)).astype(dtype).tolist()


def test_a_plain_float64_product_would_tie_wrongly():
    # The float64 nearest to 1.5 / 255 is a little less, but times 255 it rounds to 1.5.
    r = np.float64(1.5 / 255)
    assert np.rint(255 * r) == 2
    assert unit_codes(r, 8) == literal_code(r, 8) == 1


def test_ties_round_to_even():
    assert [int(unit_codes(np.float32(0.5), k)) for k in BITS] == [0, 2, 4, 8, 16, 32, 64, 128]


@pytest.mark.parametrize("bits", BITS)
def test_activations(bits, rng):
    r = rng.normal(0.5, 1, 500).astype(np.float32)
    bounded = [min(max(Fraction(float(x)), 0), 1) for x in r]
    assert quantize_activations(r, bits).tolist() == [round((2**bits - 1) * x) for x in bounded]


def test_one_bit_weights(rng):
    w = rng.normal(size=(7, 5)).astype(np.float32)
    w[0, :3] = [0, -0.0, 1e-30]
    codes, scale = quantize_weights(w, 1)
    mean = sum(abs(Fraction(float(x))) for x in w.flat) / w.size
    assert codes.dtype == np.uint8 and scale.dtype == np.float32
    assert codes.tolist() == [[int(x >= 0) for x in row] for row in w]
    assert abs(Fraction(float(scale)) - mean) <= mean * Fraction(1, 2**24)
    assert codes[0, :3].tolist() == [1, 1, 1]


def test_scale_of_one_bit_is_the_same_in_every_order(rng):
    # Just above a tie of float32; in float64 what is above is lost if it is added one by one, as NumPy does
    # with every eighth.
    w = np.zeros(256, np.float32)
    w[:128:8] = [256, 2.0**-16, *[2.0**-46] * 14]
    expected = np.float32(float(sum(Fraction(float(x)) for x in w) / w.size))
    for order in (w, w[::-1], *(rng.permutation(w) for _ in range(5)), w.reshape(32, 8).T):
        assert quantize_weights(order, 1)[1] == expected
    w = rng.standard_normal(5000) * np.exp(rng.uniform(-20, 20, 5000))
    assert len({float(quantize_weights(rng.permutation(w), 1)[1]) for _ in range(9)}) == 1


def test_a_scale_of_one_bit_is_a_float32():
    w = np.array([1, -1e300])
    message = "quantize_weights: w has the magnitude 1e+300; accepted: those of float32"
    with pytest.raises(InputError, match=re.escape(message)):
        quantize_weights(w, 1)
    assert quantize_weights(w, 2)[0].tolist() == [3, 0]
    largest = np.finfo(np.float32).max
    assert quantize_weights(np.full(5, largest), 1)[1] == largest


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_of_several_bits(bits, rng):
    w = rng.normal(size=400).astype(np.float32)
    codes, scale = quantize_weights(w, bits)
    tanh = np.tanh(w.astype(np.float64))
    unit = [Fraction(float(t)) / (2 * Fraction(float(abs(tanh).max()))) + Fraction(1, 2) for t in tanh]
    expected = [round((2**bits - 1) * u) for u in unit]
    assert scale == 1 and codes.tolist() == expected
    # Eq. 9 in real values: 2 quantize_k(...) - 1.
    real = bipolar_values(codes, bits, scale, np.float64)
    assert np.allclose(real, [2 * q / (2**bits - 1) - 1 for q in expected], rtol=0, atol=1e-15)
    assert codes[abs(w).argmax()] in (0, 2**bits - 1)


def test_weights_of_zero():
    assert quantize_weights(np.zeros(3), 2)[0].tolist() == [2, 2, 2]
    assert quantize_weights(np.zeros(3), 1)[1] == 0


def test_weight_gradient_is_the_derivative(rng):
    w = rng.normal(size=50)
    gradient = rng.normal(size=50)
    assert quantize_weights_backward(gradient, w, 1) is gradient
    largest = np.abs(np.tanh(w)).max()
    step = 1e-6
    slope = (np.tanh(w + step) - np.tanh(w - step)) / (2 * step * largest)
    assert np.allclose(quantize_weights_backward(gradient, w, 4), gradient * slope, atol=1e-8)
    assert quantize_weights_backward(gradient, 0 * w, 4) is gradient


def test_activation_gradient_stops_at_the_clip():
    r = np.array([-0.1, 0, 0.5, 1, 1.1])
    assert quantize_activations_backward(np.full(5, 3.0), r).tolist() == [0, 3, 3, 3, 0]


@pytest.mark.parametrize("bits", BITS)
def test_gradients_follow_the_equations(bits, rng):
    g = rng.normal(size=(3, 40)).astype(np.float32)
    noise = rng.random(g.shape).astype(np.float32)
    codes, maxima = quantize_gradients(g, bits, noise)
    n = 2**bits - 1
    for row in range(len(g)):
        m = max(abs(Fraction(float(x))) for x in g[row])
        assert maxima[row, 0] == m
        for x, u, code in zip(g[row], noise[row], codes[row], strict=True):
            # Eq. 12 to 14: N(k) = sigma / n with sigma uniform in +-1/2, here u - 1/2.
            spread = (Fraction(float(u)) - Fraction(1, 2)) / n
            real = (
                2
                * m
                * (
                    Fraction(round(n * (Fraction(float(x)) / (2 * m) + Fraction(1, 2) + spread)), n)
                    - Fraction(1, 2)
                )
            )
            assert m * Fraction(2 * int(code) - n, n) == real


@pytest.mark.parametrize("bits", BITS)
def test_gradients_never_leave_the_range(bits):
    extremes = np.array([0, 0.5, np.nextafter(np.float32(1), np.float32(0)), 1 - 2.0**-53])
    g = np.repeat(np.array([[-3.0, 3.0, 0.0]]), 4, axis=0)
    codes, _ = quantize_gradients(g, bits, np.repeat(extremes[:, None], 3, axis=1))
    assert codes[:, 0].tolist() == [0] * 4
    assert codes[:, 1].tolist() == [2**bits - 1] * 4
    # Without noise (u = 1/2) a gradient of zero becomes the code above the middle.
    assert codes[1, 2] == 2 ** (bits - 1)


def test_gradient_of_zeros_is_zero():
    codes, maxima = quantize_gradients(np.zeros((2, 3, 4), np.float32), 3, np.full((2, 3, 4), 0.9))
    assert maxima.shape == (2, 1, 1)
    assert not bipolar_values(codes, 3, maxima).any()


def test_expected_gradient_is_unbiased():
    u = (np.arange(1000) + 0.5) / 1000
    g = np.stack((np.full(1000, 0.3), np.ones(1000)), axis=1)
    codes, maxima = quantize_gradients(g, 2, np.stack((u, u), axis=1))
    assert abs(bipolar_values(codes, 2, maxima, np.float64)[:, 0].mean() - 0.3) < 1e-3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize_k(np.array([0.5, 1.5]), 2), "quantize_k: r has the value 1.5;"),
        (lambda: quantize_k(np.array([np.nan]), 2), "quantize_k: r has the value nan;"),
        (lambda: quantize_k(np.array([1]), 2), "quantize_k: r has dtype int64; accepted: float32"),
        (lambda: quantize_k(np.array([1.0]), 9), "quantize_k: k is 9; accepted: an integer in"),
        (
            lambda: quantize_weights(np.array([1, np.inf]), 1),
            "quantize_weights: w is inf at (1,); accepted: finite numbers",
        ),
        (lambda: quantize_weights(np.zeros(0), 1), "quantize_weights: w has shape (0,);"),
        (
            lambda: quantize_gradients(np.ones((1, 1)), 2, np.ones((1, 1))),
            "quantize_gradients: noise has the value 1.0; accepted: 0 <= u < 1",
        ),
        (
            lambda: quantize_gradients(np.float32(1), 2, np.float32(0)),
            "quantize_gradients: g has shape (); accepted: (batch, ...)",
        ),
    ],
)
def test_refused(call, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        call()


@pytest.mark.parametrize("spread", [3, 300])
def test_the_mean_magnitude_is_rounded_once(rng, spread):
    for size in (1, 2, 1000):
        magnitudes = np.exp(rng.uniform(-spread, min(spread, 80), size))
        w = (magnitudes * rng.choice([-1, 1], size)).astype(np.float32)
        w[rng.random(size) < 0.1] = 0
        scale = quantize_weights(w, 1)[1]
        assert scale == np.float32(math.fsum(np.abs(w).tolist()) / size)


@pytest.mark.parametrize("bits", [9, 16, 24, 31])
def test_gradients_of_many_bits(rng, bits):
    g = rng.standard_normal((3, 50))
    g[1] = 0
    noise = rng.random(g.shape)
    codes, maxima = quantize_gradients(g, bits, noise)
    levels = (1 << bits) - 1
    assert codes.dtype == np.uint32 and codes.max() <= levels
    for code, value, u, m in zip(codes.flat, g.flat, noise.flat, np.repeat(maxima, 50), strict=True):
        exact = levels * (Fraction(value) / (2 * Fraction(m or 1)) + Fraction(1, 2)) + Fraction(u)
        # float64 has more than 20 bits behind those of a code.
        assert abs(int(code) - min(math.floor(exact), levels)) <= (abs(exact - round(exact)) < 2.0**-18)
    values = bipolar_values(codes, bits, maxima, np.float64)
    assert np.abs(values - g).max() <= 2 * maxima.max() / levels + 1e-15
    assert not values[1].any()


def test_gradients_of_more_bits_are_refused():
    for bits in (0, 32):
        with pytest.raises(
            InputError, match=f"quantize_gradients: bits is {bits}; accepted: an integer in 1..31"
        ):
            quantize_gradients(np.ones((1, 2)), bits, np.zeros((1, 2)))
