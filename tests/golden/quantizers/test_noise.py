"""golden.quantizers.noise: bit by bit, the polynomial, and statistics."""

import hashlib

import numpy as np
import pytest

from dorefa.golden.quantizers.noise import DEGREE, TAP, noise_bytes, stream_state


def bit_by_bit(state, count):
    """`count` bytes of the stream that begins with `state`."""
    bits = [(state >> place) & 1 for place in range(127)]
    while len(bits) < 8 * count:
        bits.append(bits[-127] ^ bits[-64])
    return [sum(bits[8 * at + place] << place for place in range(8)) for at in range(count)]


def test_states_are_digests(seed):
    digest = hashlib.sha256(f"{seed} 7 2 31".encode()).digest()
    assert stream_state(seed, 7, 2, 31) == int.from_bytes(digest, "little") & ((1 << 127) - 1)
    states = {stream_state(*numbers) for numbers in np.ndindex(3, 3, 3, 3)}
    assert len(states) == 81


@pytest.mark.parametrize("count", [0, 1, 7, 8, 15, 16, 17, 1000, 1016, 1017, 5000, 40_000])
def test_bytes_are_those_of_the_recurrence(count, seed):
    samples = 1 if count > 1000 else 3
    found = noise_bytes(seed, 4, 2, samples, count)
    assert found.shape == (samples, count) and found.dtype == np.uint8
    for sample in range(samples):
        assert found[sample].tolist() == bit_by_bit(stream_state(seed, 4, 2, sample), count)


def test_more_samples_and_more_bytes_change_nothing(seed):
    few, many = noise_bytes(seed, 0, 0, 2, 100), noise_bytes(seed, 0, 0, 5, 3000)
    np.testing.assert_array_equal(few, many[:2, :100])


def product(a, b, modulus):
    """a b modulo `modulus`, polynomials over GF(2) of degree below DEGREE; bit i belongs to x^i."""
    result = 0
    while b:
        if b & 1:
            result ^= a
        a <<= 1
        if a >> DEGREE:
            a ^= modulus
        b >>= 1
    return result


def is_irreducible(polynomial):
    """Of a polynomial whose degree is a prime: x^(2^degree) = x, and no root."""
    power = 2
    for _ in range(DEGREE):
        power = product(power, power, polynomial)
    return power == 2 and polynomial & 1 == 1 and polynomial.bit_count() % 2 == 1


def test_the_trinomial_is_irreducible():
    """2^127 - 1 is prime, so its period is no less; one with another tap is found out."""
    assert is_irreducible(1 << DEGREE | 1 << TAP | 1)
    assert not is_irreducible(1 << DEGREE | 1 << 62 | 1)


def test_statistics(seed):
    """Six standard errors each."""
    drawn = noise_bytes(seed, 1, 2, 64, 4096)
    standard = (drawn - 127.5) / np.sqrt((256**2 - 1) / 12)
    error = 6 / np.sqrt(drawn.size)
    assert abs(standard.mean()) < error
    assert abs((standard**2).mean() - 1) < error
    for lag in range(1, 40):
        assert abs((standard[:, :-lag] * standard[:, lag:]).mean()) < error
    between = np.corrcoef(standard) - np.eye(64)
    assert np.abs(between).max() < 6 / np.sqrt(4096)
    values = np.bincount(drawn.ravel(), minlength=256)
    assert abs(values - drawn.size / 256).max() < 6 * np.sqrt(drawn.size / 256)


@pytest.mark.parametrize("other", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_seed_step_and_layer_make_other_streams(other, seed):
    one = noise_bytes(seed, 0, 0, 4, 64)
    another = noise_bytes(seed + other[0], other[1], other[2], 4, 64)
    assert (one != another).mean() > 0.9
