"""Which window position a slot completes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dorefa.golden.network.geometry import Geometry, Windows


@dataclass(frozen=True)
class Raster:
    """Windows of a geometry on the slots of a map.

    shape: rows and columns of the map. The window at row y and column x, counted without strides, is complete
    with the slot :attr:`lead` behind slot ``y W + x``: the last one that it reads, or would read.
    """

    shape: tuple[int, int]
    geometry: Geometry

    @property
    def slots(self) -> int:
        """Slots of an image."""
        return self.shape[0] * self.shape[1]

    @cached_property
    def outputs(self) -> tuple[int, int]:
        """Rows and columns of windows."""
        return self.geometry.output_size(self.shape)

    @property
    def pixelwise(self) -> bool:
        """Whether a window is the pixel of the slot that completes it."""
        return self.geometry.reach == (1, 1) and not any(self.geometry.padding)

    @property
    def lead_place(self) -> tuple[int, int]:
        """Row and column of the slot that completes the first window."""
        (rows, columns), (top, left, _, _) = self.geometry.reach, self.geometry.padding
        return rows - 1 - top, columns - 1 - left

    @property
    def lead(self) -> int:
        """Slots from a window's own place to the one that completes it."""
        row, column = self.lead_place
        return row * self.shape[1] + column

    def problem(self) -> str | None:
        """Why the windows cannot be made of slots, None where they can."""
        for axis, name in ((0, "rows"), (1, "columns")):
            before, behind = self.geometry.padding[axis], self.geometry.padding[axis + 2]
            reach = self.geometry.reach[axis]
            if max(before, before + behind) >= reach:
                return (
                    f"padding of {before} and {behind} {name} around windows of {reach} makes more pixels "
                    f"than come; accepted: less than {reach} in all"
                )
        return None


def cropped(geometry: Geometry, shape: tuple[int, int]) -> tuple[Windows, tuple[slice, slice]]:
    """A geometry without the rows and columns of its kernel that lie in the padding wherever the window is,
    and the part of the kernel that is left: nothing of it where no window reaches the map."""
    kernel, padding, parts = [1, 1], list(geometry.padding), []
    outputs = geometry.output_size(shape)
    for axis in (0, 1):
        places = geometry.pixels(axis, outputs[axis])
        used = np.flatnonzero(((places >= 0) & (places < shape[axis])).any(axis=0))
        if not len(used):
            padding[axis] = 0
            padding[axis + 2] = (outputs[axis] - 1) * geometry.stride[axis] + 1 - shape[axis]
            parts.append(slice(0, 0))
            continue
        first, last = int(used[0]), int(used[-1])
        padding[axis] -= first * geometry.dilation[axis]
        padding[axis + 2] -= (geometry.kernel[axis] - 1 - last) * geometry.dilation[axis]
        parts.append(slice(first, last + 1))
        kernel[axis] = last + 1 - first
    top, left, bottom, right = padding
    made = Windows(
        kernel=(kernel[0], kernel[1]),
        stride=geometry.stride,
        padding=(top, left, bottom, right),
        dilation=geometry.dilation,
    )
    return made, (parts[0], parts[1])
