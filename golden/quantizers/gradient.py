"""The gradient quantizer (Eq. 12 to 14) in integers: what a hardware unit computes, to the bit.

Gradients become signed 16-bit *words* of one power of two for a layer and batch. A sample with the greatest
magnitude m among its words has the integer *scale* ``k = ceil(m / STEP)`` in 0..2^SCALE_BITS, and its maximum
is taken as ``k STEP``: the paper's maximum of the sample, rounded up to a part of the batch's. With
``n = 2^G - 1``, b the bit length of k, s = SCALE_BITS and NOISE_BITS bits of noise r::

    reciprocal = floor(n 2^(10 + b) / (2 k))                       at most n 2^10, from a table of 2^s + 1
    code = (((word + k STEP) << (s + 1 - b)) reciprocal + (2 r + 1) 2^(25 - NOISE_BITS)) >> 26

which is ``floor(n (word / (2 k STEP) + 1/2) + u)`` with ``u = (r + 1/2) / 2^NOISE_BITS``, in 0..n without a
clip. Without noise u is 1/2. The real value of a code is ``k STEP 2^exponent (2 code - n) / n``; a sample of
zeros has k = 0 and codes 2^(G - 1).
"""

import math
from functools import cache

import numpy as np

from .. import checks
from ..errors import InputError
from ..network.layer import MAX_BITS

WORD_BITS = 16
NOISE_BITS = 8
SCALE_BITS = 4
# Greatest magnitude of a word, and what one unit of a scale stands for.
LARGEST_WORD = (1 << (WORD_BITS - 1)) - 1
STEP = 1 << (WORD_BITS - 1 - SCALE_BITS)
# Fraction bits of a code before it is rounded, and of a table's number beyond its bit length.
FRACTION_BITS = 26
TABLE_BITS = 10
# Words that are quantized together.
_BLOCK = 1 << 15


def gradient_words(gradient: np.ndarray) -> tuple[np.ndarray, int]:
    """(int16 words shaped like `gradient`, exponent): gradient = words * 2^exponent, rounded to nearest.

    gradient: float32 or float64 (batch, ...). The exponent is such that the greatest magnitude has
    WORD_BITS - 1 bits, 0 where all are zero. InputError for NaN, infinity and other dtypes.
    """
    if gradient.dtype not in (np.float32, np.float64):
        raise InputError(f"gradient_words: gradient has dtype {gradient.dtype}; accepted: float32 or float64")
    largest = float(max(gradient.max(initial=0), -gradient.min(initial=0)))
    if not math.isfinite(largest):
        checks.finite(gradient, "gradient_words: gradient")
    if largest == 0:
        return np.zeros(gradient.shape, np.int16), 0
    exponent = int(np.frexp(largest)[1]) - (WORD_BITS - 1)
    words = _times_power(gradient, -exponent)
    np.rint(words, out=words)
    # Only the greatest can be rounded up to a power of two.
    np.clip(words, -LARGEST_WORD, LARGEST_WORD, out=words)
    return words.astype(np.int16), exponent


def _times_power(values: np.ndarray, exponent: int) -> np.ndarray:
    """values * 2^exponent in a new array: by a product, which is faster, where the power is a number."""
    if abs(exponent) <= np.finfo(values.dtype).maxexp - 2:
        return values * values.dtype.type(2.0**exponent)
    return np.ldexp(values, exponent)


def gradient_scales(words: np.ndarray) -> np.ndarray:
    """Scale k of every sample, int64 (batch,), of int16 words (batch, ...)."""
    samples = words.reshape(len(words), -1)
    # Of words one end may have no opposite.
    ends = samples.max(axis=1, initial=0).astype(np.int64), samples.min(axis=1, initial=0).astype(np.int64)
    return -(-np.maximum(ends[0], -ends[1]) // STEP)


def reciprocals(bits: int) -> np.ndarray:
    """The table of a gradient width: int64 (2^SCALE_BITS + 1,), by the scale; entry 0 is 0."""
    return _reciprocals(checks.integer(bits, "reciprocals: bits", 1, MAX_BITS), SCALE_BITS).copy()


@cache
def _reciprocals(bits: int, scale_bits: int) -> np.ndarray:
    levels = (1 << bits) - 1
    scales = range(1, (1 << scale_bits) + 1)
    return np.array([0] + [(levels << (TABLE_BITS + k.bit_length())) // (2 * k) for k in scales], np.int64)


def quantize_words(words: np.ndarray, bits: int, noise: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(codes uint8 shaped like `words`, scale k of every sample int64 (batch,)).

    words: int16 (batch, ...), -LARGEST_WORD..LARGEST_WORD; bits: G, 1..8; noise: uint8 shaped like `words`
    (:func:`.noise.noise_bytes`), None to round to nearest.
    """
    bits = checks.integer(bits, "quantize_words: bits", 1, MAX_BITS)
    if words.dtype != np.int16:
        raise InputError(f"quantize_words: words have dtype {words.dtype}; accepted: int16")
    if words.size and words.min() < -LARGEST_WORD:
        raise InputError(
            f"quantize_words: words has the value {words.min()}; accepted: {-LARGEST_WORD}..{LARGEST_WORD}"
        )
    if noise is not None and (noise.dtype != np.uint8 or noise.shape != words.shape):
        raise InputError(
            f"quantize_words: noise is {noise.dtype} {noise.shape}; accepted: uint8 {words.shape}, like the "
            "words"
        )
    scales = gradient_scales(words)
    return gradient_codes(words, scales, bits, noise), scales


def gradient_codes(words: np.ndarray, scales: np.ndarray, bits: int, noise: np.ndarray | None) -> np.ndarray:
    """Codes of words with given scales, none below :func:`gradient_scales`; see :func:`quantize_words`."""
    lengths = np.frexp(scales.astype(np.float64))[1]
    factors = _reciprocals(bits, SCALE_BITS)[scales] << (SCALE_BITS + 1 - lengths)
    added = 1 << (FRACTION_BITS - 1)
    if noise is not None:
        added >>= NOISE_BITS
    # Codes with NOISE_BITS fraction bits, which the noise is added to as an integer: 16 bits, as the sum is
    # less than 2^(bits + NOISE_BITS). Exact in float64: all products and sums have less than 36 bits.
    unit = 2.0 ** (NOISE_BITS - FRACTION_BITS)
    shape = (-1, *(1,) * (words.ndim - 1))
    products = (factors * unit).reshape(shape)
    offsets = ((STEP * scales * factors + added) * unit).reshape(shape)
    codes = np.empty(words.shape, np.uint8)
    # Some samples at a time, so that what is between the passes stays in a cache.
    count = max(1, _BLOCK * len(words) // max(1, words.size))
    for start in range(0, len(words), count):
        part = slice(start, start + count)
        scaled = words[part].astype(np.float64)
        scaled *= products[part]
        scaled += offsets[part]
        fixed = scaled.astype(np.uint16)
        if noise is not None:
            fixed += noise[part]
        fixed >>= NOISE_BITS
        codes[part] = fixed
    codes[scales == 0] = 1 << (bits - 1)
    return codes
