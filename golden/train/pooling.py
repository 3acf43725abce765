"""Pooling of the training step: forward and backward, one function each.

Maps are NHWC. Windows are those of a :class:`dorefa.golden.network.parts.Pool`: incomplete ones are dropped,
as in inference, and where windows overlap the gradients of an element add up.
"""

from collections.abc import Iterator

import numpy as np

from ..network.parts import Pool


def max_pool(x: np.ndarray, pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """Maxima (N, Ho, Wo, C) of the windows of x, floats (N, H, W, C), and their positions in the window.

    Positions are row-major; of equal maxima the first counts. Places in the padding never win.
    """
    first, *others = _taps(pool.pad(x, -np.inf), pool, pool.output_size(x.shape[1:]))
    best, position = first.copy(), np.zeros(first.shape, np.min_scalar_type(pool.area))
    for index, candidate in enumerate(others, 1):
        # The greatest index so far: an integer maximum is several times faster than a masked assignment.
        np.maximum(position, index * (candidate > best).astype(position.dtype), out=position)
        np.maximum(best, candidate, out=best)
    return best, position


def max_pool_backward(
    gradient: np.ndarray, position: np.ndarray, in_shape: tuple[int, ...], pool: Pool
) -> np.ndarray:
    """Gradient of :func:`max_pool`'s x, `in_shape` (N, H, W, C): each goes to the element that was the
    maximum of its window."""
    padded = np.zeros((in_shape[0], *pool.padded(in_shape[1:]), in_shape[3]), gradient.dtype)
    for index, target in enumerate(_taps(padded, pool, gradient.shape[1:3])):
        target += gradient * (position == index)
    top, left, _, _ = pool.padding
    return padded[:, top : top + in_shape[1], left : left + in_shape[2]]


def sum_pool(x: np.ndarray, pool: Pool) -> np.ndarray:
    """Sums (N, Ho, Wo, C) of the windows of x (N, H, W, C) in its dtype, which they must fit."""
    first, *others = _taps(x, pool, pool.output_size(x.shape[1:]))
    total = first.copy()
    for window in others:
        total += window
    return total


def sum_pool_backward(gradient: np.ndarray, in_shape: tuple[int, ...], pool: Pool) -> np.ndarray:
    """Gradient of :func:`sum_pool`'s x, `in_shape` (N, H, W, C)."""
    result = np.zeros(in_shape, gradient.dtype)
    for target in _taps(result, pool, gradient.shape[1:3]):
        target += gradient
    return result


def _taps(x: np.ndarray, pool: Pool, windows: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Views of x that hold each position of all `windows` (rows, columns), row-major."""
    rows, columns = windows
    step_y, step_x = pool.stride
    for y, x0 in np.ndindex(*pool.kernel):
        yield x[:, y : y + step_y * rows : step_y, x0 : x0 + step_x * columns : step_x]
