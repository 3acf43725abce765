"""Layers of the training step in floating point: forward and backward, one function each.

Arrays are NHWC, float32 (float64 in gradient checks). Every `*_backward` takes the gradient of the
cost with respect to the forward function's result and returns that of its operands.
"""

from collections.abc import Iterator

import numpy as np

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]


def convolve(
    x: np.ndarray, weights: np.ndarray, stride: Pair, padding: Sides
) -> tuple[np.ndarray, np.ndarray]:
    """Convolution (no kernel flip) as one matrix product.

    x (N, H, W, C), weights (Cout, Kh, Kw, C), stride (h, w), padding (top, left, bottom, right).
    Returns the result (N, Ho, Wo, Cout) and the patches (N*Ho*Wo, Kh*Kw*C) for the backward pass.
    """
    top, left, bottom, right = padding
    if any(padding):
        x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    channels, *kernel, _ = weights.shape
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]].transpose(0, 1, 2, 4, 5, 3)
    patches = windows.reshape(-1, weights[0].size)
    result = patches @ weights.reshape(channels, -1).T
    return result.reshape(*windows.shape[:3], channels), patches


def convolve_backward_weights(
    gradient: np.ndarray, patches: np.ndarray, weights_shape: tuple[int, ...]
) -> np.ndarray:
    """Gradient of the weights: gradient (N, Ho, Wo, Cout) with `patches` from `convolve`."""
    return (gradient.reshape(-1, weights_shape[0]).T @ patches).reshape(weights_shape)


def convolve_backward_input(
    gradient: np.ndarray, weights: np.ndarray, input_shape: tuple[int, ...], stride: Pair, padding: Sides
) -> np.ndarray:
    """Gradient of the input (N, H, W, C) = `input_shape`, from gradient (N, Ho, Wo, Cout)."""
    batch, height, width, depth = input_shape
    top, left, bottom, right = padding
    channels, kernel_height, kernel_width, _ = weights.shape
    _, rows, columns, _ = gradient.shape
    flat = gradient.reshape(-1, channels)
    padded = np.zeros((batch, height + top + bottom, width + left + right, depth), gradient.dtype)
    for ky in range(kernel_height):
        for kx in range(kernel_width):
            y_stop, x_stop = ky + stride[0] * rows, kx + stride[1] * columns
            target = padded[:, ky : y_stop : stride[0], kx : x_stop : stride[1]]
            target += (flat @ weights[:, ky, kx]).reshape(batch, rows, columns, depth)
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
    normalized = rows - mean
    var = weights @ (normalized * normalized)
    sigma = np.sqrt(var + x.dtype.type(eps))
    normalized /= sigma
    y = normalized * gamma
    y += beta
    return y.reshape(x.shape), normalized, sigma, mean, var


def batch_norm_backward(
    gradient: np.ndarray, normalized: np.ndarray, sigma: np.ndarray, gamma: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients (x, gamma, beta) of `batch_norm`; gradient like its y."""
    rows = gradient.reshape(normalized.shape)
    ones = np.ones(len(rows), rows.dtype)
    beta_gradient = ones @ rows
    gamma_gradient = ones @ (rows * normalized)
    x_gradient = normalized * (gamma_gradient / -len(rows))
    x_gradient += rows
    x_gradient -= beta_gradient / len(rows)
    x_gradient *= gamma / sigma
    return x_gradient.reshape(gradient.shape), gamma_gradient, beta_gradient


def max_pool(x: np.ndarray, kernel: Pair, stride: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Max pooling without padding. Returns the maxima and their positions in the window.

    Positions are uint8, row-major; of equal maxima the first counts.
    """
    rows, columns = pooled_size(x.shape[1:3], kernel, stride)
    first, *others = (x[:, y_slice, x_slice] for y_slice, x_slice in _taps(kernel, stride, rows, columns))
    best, position = first.copy(), np.zeros(first.shape, np.uint8)
    for index, candidate in enumerate(others, 1):
        np.copyto(position, index, where=candidate > best)
        np.maximum(best, candidate, out=best)
    return best, position


def max_pool_backward(
    gradient: np.ndarray, position: np.ndarray, input_shape: tuple[int, ...], kernel: Pair, stride: Pair
) -> np.ndarray:
    """Routes each gradient to the element that was the maximum of its window."""
    result = np.zeros(input_shape, gradient.dtype)
    taps = _taps(kernel, stride, *gradient.shape[1:3])
    for index, (y_slice, x_slice) in enumerate(taps):
        result[:, y_slice, x_slice] += gradient * (position == index)
    return result


def pooled_size(size: Pair, kernel: Pair, stride: Pair) -> Pair:
    """Output (height, width) of pooling without padding; incomplete windows are dropped."""
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(size, kernel, stride, strict=True))
    return rows, columns


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


def _taps(kernel: Pair, stride: Pair, rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Slices of the input that hold each position of the window, row-major."""
    for ky in range(kernel[0]):
        for kx in range(kernel[1]):
            yield (
                slice(ky, ky + stride[0] * rows, stride[0]),
                slice(kx, kx + stride[1] * columns, stride[1]),
            )
