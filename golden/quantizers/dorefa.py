"""The quantizers of the paper (equations 5 to 14) and their straight-through backward pieces.

A quantizer returns integer codes; real values are an affine map of them (`n` = 2^bits - 1):
activation code / n, weight scale * (2 code - n) / n, gradient maximum * (2 code - n) / n.
"""

import math

import numpy as np

from .. import checks
from ..errors import InputError
from ..network.layer import MAX_BITS

# Gradients of more bits are not quantized at all.
MAX_GRADIENT_BITS = 31


def quantize_k(r: np.ndarray, k: int) -> np.ndarray:
    """Eq. 5: round((2^k - 1) r) / (2^k - 1), ties to even.

    r: float32 or float64 in [0, 1], any shape; k: 1..8. Returns the dtype and shape of r.
    """
    r = _floats(r, "quantize_k: r")
    levels = (1 << k) - 1
    return (unit_codes(r, k) / levels).astype(r.dtype)


def unit_codes(r: np.ndarray, k: int) -> np.ndarray:
    """round((2^k - 1) r), exact with ties to even: uint8, shaped like r.

    r: float32 or float64 in [0, 1]; k: 1..8. InputError for anything outside, NaN included.
    """
    bits = checks.integer(k, "quantize_k: k", 1, MAX_BITS)
    r = _floats(r, "quantize_k: r")
    if r.size and not (r.min() >= 0 and r.max() <= 1):
        bad = r[~((r >= 0) & (r <= 1))].flat[0]
        raise InputError(f"quantize_k: r has the value {bad}; accepted: 0..1")
    return _round_product(r, (1 << bits) - 1)


def _round_product(r: np.ndarray, levels: int) -> np.ndarray:
    """round(levels * r), ties to even, as if computed with infinite precision."""
    # The product with a float32 is exact in float64 (24 + 8 bits); a float64 is split in two
    # parts so that both products are. The sign of a float sum is always exact.
    high = r.astype(np.float32).astype(np.float64)
    product = levels * high
    whole = np.floor(product)
    excess = product - whole - 0.5
    if r.dtype == np.float64:
        excess += levels * (r - high)
    up = (excess > 0) | ((excess == 0) & (whole % 2 == 1))
    return (whole + up).astype(np.uint8)


def quantize_weights(w: np.ndarray, bits: int) -> tuple[np.ndarray, np.float32]:
    """Weight codes and scale, Eq. 7 (bits = 1) and Eq. 9 (bits > 1).

    w: float32 or float64, any shape; bits: 1..8. Returns (codes uint8 shaped like w, scale
    float32 ()): real weight = scale * (2 code - n) / n. For one bit the scale is the mean of
    |w| over the layer, from a sum that is rounded once (no order of the weights changes it), and
    code 1 stands for w >= 0; otherwise it is 1. All-zero weights of several bits quantize like
    tanh(0) = 0.
    """
    bits = checks.integer(bits, "quantize_weights: bits", 1, MAX_BITS)
    w = _floats(w, "quantize_weights: w")
    checks.finite(w, "quantize_weights: w")
    if not w.size:
        raise InputError(f"quantize_weights: w has shape {w.shape}; accepted: one or more weights")
    scale = weight_scale(w, bits)
    if bits == 1:
        return (w >= 0).view(np.uint8), scale
    bounded = np.tanh(w.astype(np.float64))
    largest = np.abs(bounded).max()
    unit = bounded / (2 * largest) + 0.5 if largest > 0 else np.full(w.shape, 0.5)
    return unit_codes(unit, bits), scale


def weight_scale(w: np.ndarray, bits: int) -> np.float32:
    """The scale that :func:`quantize_weights` returns."""
    return _mean_magnitude(w) if bits == 1 else np.float32(1)


def _mean_magnitude(w: np.ndarray) -> np.float32:
    """The mean of |w|, the same for every order of the weights."""
    magnitudes = np.abs(w)
    if (largest := magnitudes.max()) > np.finfo(np.float32).max:
        raise InputError(f"quantize_weights: w has the magnitude {largest}; accepted: those of float32")
    total = float(magnitudes.sum(dtype=np.float64))
    # No order of additions is further from the sum than this.
    slack = total * w.size * 2.0**-52
    with np.errstate(over="ignore"):
        low, high = (np.float32(bound / w.size) for bound in (total - slack, total + slack))
    return low if low == high else np.float32(math.fsum(magnitudes.ravel().tolist()) / w.size)


