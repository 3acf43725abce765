"""Weights whose quantizer a cleanup has folded into them, with the annotation SCALEDINT of their width."""

import re

import numpy as np

from ...network.layer import MAX_BITS
from .quantizers import Constant, Grid, bits_of

_SCALED = re.compile(r"SCALEDINT<([0-9]{1,3})>")
# Steps of float32 that the product of a scale and an integer, divided by the integer, is off the scale.
_STEPS = 2


def annotated(array: np.ndarray, data_type: str) -> Constant:
    """An initializer with the data type that the file says of it, "" without.

    Of SCALEDINT<bits> also the integers and the scale, one per tensor or per place of the first or the second
    axis, whose float32 products it holds.
    """
    found = _SCALED.fullmatch(data_type)
    bits = int(found[1]) if found else 0
    if (
        not 2 <= bits <= MAX_BITS
        or array.dtype != np.float32
        or array.ndim < 2
        or not array.size
        or not np.isfinite(array).all()
    ):
        return Constant(array)
    # Scales at the ends of float32 divide by 0, or overflow, and are none.
    with np.errstate(all="ignore"):
        grids = (_grid(array, axis, bits) for axis in (None, 0, 1))
        return Constant(array, next((grid for grid in grids if grid is not None), None))


def _grid(array: np.ndarray, axis: int | None, bits: int) -> Grid | None:
    """The Grid of `array` with one scale, or one for each place of an axis; None where there is none."""
    count = 1 if axis is None else array.shape[axis]
    rows = np.moveaxis(array, axis or 0, 0).reshape(count, -1)
    scales = np.ones(count, np.float32)
    for row, weights in enumerate(rows):
        scale = _scale(np.unique(weights), (1 << bits) - 1)
        if scale is None:
            return None
        scales[row] = scale
    shape = [1] * array.ndim
    if axis is not None:
        shape[axis] = count
    spread = np.broadcast_to(scales.reshape(shape), array.shape).astype(np.float64)
    values = np.rint(array / spread).astype(np.int16)
    return Grid(values, spread, bits_of(int(values.min(initial=0)), int(values.max(initial=0))))


def _scale(weights: np.ndarray, most: int) -> float | None:
    """The greatest float32 whose products with integers up to `most` are `weights`; None without one."""
    largest = np.abs(weights).max()
    if not largest:
        return 1.0
    if len(weights) > most + 1:
        return None
    for count in range(1, most + 1):
        scale = np.float32(largest / np.float32(count))
        near = weights / np.float64(scale)
        if np.abs(near - np.rint(near)).max() > 1e-3:
            continue
        integers = np.rint(near).astype(np.float32)
        for step in range(-_STEPS, _STEPS + 1):
            own = (scale.view(np.int32) + np.int32(step)).view(np.float32)
            if own > 0 and np.array_equal(integers * own, weights):
                return float(own)
    return None
