"""Which columns of a set are read together: neighbors on one line of the map."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from . import program


class ColumnSegments(wiring.Component):
    """Counts through the pixels of each line, as many at once as the set has columns left.

    Ports: `columns`, the segment's columns of the set, one bit each, and `ends_line`, whether it ends the
    line of `pixels` pixels, both registers; `goes_on` to the next segment, of a new set with `ends_set`;
    `start` with a layer's first. `keep` the segment that comes now, come `back` to the one that was kept.
    Without `shares` every segment is one pixel.
    """

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "shares": In(1),
                "pixels": In(program.SIZE_BITS),
                "start": In(1),
                "goes_on": In(1),
                "ends_set": In(1),
                "keep": In(1),
                "back": In(1),
                "columns": Out(config.cols),
                "ends_line": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        cols = self._config.cols
        # The segment's first column and the one behind its last; pixels of the line behind it.
        place = data.StructLayout(
            {"first": range(cols), "behind": range(cols + 1), "rest": program.SIZE_BITS, "ends_line": 1}
        )
        now, following, kept = Signal(place), Signal(place), Signal(place)
        left, most, count = Signal(program.SIZE_BITS), Signal(range(cols + 1)), Signal(range(cols + 1))
        new_line, fits = Signal(), Signal()
        m.d.comb += [
            self.columns.eq(Cat((now.first <= column) & (now.behind > column) for column in range(cols))),
            self.ends_line.eq(now.ends_line),
            new_line.eq(self.start | now.ends_line),
            left.eq(Mux(new_line, self.pixels, now.rest)),
            following.first.eq(Mux(self.start | self.ends_set, 0, now.behind)),
            most.eq(Mux(self.shares, cols - following.first, 1)),
            fits.eq(left <= most),
            count.eq(Mux(fits, left, most)),
            following.behind.eq(following.first + count),
            following.rest.eq(left - count),
            following.ends_line.eq(fits),
        ]
        with m.If(self.back):
            m.d.sync += now.eq(kept)
        with m.Elif(self.start | self.goes_on):
            m.d.sync += now.eq(following)
        with m.If(self.keep):
            m.d.sync += kept.eq(following)
        return m
