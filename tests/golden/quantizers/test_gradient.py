"""golden.quantizers.gradient against the formulas in whole numbers and fractions of Python."""

import re
from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.golden.quantizers import gradient
from dorefa.golden.quantizers.gradient import (
    FRACTION_BITS,
    LARGEST_WORD,
    NOISE_BITS,
    SCALE_BITS,
    STEP,
    gradient_scales,
    gradient_words,
    quantize_words,
    reciprocals,
)
from dorefa.golden.quantizers.noise import noise_bytes

BITS = range(1, 9)


def literal_code(word, k, bits, r):
    """The code of one word, as the head of the module says; `r` None without noise."""
    n, b = (1 << bits) - 1, k.bit_length()
    if not k:
        return 1 << (bits - 1)
    reciprocal = (n << (10 + b)) // (2 * k)
    added = 1 << 25 if r is None else (2 * r + 1) << (25 - 8)
    return ((((word + k * STEP) << (SCALE_BITS + 1 - b)) * reciprocal) + added) >> 26


def exact(word, k, bits):
    """n (word / (2 k STEP) + 1/2), which the codes of a word are on average."""
    return ((1 << bits) - 1) * (Fraction(word, 2 * k * STEP) + Fraction(1, 2))


def sample_of(k, words):
    """int16 (1, len(words) + 2): a sample with scale k, which begins with its greatest and least word."""
    m = min(k * STEP, LARGEST_WORD)
    return np.array([[m, -m, *words]], np.int16)


