"""Layers of the training step in floating point: forward and backward, one function each.

Arrays are NHWC, float32 (float64 in gradient checks). Every `*_backward` takes the gradient of the
cost with respect to the forward function's result and returns that of its operands.
"""

import math

import numpy as np

from ..network.geometry import Geometry

# Elements of maps that are worked on together.
_BLOCK = 1 << 16
# At most so many rows of a map are one for a vector's operations.
_ROWS = 16


def patches_of(x: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Every window of x (N, H, W, C) as a row, (groups, N*Ho*Wo, Kh*Kw*C/groups)."""
    rows, columns = geometry.output_size(x.shape[1:])
    x = geometry.pad(x)
    batch, _, _, depth = x.shape
    groups, (stride_y, stride_x) = geometry.groups, geometry.stride
    step_n, step_y, step_x, step_c = x.strides
    windows = np.lib.stride_tricks.as_strided(
        x,
        (groups, batch, rows, columns, *geometry.kernel, depth // groups),
        (
            step_c * (depth // groups),
            step_n,
            step_y * stride_y,
            step_x * stride_x,
            step_y * geometry.dilation[0],
            step_x * geometry.dilation[1],
            step_c,
        ),
        writeable=False,
    )
    return windows.reshape(groups, batch * rows * columns, -1)


def convolve(x: np.ndarray, weights: np.ndarray, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Convolution (no kernel flip) as one matrix product for each channel group.

    x (N, H, W, C), weights (Cout, Kh, Kw, C / groups). Returns the result (N, Ho, Wo, Cout) and the patches
    for the backward pass, see :func:`patches_of`.
    """
    patches = patches_of(x, geometry)
    matrix = weights.reshape(geometry.groups, -1, patches.shape[2])
    result = patches @ matrix.transpose(0, 2, 1)
    rows, columns = geometry.output_size(x.shape[1:])
    return result.transpose(1, 0, 2).reshape(len(x), rows, columns, len(weights)), patches


def convolve_backward_weights(gradient: np.ndarray, patches: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Gradient of the weights, (Cout, Kh, Kw, C / groups): gradient (N, Ho, Wo, Cout) with the `patches` of
    :func:`convolve`."""
    channels = gradient.shape[-1]
    columns = gradient.reshape(-1, geometry.groups, channels // geometry.groups).transpose(1, 2, 0)
    return (columns @ patches).reshape(channels, *geometry.kernel, -1)


def convolve_backward_input(
    gradient: np.ndarray, weights: np.ndarray, input_shape: tuple[int, ...], geometry: Geometry
) -> np.ndarray:
    """Gradient of the input (N, H, W, C) = `input_shape`, from gradient (N, Ho, Wo, Cout)."""
    batch, height, width, depth = input_shape
    top, left, _, _ = geometry.padding
    channels, *kernel, _ = weights.shape
    groups, (rows, columns) = geometry.groups, gradient.shape[1:3]
    flat = gradient.reshape(-1, groups, channels // groups).transpose(1, 0, 2)
    if tuple(kernel) == (height, width) and not any(geometry.padding) and groups == 1:
        return (flat[0] @ weights.reshape(channels, -1)).reshape(input_shape)
    matrices = weights.reshape(groups, channels // groups, *kernel, -1)
    padded = np.zeros((batch, *geometry.padded(input_shape[1:]), depth), gradient.dtype)
    # Some samples at a time, so that what is added to again and again stays in a cache.
    count = max(1, _BLOCK * batch // padded.size)
    for start in range(0, batch, count):
        part = padded[start : start + count]
        rows_of = slice(start * rows * columns, (start + count) * rows * columns)
        for ky, kx in np.ndindex(*kernel):
            first_y, first_x = ky * geometry.dilation[0], kx * geometry.dilation[1]
            target = part[
                :,
                first_y : first_y + geometry.stride[0] * rows : geometry.stride[0],
                first_x : first_x + geometry.stride[1] * columns : geometry.stride[1],
            ]
            product = flat[:, rows_of] @ matrices[:, :, ky, kx]
            target += product.transpose(1, 0, 2).reshape(target.shape)
    return padded[:, top : top + height, left : left + width]


def batch_norm(
    x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Batch normalization over all axes but the last, with the batch's own statistics.

    Returns (y, normalized, sigma, mean, var): y like x; normalized and sigma serve the backward
    pass; mean and (biased) var, both (C,), feed the running statistics.
    """
    rows = x.reshape(-1, x.shape[-1])
    # Column sums as a product with ones: BLAS sums in blocks, faster and rounder than axis sums.
    weights = np.full(len(rows), 1 / len(rows), x.dtype)
    mean = weights @ rows
    normalized = _columnwise(np.subtract, rows, mean)
    var = weights @ (normalized * normalized)
    sigma = np.sqrt(var + x.dtype.type(eps))
    _columnwise(np.divide, normalized, sigma, normalized)
    y = _columnwise(np.multiply, normalized, gamma)
    _columnwise(np.add, y, beta, y)
    return y.reshape(x.shape), normalized, sigma, mean, var


def batch_norm_backward(
    gradient: np.ndarray, normalized: np.ndarray, sigma: np.ndarray, gamma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (x, gamma, beta) of `batch_norm`; gradient like its y."""
    rows = gradient.reshape(normalized.shape)
    ones = np.ones(len(rows), rows.dtype)
    beta_gradient = ones @ rows
    gamma_gradient = ones @ (rows * normalized)
    x_gradient = _columnwise(np.multiply, normalized, gamma_gradient / -len(rows))
    x_gradient += rows
    _columnwise(np.subtract, x_gradient, beta_gradient / len(rows), x_gradient)
    _columnwise(np.multiply, x_gradient, gamma / sigma, x_gradient)
    return x_gradient.reshape(gradient.shape), gamma_gradient, beta_gradient


def _columnwise(
    operation: np.ufunc, rows: np.ndarray, vector: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """operation(rows, vector) of contiguous rows (N, C) with a vector (C,), into `out` or a new array.

    On several rows at a time: NumPy's inner loops are as long as a row, and short ones cost twice as much.
    """
    several = math.gcd(len(rows), _ROWS)
    out = np.empty_like(rows) if out is None else out
    shape = len(rows) // several, -1
    operation(rows.reshape(shape), np.concatenate([vector] * several), out=out.reshape(shape))
    return out


def softmax_cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean cross entropy of softmax(logits) (N, classes) against integer labels (N,).

    Returns the loss as a float and its gradient with respect to the logits.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    samples = np.arange(len(labels))
    loss = float(np.mean(np.log(sums[:, 0]) - shifted[samples, labels]))
    gradient = exponentials / sums
    gradient[samples, labels] -= 1
    return loss, gradient / len(labels)
