"""Convolution as a matrix product in floating point, whose sums are integers and exact.

Sums of integers are not rounded below 2^24 (float32) or 2^53 (float64), in any order; the bound is checked
on every call.
"""

from typing import Any

import numpy as np

from ..errors import InputError
from ..network.geometry import Windows

# Elements of patches gathered at a time: they stay in the processor's cache.
_CHUNK = 1 << 18
# Neighboring elements of a patch from which on it is copied patch by patch, not element by element of all.
_NEIGHBORS = 16


def exact_sums(codes: np.ndarray, values: np.ndarray, **spacing: Any) -> np.ndarray:
    """sum(v * a) over every window position, integers as float32, or float64 where they need it.

    codes: integers (batch, H, W, Cin); values: integer weights (Cout, Kh, Kw, Cin / groups); spacing: what a
    Geometry has beside the kernel; padding has the code 0. Returns (batch, Ho, Wo, Cout). InputError for sums
    that float64 does not hold.
    """
    out_channels, height, width, inner = values.shape
    geometry = Windows(kernel=(height, width), **spacing)
    stride, dilation, groups = geometry.stride, geometry.dilation, geometry.groups
    rows = values.reshape(groups, out_channels // groups, -1)
    kind = _kind(codes, rows)
    padded = geometry.pad(codes).astype(kind)
    windows = np.lib.stride_tricks.sliding_window_view(padded, geometry.reach, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    windows = windows.transpose(0, 1, 2, 4, 5, 3)
    sums = np.empty((*windows.shape[:3], out_channels), kind)
    weights = rows.astype(kind).transpose(0, 2, 1)
    for place in _blocks(windows.shape):
        block = sums[place].reshape(-1, out_channels)
        for group, matrix in enumerate(weights):
            patches = _patches(windows[place][..., group * inner : (group + 1) * inner])
            outputs = slice(group * matrix.shape[1], (group + 1) * matrix.shape[1])
            np.matmul(patches, matrix, out=block[:, outputs])
    return sums


def _kind(codes: np.ndarray, rows: np.ndarray) -> type[np.floating[Any]]:
    """The float that holds all sums of codes with rows of weights, (groups, outputs, inputs)."""
    largest = max(int(codes.max(initial=0)), -int(codes.min(initial=0)))
    largest *= int(np.abs(rows).sum(axis=2, dtype=np.int64).max())
    if largest >= 1 << 53:
        raise InputError(f"convolve: sums reach {largest}; accepted: below 2^53")
    return np.float32 if largest < 1 << 24 else np.float64


def _blocks(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Images and rows of windows (batch, Ho, Wo, Kh, Kw, C) that are computed at a time: whole images, or
    rows of one."""
    batch, rows = shape[:2]
    row = int(np.prod(shape[2:]))
    if rows * row > _CHUNK:
        step = max(1, _CHUNK // row)
        return [
            (slice(image, image + 1), slice(top, top + step))
            for image in range(batch)
            for top in range(0, rows, step)
        ]
    step = _CHUNK // max(1, rows * row)
    return [(slice(start, start + step), slice(None)) for start in range(0, batch, step)]


def _patches(windows: np.ndarray) -> np.ndarray:
    """Windows (batch, Ho, Wo, Kh, Kw, C) as a matrix, a row for each."""
    count, size = int(np.prod(windows.shape[:3])), int(np.prod(windows.shape[3:]))
    if windows.shape[4] * windows.shape[5] >= _NEIGHBORS:
        return windows.reshape(count, size)
    return windows.transpose(3, 4, 5, 0, 1, 2).reshape(size, count).T
