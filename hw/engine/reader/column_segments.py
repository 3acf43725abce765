"""Which columns of a set are read together: neighbors on one line of the map."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig


class ColumnSegments(wiring.Component):
    """Counts through the pixels of each line in segments, as many pixels as the set has columns left.

    Ports: `pixels` of a line; `shares`, without which every segment is one pixel; `start` begins a layer,
    `goes_on` goes to the next segment, `keep` saves the one of the next cycle, `back` returns to the one that
    was saved; `columns`, the segment's columns of the set, one bit each, and `ends_line`, whether it ends the
    line.

    Latency: `columns` and `ends_line` are registers, one cycle behind `start`, `goes_on` and `back`.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "shares": In(1),
                "pixels": In(config.size_bits),
                "start": In(1),
                "goes_on": In(1),
                "keep": In(1),
                "back": In(1),
                "columns": Out(config.cols),
                "ends_line": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        cols, size_bits = self._config.cols, self._config.size_bits
        # The segment; of the one behind it the first column, and the pixels that are left of its line.
        place = data.StructLayout(
            {"columns": cols, "ends_line": 1, "next_first": range(cols), "next_left": size_bits}
        )
        now, following, kept = Signal(place), Signal(place), Signal(place)
        first, left = Signal.like(now.next_first), Signal.like(now.next_left)
        room, fits = Signal(range(cols + 1)), Signal()
        m.d.comb += [
            self.columns.eq(now.columns),
            self.ends_line.eq(now.ends_line),
            first.eq(Mux(self.start, 0, now.next_first)),
            left.eq(Mux(self.start, self.pixels, now.next_left)),
            room.eq(Mux(self.shares, cols - first, 1)),
            # In two parts, which is less than a carry chain.
            fits.eq(~left[len(room) :].any() & (left[: len(room)] <= room)),
            following.ends_line.eq(fits),
            following.next_left.eq(Mux(fits, self.pixels, left - room)),
        ]
        # Up to the line's end, or as many as there is room for: both beside the comparison.
        for case, behind in ((fits, first + left[: len(room)]), (~fits, first + room)):
            with m.If(case):
                m.d.comb += following.next_first.eq(Mux(behind == cols, 0, behind))
                for column in range(cols):
                    m.d.comb += following.columns[column].eq((first <= column) & (behind > column))
        with m.If(self.back):
            m.d.sync += now.eq(kept)
        with m.Elif(self.start | self.goes_on):
            m.d.sync += now.eq(following)
        with m.If(self.keep):
            m.d.sync += kept.eq(following)
        return m
