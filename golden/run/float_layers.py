"""Float layers, forward: convolution, fully connected, batch normalization, clip, pooling.

Maps are (batch, H, W, C). Everything keeps the dtype of its input unless said otherwise.
"""

from typing import Any

import numpy as np

from ..errors import InputError
from ..network.geometry import Windows
from ..network.parts import BatchNorm, Pool, Rescale


def convolve(x: np.ndarray, weight: np.ndarray, **spacing: Any) -> np.ndarray:
    """Convolution of x (batch, H, W, Cin) with weight (Cout, Kh, Kw, Cin / groups).

    spacing: what a Geometry has beside the kernel; padding is 0. Returns (batch, Ho, Wo, Cout),
    dtype of x: one matrix product per kernel element, summed.
    """
    out_channels, height, width, inner = weight.shape
    geometry = Windows(kernel=(height, width), **spacing)
    stride, dilation, groups = geometry.stride, geometry.dilation, geometry.groups
    padded = geometry.pad(x)
    rows, columns = geometry.output_size(x.shape[1:3])
    result = np.zeros((len(x), rows, columns, out_channels), x.dtype)
    outer = out_channels // groups
    for ky in range(height):
        y = ky * dilation[0]
        for kx in range(width):
            x0 = kx * dilation[1]
            taps = padded[
                :,
                y : y + (rows - 1) * stride[0] + 1 : stride[0],
                x0 : x0 + (columns - 1) * stride[1] + 1 : stride[1],
            ]
            for group in range(groups):
                outputs = slice(group * outer, (group + 1) * outer)
                matrix = weight[outputs, ky, kx].astype(x.dtype)
                inputs = taps[..., group * inner : (group + 1) * inner]
                result[..., outputs] += inputs @ matrix.T
    return result


def fully_connected(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """x (batch, ...) flattened, times weight (Cout, ...): (batch, Cout), dtype of x."""
    return x.reshape(len(x), -1) @ weight.reshape(len(weight), -1).T.astype(x.dtype)


def batch_norm(x: np.ndarray, norm: BatchNorm) -> np.ndarray:
    """gamma * (x - mean) / sigma + beta per channel (last axis), in float64."""
    gamma, beta, mean = (parameter.astype(np.float64) for parameter in (norm.gamma, norm.beta, norm.mean))
    return gamma * (x - mean) / norm.sigma + beta


def clip(x: np.ndarray) -> np.ndarray:
    """h(x), x bounded to [0, 1] (Eq. 11)."""
    return np.clip(x, 0, 1)


def max_pool(x: np.ndarray, pool: Pool) -> np.ndarray:
    """Largest value of each window of the Pool; places in the padding never win."""
    return _windows(pool.pad(x, -np.inf), pool).max(axis=(-2, -1))


def average_pool(x: np.ndarray, pool: Pool) -> np.ndarray:
    """Mean of each window of the Pool."""
    return _windows(x, pool).sum(axis=(-2, -1)) / pool.area


def sum_codes(codes: np.ndarray, pool: Pool) -> np.ndarray:
    """Sum of each window of the Pool of uint8 codes (batch, H, W, C), which uint8 holds."""
    return _windows(codes, pool).sum(axis=(-2, -1), dtype=np.uint8)


def round_to_trunk(sums: np.ndarray, rescale: Rescale) -> np.ndarray:
    """The trunk of exact integer sums float64 (..., Cout), int64: round_half_even((m x + b) / 2^f).

    InputError where m x + b may not fit 63 bits.
    """
    largest = int(np.abs(sums).max(initial=0)) * int(np.abs(rescale.m).max())
    largest += int(np.abs(rescale.b).max())
    if largest >= 1 << 62:
        raise InputError(f"rescale: m * acc + b may reach {largest}; accepted: below 2^62")
    total = sums.astype(np.int64) * rescale.m + rescale.b
    whole, rest = np.divmod(total, 1 << rescale.f)
    # Compares without doubling: above one half, or equal to it and odd.
    left = (1 << rescale.f) - rest
    return whole + ((rest > left) | ((rest == left) & (whole % 2 == 1)))


def _windows(x: np.ndarray, pool: Pool) -> np.ndarray:
    """View (batch, Ho, Wo, C, Kh, Kw) of all pooling windows."""
    windows = np.lib.stride_tricks.sliding_window_view(x, pool.kernel, axis=(1, 2))
    return windows[:, :: pool.stride[0], :: pool.stride[1]]
