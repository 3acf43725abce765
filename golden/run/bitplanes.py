"""Bit planes packed into 64-bit words, and convolution by AND or XNOR and popcount on them (Eq. 1 to 3).

Shares no code with the matrix product of matmul.py: windows are gathered by index, and each
encoding has its own correction.
"""

from typing import Any

import numpy as np

from ..errors import InputError
from ..network.encoding import Encoding
from ..network.geometry import Windows

# Words of intermediate results at a time: bounds memory to some tens of megabytes.
_CHUNK = 1 << 21


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Bit planes of uint8 or uint16 codes (..., K): uint64 (bits, ..., ceil(K / 64)).

    Plane i holds bit i of every code; element k is bit k % 64 of word k // 64, the rest is 0.
    """
    length = codes.shape[-1]
    words = -(-length // 64)
    planes = np.empty((bits, *codes.shape[:-1], words), np.uint64)
    for bit in range(bits):
        packed = np.zeros((*codes.shape[:-1], 8 * words), np.uint8)
        packed[..., : -(-length // 8)] = np.packbits(
            ((codes >> bit) & 1).astype(np.uint8), axis=-1, bitorder="little"
        )
        planes[bit] = packed.view("<u8")
    return planes


def unpack(planes: np.ndarray, length: int) -> np.ndarray:
    """Inverse of `pack`: codes (..., length) of uint64 planes (bits, ..., words), uint8, or uint16 of more
    than 8."""
    codes = np.zeros((*planes.shape[1:-1], length), np.uint8 if len(planes) <= 8 else np.uint16)
    for bit, plane in enumerate(planes):
        octets = np.ascontiguousarray(plane, dtype="<u8").view(np.uint8)
        codes |= np.unpackbits(octets, axis=-1, count=length, bitorder="little").astype(codes.dtype) << bit
    return codes


def dot(
    weight_planes: np.ndarray, activation_planes: np.ndarray, encoding: Encoding, a_signed: bool = False
) -> np.ndarray:
    """sum(v * a) for every pair of a row of activations and a row of weights.

    weight_planes: uint64 (W, Cout, words); activation_planes: uint64 (A, rows, words); encoding: of the
    weights; a_signed: activations are two's complement. Returns int64 (rows, Cout).
    """
    w_bits, channels, words = weight_planes.shape
    a_bits, rows, _ = activation_planes.shape
    weight_of = Encoding(encoding).coefficients(w_bits)
    activation_of = Encoding.plain(a_signed).coefficients(a_bits)
    constant = Encoding(encoding).constant(w_bits)
    result = np.zeros((channels, rows), np.int64)
    step = max(1, _CHUNK // channels)
    for start in range(0, rows, step):
        part = result[:, start : start + step]
        for j in range(a_bits):
            # Word by word: a row has few, and what is counted at a time is then all channels and rows.
            activations = np.ascontiguousarray(activation_planes[j, start : start + step].T)
            for i in range(w_bits):
                ones = np.zeros(part.shape, np.uint32)
                for word in range(words):
                    ones += np.bitwise_count(weight_planes[i, :, word, None] & activations[word])
                part += weight_of[i] * activation_of[j] * ones.astype(np.int64)
        if constant:
            # The sum row: one more count per row of activations, the same for all channels.
            for j in range(a_bits):
                ones = np.bitwise_count(activation_planes[j, start : start + step])
                part += constant * activation_of[j] * ones.sum(axis=-1, dtype=np.int64)
    return result.T


def dot_xnor(weight_planes: np.ndarray, activation_planes: np.ndarray) -> np.ndarray:
    """sum((2 w - n_w) a) for every pair of rows, as :func:`dot` of unsigned activations and bipolar weights.

    An XNOR counts equal bits: with L bits a row, those behind its end included, and n_a = 2^A - 1 it is
    ``sum 2^(i + j) popcount(w_i xnor a_j) + n_a sum 2^i (popcount(w_i) - L)``.
    """
    w_bits, channels, words = weight_planes.shape
    a_bits, rows, _ = activation_planes.shape
    ones = np.bitwise_count(weight_planes).sum(axis=-1, dtype=np.int64) - 64 * words
    constants = ((1 << a_bits) - 1) * (ones << np.arange(w_bits)[:, None]).sum(axis=0)
    result = np.empty((rows, channels), np.int64)
    step = max(1, _CHUNK // (channels * words))
    for start in range(0, rows, step):
        part = result[start : start + step]
        part[:] = constants
        for j in range(a_bits):
            activations = ~activation_planes[j, start : start + step, None]
            for i in range(w_bits):
                equal = np.bitwise_count(weight_planes[i] ^ activations)
                part += equal.sum(axis=-1, dtype=np.int64) << (i + j)
    return result


def convolve(
    codes: np.ndarray,
    weights: np.ndarray,
    *,
    a_bits: int,
    w_bits: int,
    encoding: Encoding,
    a_signed: bool = False,
    xnor: bool = False,
    **spacing: Any,
) -> np.ndarray:
    """sum(v * a) over every window position, by AND and popcount; by XNOR if `xnor`.

    codes: uint8 or uint16 (batch, H, W, Cin) below 2^a_bits, or int8 or int16 if a_signed, of which the low
    a_bits count; weights: uint8 codes (Cout, Kh, Kw, Cin / groups) below 2^w_bits; spacing: what a Geometry
    has beside the kernel. Returns int64 (batch, Ho, Wo, Cout). InputError for XNOR of other operands
    than unsigned codes and bipolar weights.
    """
    if xnor and (a_signed or not Encoding(encoding).symmetric):
        raise InputError(
            f"convolve: XNOR of {'signed' if a_signed else 'unsigned'} codes and {Encoding(encoding).value} "
            "weights; accepted: unsigned codes and bipolar weights"
        )
    batch, height, width, channels = codes.shape
    out_channels, inner = weights.shape[0], weights.shape[3]
    geometry = Windows(kernel=weights.shape[1:3], **spacing)
    outer = out_channels // geometry.groups
    counts = geometry.output_size((height, width))
    rows, columns = geometry.pixels(0, counts[0]), geometry.pixels(1, counts[1])
    # Pixel number of every kernel element at every window position; outside the map it is the
    # number of one more pixel, of zeros.
    pixels = rows[:, None, :, None] * width + columns[None, :, None, :]
    inside = (rows >= 0) & (rows < height)
    inside = inside[:, None, :, None] & ((columns >= 0) & (columns < width))[None, :, None, :]
    pixels = np.where(inside, pixels, height * width).reshape(len(rows) * len(columns), -1)
    weight_planes = pack(weights.reshape(out_channels, -1), w_bits)
    unsigned = np.uint8 if codes.itemsize == 1 else np.uint16
    flat = np.zeros((height * width + 1, channels), unsigned)
    result = np.empty((batch, len(pixels), out_channels), np.int64)
    for image in range(batch):
        flat[:-1] = codes[image].reshape(-1, channels).view(unsigned)
        patches = flat[pixels]
        for group in range(geometry.groups):
            inputs = patches[..., group * inner : (group + 1) * inner].reshape(len(pixels), -1)
            outputs = slice(group * outer, (group + 1) * outer)
            planes = weight_planes[:, outputs], pack(inputs, a_bits)
            result[image, :, outputs] = dot_xnor(*planes) if xnor else dot(*planes, encoding, a_signed)
    return result.reshape(batch, len(rows), len(columns), out_channels)
