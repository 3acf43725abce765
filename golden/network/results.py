"""The results of a network: arrays of accumulators that leave it, and the names they have."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


def in_blocks(values: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    """Maps (batch, H, W, rows * columns * C) whose channels are the pixels of a block (rows, columns), row
    after row, as maps (batch, H * rows, W * columns, C)."""
    rows, columns = block
    batch, height, width, channels = values.shape
    split = values.reshape(batch, height, width, rows, columns, channels // (rows * columns))
    return split.transpose(0, 1, 3, 2, 4, 5).reshape(batch, height * rows, width * columns, -1)


class Term(NamedTuple):
    """Accumulators of the layer at position `layer`, times `factors`, integers per channel (None: 1)."""

    layer: int
    factors: tuple[int, ...] | None = None

    def array(self, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """The layer's values (..., C) times the factors."""
        own = values[self.layer]
        return own if self.factors is None else own * np.array(self.factors)


class Result(NamedTuple):
    """One result of a network, under the name `name`.

    parts: maps side by side along the channels, of each the terms that add up to it. block: (rows, columns)
    of the map handed out that the channels of a pixel are (:func:`in_blocks`). order: of what a file hands
    out as a vector, the place of every number of it in the parts' maps, each in (H, W, C) order and one
    behind another; None for a map, whose channels come last, and for one number per channel.
    """

    name: str
    parts: tuple[tuple[Term, ...], ...]
    order: tuple[int, ...] | None = None
    block: tuple[int, int] = (1, 1)

    @classmethod
    def of_layer(cls, name: str, layer: int) -> "Result":
        """The accumulators of one layer."""
        return cls(name, ((Term(layer),),))

    @property
    def layers(self) -> list[int]:
        """Positions of all layers that it needs."""
        return [term.layer for part in self.parts for term in part]

    def moved(self, places: Mapping[int, int]) -> "Result":
        """The same of a network whose layers went from old positions to new ones."""
        parts = ((term._replace(layer=places[term.layer]) for term in part) for part in self.parts)
        return self._replace(parts=tuple(map(tuple, parts)))

    def array(self, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """What is handed out, of the `values` (batch, H, W, C) or (batch, C) by position of a layer: shaped
        alike, or (batch, H * W * C) in the order of the file."""
        return self._joined([np.sum([term.array(values) for term in part], axis=0) for part in self.parts])

    def real_array(self, values: Mapping[int, np.ndarray]) -> np.ndarray:
        """The same of real values, which have no factors."""
        return self._joined([np.sum([values[term.layer] for term in part], axis=0) for part in self.parts])

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        if self.order is not None:
            # The maps of a vector's parts may differ in rows and columns.
            parts = [self._in_blocks(part).reshape(len(part), -1) for part in parts]
            return np.concatenate(parts, axis=-1)[:, list(self.order)]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
        return self._in_blocks(values)

    def _in_blocks(self, values: np.ndarray) -> np.ndarray:
        if self.block == (1, 1):
            return values
        # Of one pixel there are no rows and columns yet.
        return in_blocks(values[:, None, None] if values.ndim == 2 else values, self.block)
