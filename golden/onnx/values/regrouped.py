"""Axes of a file that hold parts of the rows, columns or channels of a map.

A Reshape may split an axis, so that a Transpose and another Reshape put its parts elsewhere: PixelShuffle,
PixelUnshuffle and channel shuffles are written like that, and the outputs of detectors.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Part(NamedTuple):
    """`size` places, `stride` apart, of the axis `name` ("H", "W" or "C") of a map."""

    name: str
    size: int
    stride: int = 1


# Per axis of the file after the batch, the parts that it holds, the slowest first.
Axes = tuple[tuple[Part, ...], ...]


def resized(axes: Axes, sizes: Sequence[int]) -> Axes | None:
    """The axes after a reshape to `sizes`, as many elements; None where a part does not split evenly."""
    parts = [part for axis in axes for part in axis]
    found = []
    for size in sizes:
        axis = []
        while size > 1:
            part = parts.pop(0)
            if part.size > size and part.size % size == 0:
                inner = part.size // size
                parts.insert(0, part._replace(size=inner))
                part = part._replace(size=size, stride=part.stride * inner)
            if size % part.size:
                return None
            axis.append(part)
            size //= part.size
        found.append(tuple(_merged(axis)))
    return tuple(found)


def _merged(parts: Iterable[Part]) -> list[Part]:
    """The same places in as few parts as can be."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if last is not None and last.name == part.name and last.stride == part.size * part.stride:
            found[-1] = Part(part.name, last.size * part.size, part.stride)
        else:
            found.append(part)
    return found


def places(parts: Sequence[Part], name: str) -> np.ndarray:
    """The places on axis `name` that `parts` reach, one after another: int64 (product of all sizes,)."""
    found = np.zeros(1, np.int64)
    for part in parts:
        steps = np.arange(part.size) * (part.stride if part.name == name else 0)
        found = (found[:, None] + steps).ravel()
    return found


def length(parts: Iterable[Part]) -> int:
    """Places that parts have in all."""
    return math.prod(part.size for part in parts)
