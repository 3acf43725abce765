"""Noise of the gradient quantizer: one stream of bits per (seed, step, layer, sample).

``s[i + 127] = s[i + 63] xor s[i]``: the trinomial x^127 + x^63 + 1 is irreducible and 2^127 - 1 prime, so
every stream but that of zeros has the period 2^127 - 1. It begins with the lowest 127 bits of the SHA-256 of
the four numbers in decimal, one space between them. Element e of a sample (in height, width, channel order)
takes bits 8 e to 8 e + 7, the lowest first: no code depends on how many elements are quantized at a time, or
in which order samples are.
"""

import hashlib

import numpy as np

DEGREE, TAP = 127, 63
_MASK = (1 << DEGREE) - 1


def stream_state(seed: int, step: int, layer: int, sample: int) -> int:
    """The first 127 bits of a stream as an integer, s[0] lowest."""
    # Not 0 for any digest that will ever be seen; a stream of zeros would never end.
    return int.from_bytes(_digest(seed, step, layer, sample)[:16], "little") & _MASK or 1


def _digest(*numbers: int) -> bytes:
    return hashlib.sha256(b"%d %d %d %d" % numbers).digest()


def noise_bytes(seed: int, step: int, layer: int, samples: int, count: int) -> np.ndarray:
    """uint8 (samples, count): the first `count` bytes of the streams of the samples 0, 1, ..."""
    digests = b"".join([_digest(seed, step, layer, sample) for sample in range(samples)])
    return expanded(np.frombuffer(digests, np.uint8).reshape(samples, 32)[:, :16], count)


def expanded(states: np.ndarray, count: int) -> np.ndarray:
    """uint8 (samples, count) of states uint8 (samples, 16), whose highest bit is not used."""
    bits = np.unpackbits(states, axis=1, bitorder="little")[:, :DEGREE]
    # Squaring the trinomial doubles its exponents, so 64 2^j bits follow from 127 2^j that are known, and
    # bytes from 127 bytes.
    bits = _continued(bits, 8 * DEGREE, 1)
    return _continued(np.packbits(bits, axis=1, bitorder="little"), count, 1)[:, :count]


def _continued(stream: np.ndarray, length: int, leap: int) -> np.ndarray:
    """At least `length` elements of every stream, from DEGREE * `leap` of them."""
    result = np.empty((len(stream), max(length, stream.shape[1])), stream.dtype)
    known = stream.shape[1]
    result[:, :known] = stream
    while known < length:
        while DEGREE * 2 * leap <= known:
            leap *= 2
        more = min((DEGREE - TAP) * leap, length - known)
        first = known - DEGREE * leap
        np.bitwise_xor(
            result[:, first : first + more],
            result[:, first + TAP * leap : first + TAP * leap + more],
            out=result[:, known : known + more],
        )
        known += more
    return result
