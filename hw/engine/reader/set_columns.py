"""How the run generator goes through the columns of a set: one pixel, pixel by pixel, or line by line."""

from __future__ import annotations

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data

from ...config.engine import EngineConfig
from ...lib.lfsr_counter import loop
from .column_segments import ColumnSegments


class Ends:
    """What ends with the run that comes: its kernel row, its block of channels, its part of a patch, its
    patch, its set's patches of one channel group, all channel groups of its set."""

    def __init__(self) -> None:
        self.row = Signal(name="row_ends")
        self.kernel = Signal(name="kernel_ends")
        self.part = Signal(name="part_ends")
        self.patch = Signal(name="patch_ends")
        self.set = Signal(name="set_ends")
        self.groups = Signal(name="groups_end")


class OneColumn:
    """A set is one pixel: it ends with its patch.

    `m`, `layer`: module and descriptor of the run generator; `start` begins a layer, `goes` goes on to the
    next run, `ends`: what ends with this one.
    """

    def __init__(
        self, m: Module, config: EngineConfig, layer: data.View, start: Signal, goes: Signal, ends: Ends
    ) -> None:
        self._m, self._config, self._layer = m, config, layer
        self._start, self._goes, self._ends = start, goes, ends
        # Whether the pixel is the last of its line, the line the last one.
        last_pixel, last_line = Signal(), Signal()
        self.last_pixel, self.last_line = last_pixel, last_line

    def count(self) -> None:
        """Counts the pixels of a line, and lines."""
        on = self._goes & self._ends.groups
        self._count_pixels(on, None)
        self._count_lines(on, None)

    def _count_pixels(self, on: Value, first: tuple[Value, Value] | None) -> None:
        """`on`: to the next pixel; `first`: save a set's first one, return to it."""
        restarts = self._start | (on & self.last_pixel)
        last, _ = loop(self._m, self._layer.pixel_rounds, restarts, on, first)
        self._m.d.comb += self.last_pixel.eq(last)

    def _count_lines(self, on: Value, first: tuple[Value, Value] | None) -> None:
        last, _ = loop(self._m, self._layer.line_rounds, self._start, on & self.last_pixel, first)
        self._m.d.comb += self.last_line.eq(last)

    def end_sets(self, last_group: Signal, patch_comes: Signal, group_comes: Signal) -> None:
        """Says when sets end, and their last channel groups; `patch_comes`, `group_comes`: whether the run
        behind this one ends a patch, is of the last channel group."""
        self._m.d.comb += self._ends.set.eq(self._ends.patch)
        self._m.d.sync += self._ends.groups.eq(patch_comes & group_comes)

    def mark(self, step: data.View) -> None:
        """Adds to the `step` to a run which columns it is for."""

    def describe(self, taken: Signal, step: data.View, run: data.View) -> None:
        """Adds to the `run` behind the `step` that was `taken` what columns take of it."""


class SeparateColumns(OneColumn):
    """Pixel by pixel: every channel group begins again with the set's first one."""

    def count(self) -> None:
        on, first = self._goes & self._ends.patch, self._first()
        self._count_pixels(on, first)
        self._count_lines(on, first)

    def _first(self) -> tuple[Value, Value]:
        """(save a set's first pixel, return to it)."""
        goes, ends = self._goes, self._ends
        return self._start | (goes & ends.groups), goes & ends.set & ~ends.groups

    def end_sets(self, last_group: Signal, patch_comes: Signal, group_comes: Signal) -> None:
        m, ends, cols = self._m, self._ends, self._config.cols
        m.d.comb += ends.groups.eq(ends.set & last_group)
        column = Signal(range(cols))
        m.d.comb += ends.set.eq(ends.patch & ((column == cols - 1) | (self.last_pixel & self.last_line)))
        with m.If(self._start | (self._goes & ends.set)):
            m.d.sync += column.eq(0)
        with m.Elif(self._goes & ends.patch):
            m.d.sync += column.eq(column + 1)


class SharedColumns(SeparateColumns):
    """Line by line: neighbors on one line are one run."""

    def _count_pixels(self, on: Value, first: tuple[Value, Value] | None) -> None:
        self._m.submodules.segments = self._segments = segments = ColumnSegments(self._config)
        self._m.d.comb += [
            segments.shares.eq(self._layer.shares),
            segments.pixels.eq(self._layer.out_cols),
            segments.start.eq(self._start),
            segments.goes_on.eq(on),
            Cat(segments.keep, segments.back).eq(Cat(first)),
            self.last_pixel.eq(segments.ends_line),
        ]

    def end_sets(self, last_group: Signal, patch_comes: Signal, group_comes: Signal) -> None:
        m, ends = self._m, self._ends
        m.d.comb += ends.groups.eq(ends.set & last_group)
        last = self._segments.columns[-1] | (self.last_pixel & self.last_line)
        m.d.comb += ends.set.eq(ends.patch & last)

    def mark(self, step: data.View) -> None:
        self._m.d.comb += step.columns.eq(self._segments.columns)

    def describe(self, taken: Signal, step: data.View, run: data.View) -> None:
        """Which columns share the run, and which steps of it have bits for them."""
        m, layer, shift = self._m, self._layer, self._config.fetch_bits.bit_length() - 1
        columns = Signal.like(step.columns)
        with m.If(taken):
            m.d.sync += columns.eq(step.columns)
        m.d.comb += run.columns.eq(columns)
        for column in range(self._config.cols):
            if column:  # of column 0 it is 0
                with m.If(columns[column] & ~columns[column - 1]):
                    m.d.comb += run.first_step.eq(layer[f"column_first_{column}"] >> shift)
            with m.If(columns[column : column + 2] == 1):
                m.d.comb += run.last_step.eq(layer[f"column_last_{column}"] >> shift)
                m.d.comb += run.flush.eq(layer.column_flush[column])


_KINDS = {"separate": SeparateColumns, "shared": SharedColumns}


def columns_of(config: EngineConfig) -> type[OneColumn]:
    """How an engine of `config` goes through the columns of a set."""
    return OneColumn if config.cols == 1 else _KINDS[config.column_reads]
