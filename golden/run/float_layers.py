"""Float layers, forward: convolution, fully connected, batch normalization, clip, pooling.

Maps are (batch, H, W, C). Everything keeps the dtype of its input unless said otherwise.
"""

import numpy as np

from ..errors import InputError


def convolve(x, weight, *, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    """Convolution of x (batch, H, W, Cin) with weight (Cout, Kh, Kw, Cin / groups).

    padding: top, left, bottom, right, with zeros. Returns (batch, Ho, Wo, Cout), dtype of x: one
    matrix product per kernel element, summed.
    """
    out_channels, height, width, inner = weight.shape
    top, left, bottom, right = padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    rows = (padded.shape[1] - dilation[0] * (height - 1) - 1) // stride[0] + 1
    columns = (padded.shape[2] - dilation[1] * (width - 1) - 1) // stride[1] + 1
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


def fully_connected(x, weight):
    """x (batch, ...) flattened, times weight (Cout, ...): (batch, Cout), dtype of x."""
    return x.reshape(len(x), -1) @ weight.reshape(len(weight), -1).T.astype(x.dtype)


def batch_norm(x, norm):
    """gamma * (x - mean) / sigma + beta per channel (last axis), in float64."""
    gamma, beta, mean = (parameter.astype(np.float64) for parameter in (norm.gamma, norm.beta, norm.mean))
    return gamma * (x - mean) / norm.sigma + beta


def clip(x):
    """h(x), x bounded to [0, 1] (Eq. 11)."""
    return np.clip(x, 0, 1)


def max_pool(x, pool):
    """Largest value of each window of the Pool; places in the padding never win."""
    top, left, bottom, right = pool.padding
    border = ((0, 0), (top, bottom), (left, right), (0, 0))
    return _windows(np.pad(x, border, constant_values=-np.inf), pool).max(axis=(-2, -1))


def average_pool(x, pool):
    """Mean of each window of the Pool."""
    return _windows(x, pool).sum(axis=(-2, -1)) / (pool.kernel[0] * pool.kernel[1])


def sum_codes(codes, pool):
    """Sum of each window of the Pool of uint8 codes (batch, H, W, C), which uint8 holds."""
    return _windows(codes, pool).sum(axis=(-2, -1), dtype=np.uint8)


def round_to_trunk(sums, rescale):
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


def _windows(x, pool):
    """View (batch, Ho, Wo, C, Kh, Kw) of all pooling windows."""
    windows = np.lib.stride_tricks.sliding_window_view(x, pool.kernel, axis=(1, 2))
    return windows[:, :: pool.stride[0], :: pool.stride[1]]
