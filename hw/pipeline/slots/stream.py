"""When the slots of a map come."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .raster import Raster


@dataclass(frozen=True, eq=False)
class Stream:
    """The slots of a map, each a fixed time after one of their origin: the source, or an array that computes
    map by map.

    causes: the origin's slot, counted from its first one of an image, with which each slot comes, apart from
    `delay` cycles; those of the next image are counted on. pixels: slots that the origin gives an image;
    pace: the least cycles between them; start: cycles from the image's first pixel to the origin's first slot
    where nothing waits.
    """

    causes: np.ndarray
    pixels: int
    pace: int
    start: int = 0
    delay: int = 0

    @classmethod
    def origin(cls, pixels: int, pace: int, start: int = 0) -> Stream:
        """The slots of an origin itself."""
        return cls(np.arange(pixels), pixels, pace, start)

    def later(self, cycles: int) -> Stream:
        """The same slots so many cycles later."""
        return replace(self, delay=self.delay + cycles)

    def through(self, raster: Raster) -> Stream:
        """The slots of windows on this map, with those that complete them."""
        rows, columns = raster.outputs
        (stride_y, stride_x), width = raster.geometry.stride, raster.shape[1]
        places = (np.arange(rows) * stride_y)[:, None] * width + np.arange(columns) * stride_x
        images, places = np.divmod(places.ravel() + raster.lead, raster.slots)
        return replace(self, causes=self.causes[places] + images * self.pixels)

    @property
    def spacing(self) -> int:
        """The least number of cycles from a slot to the next one."""
        return int(np.diff(self.causes, append=self.causes[0] + self.pixels).min()) * self.pace

    @property
    def last(self) -> int:
        """Cycles from the image's first pixel to its last slot."""
        return self.start + int(self.causes[-1]) * self.pace + self.delay

    @property
    def flush(self) -> int:
        """Slots of the origin behind an image that its last slot waits for."""
        return max(0, int(self.causes[-1]) - self.pixels + 1)