@pytest.mark.parametrize("exponent", [-60, -3, 0, 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_words_are_the_nearest_of_fifteen_bits(dtype, exponent, rng):
    real = (rng.standard_normal((3, 5, 7)) * 2.0**exponent).astype(dtype)
    words, e = gradient_words(real)
    assert words.dtype == np.int16 and words.shape == real.shape
    assert 1 << 14 <= np.abs(words.astype(int)).max() <= LARGEST_WORD
    nearest = [round(Fraction(float(x)) / Fraction(2) ** e) for x in real.flat]
    assert words.ravel().tolist() == nearest


def test_words_at_the_edges():
    assert gradient_words(np.zeros((2, 3)))[1] == 0
    assert gradient_words(np.zeros((2, 0)))[0].shape == (2, 0)
    # The magnitude just below a power of two would round up to a sixteenth bit.
    words, e = gradient_words(np.array([[-np.nextafter(np.float32(1), np.float32(0)), 0.5]], np.float32))
    assert (words.tolist(), e) == ([[-LARGEST_WORD, 1 << 14]], -15)
    words, e = gradient_words(np.array([[1.0, -1.0]]))
    assert (words.tolist(), e) == ([[1 << 14, -(1 << 14)]], -14)
    words, e = gradient_words(np.array([[5e-324, 0]]))
    assert (words.tolist(), e) == ([[1 << 14, 0]], -1088)


def test_scales_are_rounded_up():
    magnitudes = [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP, LARGEST_WORD - 1, LARGEST_WORD]
    words = np.array([[m, -m // 2] for m in magnitudes] + [[0, -m] for m in magnitudes], np.int16)
    expected = [0, 1, 1, 1, 2, 2, 1 << SCALE_BITS, 1 << SCALE_BITS]
    assert gradient_scales(words).tolist() == expected * 2
    assert gradient_scales(np.zeros((2, 0), np.int16)).tolist() == [0, 0]


@pytest.mark.parametrize("bits", BITS)
def test_table(bits):
    table = reciprocals(bits)
    assert table[0] == 0 and len(table) == (1 << SCALE_BITS) + 1
    assert table.max() < 1 << (bits + 10)
    for k in range(1, len(table)):
        assert table[k] == Fraction(((1 << bits) - 1) * 2 ** (10 + k.bit_length()), 2 * k).__floor__()


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("k", [0, 1, 2, 3, 7, 8, 15, 16])
def test_codes_are_the_literal_ones(k, bits, rng):
    m = min(k * STEP, LARGEST_WORD)
    words = sample_of(k, rng.integers(-m, m + 1, 300))
    noise = rng.integers(0, 256, words.shape, np.uint8)
    noise[0, :4] = 0, 255, 255, 0
    for r in (noise, None):
        codes, scales = quantize_words(words, bits, r)
        assert codes.dtype == np.uint8 and scales.tolist() == [k]
        drawn = [None] * words.size if r is None else r[0].tolist()
        pairs = zip(words[0].tolist(), drawn, strict=True)
        assert codes[0].tolist() == [literal_code(word, k, bits, one) for word, one in pairs]


def test_every_code_of_every_scale_is_in_range():
    """Codes do not decrease with the word or the noise, so the ends show all of it."""
    for bits in BITS:
        for k in range(1, (1 << SCALE_BITS) + 1):
            words = sample_of(k, [])
            lowest = quantize_words(words, bits, np.zeros(words.shape, np.uint8))[0][0]
            highest = quantize_words(words, bits, np.full(words.shape, 255, np.uint8))[0][0]
            n = (1 << bits) - 1
            # No word is quite as great as the greatest scale.
            full = k < 1 << SCALE_BITS
            assert lowest[1] == 0 and highest[1] <= 1 - full, (bits, k)
            assert lowest[0] >= n - 1 and highest[0] == n, (bits, k)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_every_word_is_right_on_average(bits, k):
    """Over all 256 values of the noise the mean code is the real one, but for the noise's and the table's
    last digits."""
    words = sample_of(k, range(-k * STEP, k * STEP + 1))
    noise = np.arange(256, dtype=np.uint8)[:, np.newaxis]
    repeated = np.repeat(words, 256, axis=0)
    codes = quantize_words(repeated, bits, np.broadcast_to(noise, repeated.shape))[0].astype(int)
    assert (np.diff(codes, axis=0) >= 0).all() and (np.diff(codes[:, 2:], axis=1) >= 0).all()
    for word, total in zip(words[0].tolist(), codes.sum(axis=0).tolist(), strict=True):
        error = Fraction(total, 256) - exact(word, k, bits)
        assert -Fraction(1, 2**NOISE_BITS) <= error <= Fraction(1, 2 ** (NOISE_BITS + 1))


@pytest.mark.parametrize("bits", BITS)
def test_without_bias(bits, rng, seed):
    scale = np.exp(rng.uniform(-6, 0, (32, 1)))
    words, _ = gradient_words((rng.standard_normal((32, 500)) * scale).astype(np.float32))
    wanted = None
    errors = []
    for step in range(20):
        codes, k = quantize_words(words, bits, noise_bytes(seed, step, 1, 32, 500))
        if wanted is None:
            wanted = ((1 << bits) - 1) * (words / (2.0 * STEP * k[:, np.newaxis]) + 0.5)
        errors.append(codes - wanted)
    errors = np.array(errors)
    assert np.abs(errors).max() < 1.01
    # Six standard errors, and what the table cuts off.
    assert abs(errors.mean()) < 6 * errors.std() / np.sqrt(errors.size) + 2.0**-9


def test_another_width_of_the_scale(monkeypatch, rng):
    """All of it follows the constant."""
    monkeypatch.setattr(gradient, "SCALE_BITS", 8)
    monkeypatch.setattr(gradient, "STEP", 1 << 7)
    words = rng.integers(-LARGEST_WORD, LARGEST_WORD + 1, (40, 50)) >> rng.integers(0, 12, (40, 1))
    words = words.astype(np.int16)
    noise = rng.integers(0, 256, words.shape, np.uint8)
    for bits in BITS:
        codes, scales = quantize_words(words, bits, noise)
        assert len(reciprocals(bits)) == 257
        for row, k in enumerate(scales.tolist()):
            assert k == -(-np.abs(words[row].astype(int)).max() // 128)
            if not k:
                continue
            reals = [
                ((1 << bits) - 1) * (Fraction(int(w), 256 * k) + Fraction(1, 2))
                + Fraction(2 * int(r) + 1, 512)
                for w, r in zip(words[row], noise[row], strict=True)
            ]
            # The table cuts off less than this.
            most = Fraction(1, 1 << (FRACTION_BITS - 17))
            for code, real in zip(codes[row].tolist(), reals, strict=True):
                assert (real - most).__floor__() <= code <= real.__floor__()


WORDS = np.zeros((2, 3), np.int16)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: gradient_words(np.zeros((1, 2), np.int64)),
            "gradient_words: gradient has dtype int64; accepted: float32 or float64",
        ),
        (
            lambda: gradient_words(np.array([[0, np.nan]])),
            "gradient_words: gradient is nan at (0, 1); accepted: finite numbers",
        ),
        (lambda: reciprocals(9), "reciprocals: bits is 9; accepted: an integer in 1..8"),
        (lambda: quantize_words(WORDS, 0, None), "quantize_words: bits is 0; accepted: an integer in 1..8"),
        (
            lambda: quantize_words(WORDS.astype(np.int32), 4, None),
            "quantize_words: words have dtype int32; accepted: int16",
        ),
        (
            lambda: quantize_words(WORDS + np.int16(-(1 << 15)), 4, None),
            "quantize_words: words has the value -32768; accepted: -32767..32767",
        ),
        (
            lambda: quantize_words(WORDS, 4, np.zeros((2, 4), np.uint8)),
            "quantize_words: noise is uint8 (2, 4); accepted: uint8 (2, 3), like the words",
        ),
        (
            lambda: quantize_words(WORDS, 4, np.zeros((2, 3))),
            "quantize_words: noise is float64 (2, 3); accepted: uint8 (2, 3), like the words",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        call()
