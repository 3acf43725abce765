"""A pass of a layer on the engine: how many tiles, words, runs and copy steps it takes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property

from dorefa.golden.lowering.integer_network import IntegerLayer

from ..config.engine import EngineConfig, pool_spacing
from ..interface.readers import Reader, reader_of
from .column_slices import ColumnSlices
from .map_layout import MapLayout
from .shared_reads import SharedReads


def as_convolution(layer: IntegerLayer, source_shape: tuple[int, int, int]) -> IntegerLayer:
    """`layer` with a fully connected one as the convolution that covers the map it reads, (H, W, C)."""
    if layer.kind == "conv":
        return layer
    channels = layer.codes.shape[0]
    return dataclasses.replace(
        layer,
        kind="conv",
        codes=layer.codes.reshape(channels, *source_shape),
        in_shape=source_shape,
        conv_shape=(1, 1, channels),
    )


@dataclass(frozen=True, kw_only=True)
class PassGeometry:
    """Loop counts of one pass: `groups` channel groups of a layer, `channels` output channels of each.

    `layer` is a convolution (:func:`as_convolution` of an IntegerLayer), `source` the layout of the map
    it reads; `rows` and `quant` are those of all engines together, the other fields those of
    :class:`dorefa.hw.config.engine.EngineConfig`. With `shared_weights` all channel groups have the same
    weights.
    """

    layer: IntegerLayer
    source: MapLayout
    groups: int
    channels: int
    lanes: int
    rows: int
    cols: int
    quant: int
    engines: int
    fetch_bits: int
    reader: Reader
    pool_spacing: int
    shared_weights: bool = False

    @classmethod
    def of(
        cls,
        layer: IntegerLayer,
        config: EngineConfig,
        *,
        source: MapLayout | None = None,
        groups: int | None = None,
        channels: int | None = None,
        shared_weights: bool = False,
    ) -> PassGeometry:
        """A pass of `layer` on an engine of `config`; by default the whole layer on a dense map."""
        source = source or MapLayout.dense(layer.in_shape)
        return cls(
            layer=as_convolution(layer, source.shape),
            source=source,
            groups=groups or layer.groups,
            channels=channels or layer.codes.shape[0] // layer.groups,
            lanes=config.lanes,
            rows=config.total_rows,
            cols=config.cols,
            quant=config.total_quant,
            engines=config.engines,
            fetch_bits=config.fetch_bits,
            reader=reader_of(config),
            pool_spacing=pool_spacing(config),
            shared_weights=shared_weights,
        )

    @cached_property
    def source_blocks(self) -> int:
        """Blocks of the source that one channel group reads."""
        return self.source.blocks // self.layer.groups if self.source.blocks > 1 else 1

    @cached_property
    def block_channels(self) -> int:
        """Channels per pixel that one channel group reads of each of these blocks."""
        if self.source.blocks > 1 or self.layer.groups == 1:
            return self.source.channels
        # Pixels may have more channels, zeros, behind those of all groups.
        return self.layer.in_shape[2] // self.layer.groups

    @cached_property
    def reduction(self) -> int:
        """K: products of one output, Kh x Kw x C / groups, with the zero channels of blocks."""
        _, height, width, _ = self.layer.codes.shape
        return height * width * self.source_blocks * self.block_channels

    @cached_property
    def words(self) -> int:
        """Words of `lanes` bits per plane of a patch."""
        return -(-self.reduction // self.lanes)

    @cached_property
    def tiles(self) -> int:
        """Output-channel tiles of one channel group."""
        return -(-self.channels // self.rows)

    @cached_property
    def last_rows(self) -> int:
        """Output channels of a channel group's last tile."""
        return self.channels - (self.tiles - 1) * self.rows

    @cached_property
    def full_groups(self) -> int:
        """Quantizer groups of a full tile."""
        return -(-self.rows // self.quant)

    @cached_property
    def last_groups(self) -> int:
        """Quantizer groups of a channel group's last tile."""
        return -(-self.last_rows // self.quant)

    @cached_property
    def pixel_groups(self) -> int:
        """Quantizer groups of one pixel."""
        return self.groups * ((self.tiles - 1) * self.full_groups + self.last_groups)

    @cached_property
    def full_drain(self) -> int:
        """Cycles from the last step of a tile to the next one's, unless it is a channel group's last."""
        return self.cols * self.full_groups

    @cached_property
    def last_drain(self) -> int:
        """The same for a channel group's last tile: a pixel must not follow faster than pooling takes it."""
        groups = self.cols * self.last_groups
        if self.layer.pool is None:
            return groups
        return groups + max(0, self.pool_spacing - self.cols * self.pixel_groups)

    @cached_property
    def tile_cycles(self) -> int:
        """Steps of one tile: ceil(K / lanes) W A."""
        return self.words * self.layer.w_bits * self.layer.a_bits

    @cached_property
    def computed(self) -> tuple[int, int]:
        """Rows and columns of convolution pixels that are computed: all that a window or a trunk reads
        (where windows leave gaps, those in the gaps too)."""
        layer, pool = self.layer, self.layer.pool
        if pool is None or layer.trunk:
            return layer.conv_shape[:2]
        rows, columns = (
            min(
                layer.conv_shape[axis],
                (layer.pooled_shape[axis] - 1) * pool.stride[axis] - pool.padding[axis] + pool.kernel[axis],
            )
            for axis in (0, 1)
        )
        return rows, columns

    @cached_property
    def pixels(self) -> int:
        """Convolution pixels computed."""
        return math.prod(self.computed)

    @cached_property
    def sets(self) -> int:
        """Groups of `cols` pixels."""
        return -(-self.pixels // self.cols)

    @cached_property
    def patches(self) -> int:
        """Times the patch buffer is filled: sets x channel groups."""
        return self.sets * self.groups

    @cached_property
    def weight_words(self) -> int:
        """Weight memory words per row."""
        groups = 1 if self.shared_weights else self.groups
        return groups * self.tiles * self.layer.w_bits * self.words

    @cached_property
    def bound(self) -> int:
        """Cycles that the tiling alone needs:
        ceil(K / lanes) x ceil(channels / rows) x groups x ceil(pixels / cols) x W x A."""
        return self.tile_cycles * self.tiles * self.patches

    @cached_property
    def line_groups(self) -> int:
        """Quantizer groups of one row of pooled pixels, 0 where nothing is pooled along y."""
        pool = self.layer.pool
        if pool is None or (pool.kernel[0] == 1 and pool.stride[0] == 1):
            return 0
        return self.layer.pooled_shape[1] * self.pixel_groups

    @cached_property
    def whole_block_is_one_run(self) -> bool:
        """Whether the kernel covers the map's full width, so that its rows follow one another."""
        layer = self.layer
        return (
            self._rows_are_runs
            and layer.codes.shape[2] == layer.in_shape[1]
            and layer.dilation[0] == 1
            and not any(layer.padding)
        )

    @cached_property
    def _rows_are_runs(self) -> bool:
        layer = self.layer
        whole = self.block_channels == self.source.channels
        return whole and (layer.dilation[1] == 1 or layer.codes.shape[2] == 1)

    @cached_property
    def runs(self) -> tuple[int, int, int, int]:
        """(blocks, kernel rows, runs per kernel row, bits per run) that the window reader copies."""
        _, kernel_rows, kernel_cols, _ = self.layer.codes.shape
        blocks, channels = self.source_blocks, self.block_channels
        if self.whole_block_is_one_run:
            bits = kernel_rows * kernel_cols * channels
            block_bits = self.source.block_words(self.fetch_bits) * self.fetch_bits
            # Blocks without a gap between them, all of each, are one run together.
            if kernel_rows == self.layer.in_shape[0] and bits == block_bits:
                return 1, 1, 1, blocks * bits
            return blocks, 1, 1, bits
        if self._rows_are_runs:
            return blocks, kernel_rows, 1, kernel_cols * channels
        return blocks, kernel_rows, kernel_cols, channels

    @cached_property
    def copy_steps(self) -> tuple[int, int]:
        """Cycles to copy one column's patch by itself, and how many more the first time in a slot."""
        blocks, kernel_rows, runs_per_row, run_bits = self.runs
        steps, position = 0, 0
        for _ in range(blocks * kernel_rows * runs_per_row):
            left = run_bits
            while left:
                copied = min(left, self._room(position))
                left, position, steps = left - copied, position + copied, steps + 1
        cleared = 0
        # A step that stopped within a piece has written it: clearing starts behind that piece.
        while position < self.words * self.lanes:
            room = self._room(position)
            position, cleared = position + room, cleared + 1
        groups = self.source.plane_groups
        return groups * steps, groups * cleared

    @cached_property
    def shared_reads(self) -> SharedReads:
        """What columns that share reads take: of the run of all columns on a line, or, where that takes no
        fewer cycles, each of a run of its own."""
        apart = self._shared_reads(0)
        if not self._rows_are_runs:
            return apart
        together = self._shared_reads(self.layer.stride[1] * self.source.channels)
        return min(apart, together, key=lambda reads: reads.steps)

    def _shared_reads(self, spacing: int) -> SharedReads:
        blocks, kernel_rows, runs_per_row, run_bits = self.runs
        slices = ColumnSlices(
            run_bits=run_bits,
            spacing=spacing,
            runs=blocks * kernel_rows * runs_per_row,
            cols=self.cols,
            lanes=self.lanes,
            fetch_bits=self.fetch_bits,
        )
        return SharedReads(
            slices=slices, width=self.computed[1], pixels=self.pixels, plane_groups=self.source.plane_groups
        )

    @property
    def spacing(self) -> int:
        """Bits from the place of a column in a run to the next one's; 0 where each has runs of its own."""
        return self.shared_reads.slices.spacing if self.reader.shares else 0

    def set_steps(self, number: int) -> tuple[int, int]:
        """Cycles to copy the patches of set `number` for one channel group, and how many more the first time
        in a slot."""
        return self.reader.set_steps(self, number)

    @cached_property
    def read_steps(self) -> int:
        """Cycles to copy all patches, those of slots used the first time left out."""
        return self.reader.read_steps(self)

    def _room(self, position: int) -> int:
        """Bits from `position` of a patch to the end of its piece."""
        in_word = position % self.lanes
        return min(self.fetch_bits - in_word % self.fetch_bits, self.lanes - in_word)
