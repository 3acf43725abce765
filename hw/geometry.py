"""A layer's loops on the engine: how many tiles, words, runs and copy steps it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, kw_only=True)
class LayerGeometry:
    """Loop counts of one integer layer on one array.

    `layer` is an :class:`dorefa.golden.lowering.IntegerLayer`; the other fields are those of
    :class:`dorefa.hw.config.EngineConfig`.
    """

    layer: object
    lanes: int
    rows: int
    cols: int
    quant: int
    fetch_bits: int

    @classmethod
    def of(cls, layer, config) -> LayerGeometry:
        """Loop counts of `layer` on an engine of configuration `config`."""
        return cls(
            layer=layer, lanes=config.lanes, rows=config.rows, cols=config.cols,
            quant=config.quant, fetch_bits=config.fetch_bits,
        )  # fmt: skip

    @property
    def reduction(self) -> int:
        """K: products of one output, Kh x Kw x C / groups."""
        return math.prod(self.layer.codes.shape[1:])

    @property
    def words(self) -> int:
        """Words of `lanes` bits per plane of a patch."""
        return -(-self.reduction // self.lanes)

    @property
    def group_channels(self) -> int:
        """Output channels of one channel group."""
        return self.layer.codes.shape[0] // self.layer.groups

    @property
    def tiles(self) -> int:
        """Output-channel tiles of one channel group."""
        return -(-self.group_channels // self.rows)

    @property
    def last_rows(self) -> int:
        """Output channels of a channel group's last tile."""
        return self.group_channels - (self.tiles - 1) * self.rows

    @property
    def full_groups(self) -> int:
        """Quantizer groups of a full tile."""
        return -(-self.rows // self.quant)

    @property
    def last_groups(self) -> int:
        """Quantizer groups of a channel group's last tile."""
        return -(-self.last_rows // self.quant)

    @property
    def pixel_groups(self) -> int:
        """Quantizer groups of one output pixel."""
        return self.layer.groups * ((self.tiles - 1) * self.full_groups + self.last_groups)

    @property
    def tile_cycles(self) -> int:
        """Steps of one tile: ceil(K / lanes) W A."""
        return self.words * self.layer.w_bits * self.layer.a_bits

    @property
    def pool_kernel(self) -> tuple[int, int]:
        """Pooling window; (1, 1) without pooling."""
        return self.layer.pool.kernel if self.layer.pool else (1, 1)

    @property
    def pool_stride(self) -> tuple[int, int]:
        """Step of the pooling window; (1, 1) without pooling."""
        return self.layer.pool.stride if self.layer.pool else (1, 1)

    @property
    def pixels(self) -> int:
        """Output pixels after pooling."""
        return self.layer.out_shape[0] * self.layer.out_shape[1]

    @property
    def sets(self) -> int:
        """Groups of `cols` output pixels."""
        return -(-self.pixels // self.cols)

    @property
    def patches(self) -> int:
        """Times the patch buffer is filled: sets x pooling positions x channel groups."""
        return self.sets * math.prod(self.pool_kernel) * self.layer.groups

    @property
    def weight_words(self) -> int:
        """Weight memory words per row."""
        return self.layer.groups * self.tiles * self.layer.w_bits * self.words

    @property
    def bound(self) -> int:
        """Cycles that the tiling alone needs:
        ceil(K / lanes) x ceil(Cout / rows) x ceil(convolution pixels / cols) x W x A."""
        pixels = self.pixels * math.prod(self._computed_per_pixel)
        return self.tile_cycles * self.tiles * self.layer.groups * -(-pixels // self.cols)

    @property
    def _computed_per_pixel(self):
        """Convolution pixels per pooled one that an ideal engine computes: each only once."""
        return [min(pair) for pair in zip(self.pool_kernel, self.pool_stride, strict=True)]

    @property
    def whole_window_is_one_run(self) -> bool:
        """Whether the kernel covers the map's full width, so that its rows follow one another."""
        layer = self.layer
        return (
            self._rows_are_runs
            and layer.codes.shape[2] == layer.in_shape[1]
            and layer.dilation[0] == 1
            and not any(layer.padding)
        )

    @property
    def _rows_are_runs(self) -> bool:
        layer = self.layer
        return layer.groups == 1 and (layer.dilation[1] == 1 or layer.codes.shape[2] == 1)

    @property
    def runs(self) -> tuple[int, int, int]:
        """(kernel rows, runs per kernel row, bits per run) that the window reader copies."""
        _, kernel_rows, kernel_cols, channels = self.layer.codes.shape
        if self.whole_window_is_one_run:
            return 1, 1, self.reduction
        if self._rows_are_runs:
            return kernel_rows, 1, kernel_cols * channels
        return kernel_rows, kernel_cols, channels

    @cached_property
    def copy_steps(self) -> tuple[int, int]:
        """Cycles to copy one column's patch, and how many more the first time in a slot."""
        kernel_rows, runs_per_row, run_bits = self.runs
        steps, position = 0, 0
        for _ in range(kernel_rows * runs_per_row):
            left = run_bits
            while left:
                copied = min(left, self._room(position))
                left, position, steps = left - copied, position + copied, steps + 1
        cleared = 0
        # A step that stopped within a piece has written it: clearing starts behind that piece.
        while position < self.words * self.lanes:
            room = self._room(position)
            position, cleared = position + room, cleared + 1
        return steps, cleared

    def _room(self, position: int) -> int:
        """Bits from `position` of a patch to the end of its piece."""
        in_word = position % self.lanes
        return min(self.fetch_bits - in_word % self.fetch_bits, self.lanes - in_word)