def quantize_weights_backward(gradient: np.ndarray, w: np.ndarray, bits: int) -> np.ndarray:
    """Eq. 8 and 10: gradient of the float weights from that of the quantized ones.

    Identity for one bit. For more, straight through the rounding, then the chain rule through
    tanh(w) / max|tanh(w)|, with the maximum taken as a constant: to differentiate it too, as the paper's
    published code does, changes the gradient of the largest weight alone. Shaped and typed like `w`.
    """
    if bits == 1:
        return gradient
    bounded = np.tanh(w)
    largest = np.abs(bounded).max()
    if largest == 0:
        return gradient
    return gradient * ((1 - bounded * bounded) / largest)


def quantize_activations(r: np.ndarray, bits: int) -> np.ndarray:
    """Activation codes, Eq. 11: round((2^bits - 1) clip(r, 0, 1)), ties to even.

    r: float32 or float64, any shape; bits: 1..8. Returns uint8 shaped like r; NaN is refused.
    """
    r = _floats(r, "quantize_activations: r")
    return unit_codes(np.clip(r, 0, 1), bits)


def quantize_activations_backward(gradient: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Straight through the rounding; zero where the clip to [0, 1] was active (r outside)."""
    return gradient * ((r >= 0) & (r <= 1))


def quantize_gradients(g: np.ndarray, bits: int, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gradient codes and maxima, Eq. 12 to 14, in the form floor(n (g / 2m + 1/2) + u).

    g: float32 or float64 (batch, ...); bits: 1..31; noise: u, uniform in [0, 1), shaped like g
    (0.5 everywhere rounds to nearest). Returns (codes shaped like g, uint8 up to 8 bits, else uint32; m: one
    maximum of |g| per sample, dtype of g, shape (batch, 1, ...)). Real value m * (2 code - n) / n, which is 0
    for a sample of zeros.
    """
    bits = checks.integer(bits, "quantize_gradients: bits", 1, MAX_GRADIENT_BITS)
    g = _floats(g, "quantize_gradients: g")
    checks.finite(g, "quantize_gradients: g")
    noise = np.asarray(noise)
    if g.ndim < 1 or not g.size:
        raise InputError(f"quantize_gradients: g has shape {g.shape}; accepted: (batch, ...)")
    if noise.size and not (noise.min() >= 0 and noise.max() < 1):
        bad = noise[~((noise >= 0) & (noise < 1))].flat[0]
        raise InputError(f"quantize_gradients: noise has the value {bad}; accepted: 0 <= u < 1")
    levels = (1 << bits) - 1
    maxima = np.abs(g).max(axis=tuple(range(1, g.ndim)), keepdims=True)
    divisor = np.where(maxima > 0, maxima, 1).astype(np.float64)
    codes = np.floor(levels * (g / divisor * 0.5 + 0.5) + noise)
    # Only the rounding of levels + u, u just below 1, can reach levels + 1.
    return np.minimum(codes, levels).astype(np.uint8 if bits <= MAX_BITS else np.uint32), maxima


def bipolar_values(
    codes: np.ndarray, bits: int, scale: float | np.ndarray, dtype: type[np.floating] = np.float32
) -> np.ndarray:
    """scale * (2 code - n) / n with n = 2^bits - 1: real weights or gradients of their codes."""
    levels = (1 << bits) - 1
    if bits > MAX_BITS:
        values = (2 * codes.astype(np.int64) - levels).astype(dtype)
    else:
        values = 2 * codes.astype(dtype) - levels
    return (scale * (values / dtype(levels))).astype(dtype)


def _floats(value: np.ndarray, where: str) -> np.ndarray:
    value = np.asarray(value)
    if value.dtype not in (np.float32, np.float64):
        raise InputError(f"{where} has dtype {value.dtype}; accepted: float32 or float64")
    return value
