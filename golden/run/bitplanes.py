"""Bit planes packed into 64-bit words, and convolution by AND and popcount on them (Eq. 1, 3).

Shares no code with the matrix product of integer.py: windows are gathered by index, and each
encoding has its own correction.
"""

import numpy as np

# Words of intermediate results at a time: bounds memory to some tens of megabytes.
_CHUNK = 1 << 21


def pack(codes, bits):
    """Bit planes of uint8 codes (..., K): uint64 (bits, ..., ceil(K / 64)).

    Plane i holds bit i of every code; element k is bit k % 64 of word k // 64, the rest is 0.
    """
    length = codes.shape[-1]
    words = -(-length // 64)
    planes = np.empty((bits, *codes.shape[:-1], words), np.uint64)
    for bit in range(bits):
        packed = np.zeros((*codes.shape[:-1], 8 * words), np.uint8)
        packed[..., : -(-length // 8)] = np.packbits((codes >> bit) & 1, axis=-1, bitorder="little")
        planes[bit] = packed.view("<u8")
    return planes


def unpack(planes, length):
    """Inverse of `pack`: uint8 codes (..., length) of uint64 planes (bits, ..., words)."""
    codes = np.zeros((*planes.shape[1:-1], length), np.uint8)
    for bit, plane in enumerate(planes):
        octets = np.ascontiguousarray(plane, dtype="<u8").view(np.uint8)
        codes |= np.unpackbits(octets, axis=-1, count=length, bitorder="little") << bit
    return codes


def dot(weight_planes, activation_planes, encoding, a_signed=False):
    """sum(v * a) for every pair of a row of activations and a row of weights.

    weight_planes: uint64 (W, Cout, words); activation_planes: uint64 (A, rows, words); encoding:
    see network.Layer; a_signed: activations are two's complement. Returns int64 (rows, Cout).
    """
    w_bits, channels, words = weight_planes.shape
    a_bits, rows, _ = activation_planes.shape
    result = np.zeros((rows, channels), np.int64)
    step = max(1, _CHUNK // (channels * words))
    for start in range(0, rows, step):
        part = result[start : start + step]
        for j in range(a_bits):
            activations = activation_planes[j, start : start + step, None]
            for i in range(w_bits):
                ones = np.bitwise_count(weight_planes[i] & activations)
                count = ones.sum(axis=-1, dtype=np.int64) << (i + j)
                top_weight = encoding == "twos_complement" and i == w_bits - 1
                if top_weight != (a_signed and j == a_bits - 1):
                    part -= count
                else:
                    part += count
        if encoding == "bipolar":
            # v = 2 q - n: one more count per row of activations, the same for all channels.
            part *= 2
            for j in range(a_bits):
                ones = np.bitwise_count(activation_planes[j, start : start + step])
                count = ones.sum(axis=-1, dtype=np.int64) << j
                if a_signed and j == a_bits - 1:
                    count = -count
                part -= ((1 << w_bits) - 1) * count[:, None]
    return result


def convolve(
    codes,
    weights,
    *,
    a_bits,
    w_bits,
    encoding,
    a_signed=False,
    stride=(1, 1),
    padding=(0, 0, 0, 0),
    dilation=(1, 1),
    groups=1,
):
    """sum(v * a) over every window position, by AND and popcount.

    codes: uint8 (batch, H, W, Cin) below 2^a_bits, or int8 if a_signed, of which the low a_bits
    count; weights: uint8 codes (Cout, Kh, Kw, Cin / groups) below 2^w_bits; padding top, left,
    bottom, right. Returns int64 (batch, Ho, Wo, Cout).
    """
    batch, height, width, channels = codes.shape
    out_channels, inner = weights.shape[0], weights.shape[3]
    rows = _positions(height, weights.shape[1], stride[0], dilation[0], padding[0], padding[2])
    columns = _positions(width, weights.shape[2], stride[1], dilation[1], padding[1], padding[3])
    # Pixel number of every kernel element at every window position; outside the map it is the
    # number of one more pixel, of zeros.
    pixels = rows[:, None, :, None] * width + columns[None, :, None, :]
    inside = (rows >= 0) & (rows < height)
    inside = inside[:, None, :, None] & ((columns >= 0) & (columns < width))[None, :, None, :]
    pixels = np.where(inside, pixels, height * width).reshape(len(rows) * len(columns), -1)
    weight_planes = pack(weights.reshape(out_channels, -1), w_bits)
    flat = np.zeros((height * width + 1, channels), np.uint8)
    result = np.empty((batch, len(pixels), out_channels), np.int64)
    for image in range(batch):
        flat[:-1] = codes[image].reshape(-1, channels).view(np.uint8)
        patches = flat[pixels]
        for group in range(groups):
            inputs = patches[..., group * inner : (group + 1) * inner].reshape(len(pixels), -1)
            outputs = slice(group * (out_channels // groups), (group + 1) * (out_channels // groups))
            result[image, :, outputs] = dot(
                weight_planes[:, outputs], pack(inputs, a_bits), encoding, a_signed
            )
    return result.reshape(batch, len(rows), len(columns), out_channels)


def _positions(size, kernel, stride, dilation, before, after):
    """Coordinates (window, kernel element) along one axis, negative or >= size in the padding."""
    last = size + before + after - dilation * (kernel - 1) - 1
    starts = np.arange(0, last + 1, stride) - before
    return starts[:, None] + dilation * np.arange(kernel)
