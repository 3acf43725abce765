"""Integer convolution by matrix product, integer pooling and thresholds."""

from typing import Any

import numpy as np

from ..errors import InputError
from ..network.parts import Pool, Rescale
from .exact_sums import exact_sums


def convolve(codes: np.ndarray, values: np.ndarray, **spacing: Any) -> np.ndarray:
    """:func:`.exact_sums.exact_sums` as int64 (batch, Ho, Wo, Cout)."""
    return exact_sums(codes, values, **spacing).astype(np.int64)


def max_pool(codes: np.ndarray, pool: Pool) -> np.ndarray:
    """Maximum over each window of codes (batch, H, W, C), same dtype; padding never wins."""
    windows = _window_pixels(codes, pool)
    result = windows[0].copy()
    for window in windows[1:]:
        np.maximum(result, window, out=result)
    return result


def sum_pool(values: np.ndarray, pool: Pool) -> np.ndarray:
    """Sum over each window of integers (batch, H, W, C), same dtype, which the sums must fit."""
    windows = _window_pixels(values, pool)
    result = windows[0].copy()
    for window in windows[1:]:
        result += window
    return result


def rescale(accumulators: np.ndarray, parameters: Rescale) -> np.ndarray:
    """round_half_even((m * acc + b) / 2^f) of accumulators int64 (..., Cout), int64.

    parameters: the Rescale. InputError where m * acc + b may not fit 63 bits.
    """
    largest = int(np.abs(accumulators).max(initial=0))
    largest = largest * int(np.abs(parameters.m).max()) + int(np.abs(parameters.b).max())
    if largest >= 1 << 62:
        raise InputError(f"rescale: m * acc + b may reach {largest}; accepted: below 2^62")
    total = accumulators * parameters.m + parameters.b
    if not parameters.f:
        return total
    # One half less one, and the one as well where the result below is odd.
    total += (1 << (parameters.f - 1)) - 1 + ((total >> parameters.f) & 1)
    return total >> parameters.f


def signed_codes(codes: np.ndarray, bits: int) -> np.ndarray:
    """Values of two's complement codes, uint8 or uint16 of any shape: int8, or int16 of more than 8 bits.
    Higher bits do not count."""
    wide = bits > 8
    unused = (16 if wide else 8) - bits
    codes = codes.astype(np.uint16 if wide else np.uint8, copy=False)
    moved: np.ndarray = (codes << unused).view(np.int16 if wide else np.int8)
    return moved >> unused


def stored_codes(counts: np.ndarray, step: int, offset: int, bits: int) -> np.ndarray:
    """(step * count + offset) mod 2^bits of counts: uint8, or int8 where the offset is negative; uint16 or
    int16 of more than 8 bits."""
    if step == 1 and offset == 0:
        return counts
    codes = ((step * counts.astype(np.int64) + offset) % (1 << bits)).astype(np.uint16)
    codes = codes if bits > 8 else codes.astype(np.uint8)
    return signed_codes(codes, bits) if offset < 0 else codes


def _window_pixels(array: np.ndarray, pool: Pool) -> list[np.ndarray]:
    """The pixels of all windows as Kh * Kw strided views of `array` (batch, H, W, C), padded."""
    counts, padded = pool.output_size(array.shape[1:3]), pool.pad(array)
    return [
        padded[
            :,
            y : y + (counts[0] - 1) * pool.stride[0] + 1 : pool.stride[0],
            x : x + (counts[1] - 1) * pool.stride[1] + 1 : pool.stride[1],
        ]
        for y in range(pool.kernel[0])
        for x in range(pool.kernel[1])
    ]


def apply_thresholds(accumulators: np.ndarray, thresholds: np.ndarray, inverted: np.ndarray) -> np.ndarray:
    """Codes of accumulators: count(acc >= T_t), or the rest of the levels where inverted.

    accumulators: integers (batch, H, W, C), int64 or a float that holds them exactly; thresholds: int64
    (C, levels), nondecreasing; inverted: bool (C,). Returns uint8, or uint16 of more than 255 levels, shaped
    like accumulators.
    """
    levels = thresholds.shape[1]
    kind = np.uint8 if levels < 256 else np.uint16
    if accumulators.dtype.kind == "f":
        # Rounding moves no threshold past an integer that the float holds.
        thresholds = thresholds.astype(accumulators.dtype)
    if levels <= 15:
        codes = np.zeros(accumulators.shape, kind)
        for t in range(levels):
            codes += (accumulators >= thresholds[:, t]).view(np.uint8)
    else:
        codes = np.empty(accumulators.shape, kind)
        for channel, row in enumerate(thresholds):
            codes[..., channel] = np.searchsorted(row, accumulators[..., channel], side="right")
    return np.where(inverted, kind(levels) - codes, codes) if inverted.any() else codes
