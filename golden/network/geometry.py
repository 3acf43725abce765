"""Where the windows of a kernel lie on a map."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .. import checks

SIDES = ("top", "left", "bottom", "right")
# No map is larger.
_MOST_CROPPED = 1 << 27


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Windows of `kernel` (h, w) pixels, `stride` (h, w) apart, on a map with `padding` around it.

    padding: top, left, bottom, right; dilation (h, w): distance of a window's pixels; groups: parts that
    input and output channels are cut into, each reads its own. One integer stands for all sides. InputError
    for anything that is not an integer of at least 1, of padding 0; where a form says `crops`, padding may be
    negative and crops the map.

    What has a window is a Geometry too: layers of every form, pooling.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    crops: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._normalize("geometry:")

    def _normalize(self, where: str) -> None:
        """Checks and normalizes the fields; `where` begins the messages."""
        for name, sides, least in (
            ("kernel", "hw", 1),
            ("stride", "hw", 1),
            ("dilation", "hw", 1),
            ("padding", SIDES, -_MOST_CROPPED if self.crops else 0),
        ):
            value = getattr(self, name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = (value,) * len(sides)
            object.__setattr__(self, name, checks.integers(value, f"{where} {name}", sides, least))
        object.__setattr__(self, "groups", checks.integer(self.groups, f"{where} groups", 1))

    @property
    def spacing(self) -> dict[str, Any]:
        """Keywords for another form of the same layer: everything but the kernel."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    @property
    def area(self) -> int:
        """Pixels of a window."""
        return self.kernel[0] * self.kernel[1]

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns from a window's first pixel to its last one, both counted."""
        return (
            self.dilation[0] * (self.kernel[0] - 1) + 1,
            self.dilation[1] * (self.kernel[1] - 1) + 1,
        )

    def padded(self, shape: Sequence[int]) -> tuple[int, int]:
        """Rows and columns of a map of `shape` (H, W, ...) with its padding."""
        top, left, bottom, right = self.padding
        return top + shape[0] + bottom, left + shape[1] + right

    def pad(self, maps: np.ndarray, value: float = 0) -> np.ndarray:
        """Maps (batch, H, W, C) with the padding around them; themselves without padding."""
        if not any(self.padding):
            return maps
        top, left, bottom, right = (max(0, side) for side in self.padding)
        maps = np.pad(maps, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)
        # Rows of the padding, too, may be cut off from the other side.
        rows, columns = (
            slice(max(0, -before), size - max(0, -behind))
            for size, before, behind in zip(maps.shape[1:3], self.padding[:2], self.padding[2:], strict=True)
        )
        return maps[:, rows, columns]

    def output_size(self, shape: Sequence[int]) -> tuple[int, int]:
        """Window positions (rows, columns) on a map of `shape` (H, W, ...); partial windows do not count.

        0 or less where the padded map is smaller than a window.
        """
        rows, columns = (
            (size - reach) // stride + 1
            for size, reach, stride in zip(self.padded(shape), self.reach, self.stride, strict=True)
        )
        return rows, columns

    def start(self, axis: int, window: int) -> int:
        """Row (axis 0) or column (axis 1) of the first pixel of a window, negative in the padding."""
        return window * self.stride[axis] - self.padding[axis]

    def pixels(self, axis: int, windows: int) -> np.ndarray:
        """Rows or columns that the first `windows` windows read, int64 (windows, kernel); in the padding
        they are negative or beyond the map."""
        starts = np.arange(windows) * self.stride[axis] - self.padding[axis]
        return starts[:, None] + self.dilation[axis] * np.arange(self.kernel[axis])


class Windows(Geometry):
    """A Geometry whose padding may be negative."""

    crops = True
