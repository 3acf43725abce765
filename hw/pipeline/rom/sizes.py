"""Sizes of an array with weights from a memory, and the order of what it computes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dorefa.golden.lowering.integer_network import IntegerLayer

from ..kernel.quantizer import COMPARED_BITS
from ..kernel.word import bits_for
from ..slots.layer import layer_windows, signed_offsets
from ..slots.memories import block_rams
from ..slots.raster import Raster


@dataclass(frozen=True, eq=False)
class RomSizes:
    """A layer on a map of `shape` (H, W, C), `rows` outputs and `lanes` inputs at a time.

    Lanes divide the inputs of a group of channels; of its outputs, the last turn has what is left. Pixel by
    pixel that leaves, of it window by window that is pooled, and of it outputs by outputs, a step is `lanes`
    channels of a pixel. A weight is ``step q + low`` with an unsigned code q of :attr:`weight_bits` bits, so
    that the sum is ``step sum(q a) + low sum(a)``.
    """

    layer: IntegerLayer
    shape: tuple[int, int, int]
    rows: int
    lanes: int

    @cached_property
    def _windows(self) -> tuple[np.ndarray, Raster]:
        return layer_windows(self.layer, self.shape)

    @property
    def values(self) -> np.ndarray:
        """Weights, int64 (outputs, kernel rows, kernel columns, inputs of a group)."""
        return self._windows[0]

    @property
    def raster(self) -> Raster:
        """Windows on the map."""
        return self._windows[1]

    @property
    def chunks(self) -> int:
        """Steps that a pixel of a window takes."""
        return self.values.shape[3] // self.lanes

    @property
    def words(self) -> int:
        """Words of a pixel in the memory of the map."""
        return self.layer.groups * self.chunks

    @property
    def map_words(self) -> int:
        """Words of a map."""
        return self.shape[0] * self.shape[1] * self.words

    @property
    def row_groups(self) -> int:
        """Turns that the outputs of a group of channels take."""
        return -(-self._group_outputs // self.rows)

    @property
    def last_rows(self) -> int:
        """Outputs of the last turn of a group."""
        return self._group_outputs - (self.row_groups - 1) * self.rows

    @property
    def _group_outputs(self) -> int:
        return len(self.values) // self.layer.groups

    @property
    def steps(self) -> int:
        """Cycles that `rows` outputs of a window take."""
        return self.values.shape[1] * self.values.shape[2] * self.chunks

    @property
    def window_steps(self) -> int:
        """Cycles that all outputs of a window take."""
        return self.layer.groups * self.row_groups * self.steps

    @property
    def pooled(self) -> tuple[int, int]:
        """Rows and columns of windows that are pooled into one, (1, 1) without pooling."""
        return (1, 1) if self.layer.pool is None else self.layer.pool.kernel

    @property
    def pace(self) -> int:
        """Cycles from a pixel that leaves to the next one."""
        return self.pooled[0] * self.pooled[1] * self.window_steps

    @cached_property
    def outputs(self) -> tuple[int, int]:
        """Rows and columns of pixels that leave."""
        used = self.raster.outputs
        return used if self.layer.pool is None else self.layer.pool.output_size(used)

    @property
    def positions(self) -> int:
        """Pixels that leave."""
        return self.outputs[0] * self.outputs[1]

    @property
    def cycles(self) -> int:
        """Cycles that a map takes."""
        return self.positions * self.pace

    def last_reads(self, count: int) -> int:
        """The first word of the map that the last `count` steps read."""
        pool, geometry = self.layer.pool, self.raster.geometry
        strides = (1, 1) if pool is None else pool.stride
        kernel = self.values.shape[1:3]
        order = (*self.outputs, *self.pooled, self.layer.groups, self.row_groups, *kernel, self.chunks)
        steps = np.arange(max(0, self.cycles - count), self.cycles)
        *pixel, pooled_y, pooled_x, group, _, tap_y, tap_x, chunk = np.unravel_index(steps, order)
        inside, places = np.ones(len(steps), bool), []
        for axis, (window, tap) in enumerate(((pooled_y, tap_y), (pooled_x, tap_x))):
            place = (pixel[axis] * strides[axis] + window) * geometry.stride[axis]
            place = place + tap * geometry.dilation[axis] - geometry.padding[axis]
            inside &= (place >= 0) & (place < self.shape[axis])
            places.append(place)
        words = (places[0] * self.shape[1] + places[1]) * self.words + group * self.chunks + chunk
        return int(words[inside].min(initial=self.map_words))

    @cached_property
    def low(self) -> int:
        """The least weight."""
        return int(self.values.min())

    @cached_property
    def step(self) -> int:
        """What the distances between weights divide by."""
        return int(np.gcd.reduce((self.values - self.low).ravel())) or 1

    @cached_property
    def codes(self) -> np.ndarray:
        """q, int64 as :attr:`values`."""
        return (self.values - self.low) // self.step

    @property
    def weight_bits(self) -> int:
        """Bits of q."""
        return max(1, int(self.codes.max()).bit_length())

    @property
    def largest(self) -> int:
        """The greatest code of an input."""
        return (1 << self.layer.a_bits) - 1

    @property
    def sum_bits(self) -> int:
        """Bits of sum(q a) over a window."""
        most = int(self.codes.sum(axis=(1, 2, 3)).max()) * self.largest
        return max(1, most.bit_length())

    @property
    def total_bits(self) -> int:
        """Bits of sum(a) over a window."""
        return (self.values[0].size * self.largest).bit_length()

    @cached_property
    def offsets(self) -> np.ndarray:
        """int64 (outputs,): what sums are greater by, see :func:`.signed_offsets`."""
        return signed_offsets(self.layer, self.values)

    @cached_property
    def value_bounds(self) -> tuple[int, int]:
        """Least and greatest sum with its offset."""
        weights = self.values.reshape(len(self.values), -1)
        low = np.minimum(weights, 0).sum(axis=1).min() * self.largest
        return int(low), int(np.maximum(weights, 0).sum(axis=1).max() * self.largest)

    @property
    def value_bits(self) -> int:
        """Bits of a sum, and of one more than the greatest."""
        low, high = self.value_bounds
        return bits_for(min(low, -1), high + 1)

    @property
    def weight_width(self) -> int:
        """Bits of a word of the memory of weights."""
        return self.rows * self.weight_bits * self.lanes

    @property
    def weight_rams(self) -> int:
        """Block RAMs that the weights take."""
        return block_rams(self.weight_width, self.window_steps)

    def estimate(self) -> int:
        """Cells that an array takes, more or less: for comparisons between structures."""
        layer, pairs = self.layer, self.weight_bits * self.layer.a_bits
        count, count_bits = 1.5 * self.lanes, self.lanes.bit_length() + 1
        row = pairs * count + (pairs - 1) * count_bits + 2 * self.sum_bits
        total = layer.a_bits * (count + count_bits) + self.total_bits if self.low else 0
        compared = layer.thresholds.shape[1] if layer.thresholds is not None else 0
        return int(self.rows * row + total + (compared + 2) * self.value_bits + 100)

    def weight_words(self) -> list[int]:
        """Words of the memory of weights, in the order of steps: planes of `lanes` bits, those of a row one
        after another, the lowest first. Rows that the last turn of a group has none for are zero."""
        _, height, width, inputs = self.codes.shape
        codes = self.codes.reshape(self.layer.groups, self._group_outputs, height, width, inputs)
        codes = np.pad(codes, [(0, 0), (0, self.rows - self.last_rows), *[(0, 0)] * 3])
        codes = codes.reshape(-1, self.rows, height, width, self.chunks, self.lanes)
        planes = (codes[..., None, :] >> np.arange(self.weight_bits)[:, None]) & 1
        # (turn, row, y, x, chunk, plane, lane) to a word for each turn, y, x, chunk.
        bits = planes.transpose(0, 2, 3, 4, 1, 5, 6).reshape(self.window_steps, -1).astype(np.uint8)
        packed = np.packbits(bits, axis=1, bitorder="little")
        return [int.from_bytes(word.tobytes(), "little") for word in packed]


def rom_choices(layer: IntegerLayer, shape: tuple[int, int, int]) -> Iterator[RomSizes]:
    """All sizes of an array for a layer, none where it has no array: channels leave it one at a time, are
    compared with few thresholds, and pooled as codes without padding."""
    pool = layer.pool
    if (layer.code_bits or 1) > COMPARED_BITS:
        return
    if pool is not None and (pool.kind == "average" or any(pool.padding)):
        return
    channels = layer_windows(layer, shape)[0].shape[3]
    outputs = layer.out_channels // layer.groups
    # As few rows as so many turns take.
    for rows in sorted({-(-outputs // turns) for turns in range(1, outputs + 1)}):
        for lanes in (lanes for lanes in range(1, channels + 1) if channels % lanes == 0):
            sizes = RomSizes(layer, shape, rows, lanes)
            if rows <= sizes.steps:
                yield sizes
