"""Which bit runs of the feature map make the patches of a layer, in order."""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from . import program


def run_layout(config):
    """One run: `address` of its first bit in the plane, `x` of that bit within the map's row
    (negative in the padding), `row_ok` whether the row exists; `ends_part` on the last run of a
    plane group of a patch, `ends_patch` on a patch's last run,
    `ends_set` on the last run of the last of the columns that are computed together.
    """
    return data.StructLayout(
        {
            "address": config.feature_address_bits,
            "x": signed(config.feature_address_bits + 2),
            "row_ok": 1,
            "ends_part": 1,
            "ends_patch": 1,
            "ends_set": 1,
        }
    )


class Move(enum.Enum, shape=3):
    """Where the next run lies: further in its kernel row, in the next one, in the window's next block, in
    the next channel group's window, and in those of the next pixel, or line of pixels, of the set
    (column) or of the next set."""

    RUN = 0
    ROW = 1
    BLOCK = 2
    GROUP = 3
    COLUMN = 4
    COLUMN_LINE = 5
    PIXEL = 6
    LINE = 7


class RunGenerator(wiring.Component):
    """Nested counters: set of `cols` convolution pixels in raster order, channel group, column, channel
    block of the input map, kernel row, run. Offers one run per cycle, three cycles after `start`.

    The innermost counter that goes on says how far it is to the next run: one distance per counter is
    in the descriptor (:mod:`dorefa.hw.descriptor`), so address, x and y are one adder each.

    A layer computed in several passes leaves its map in blocks of channels, one behind the other
    (:mod:`dorefa.hw.layout`); a patch takes the window of one block after that of the other. The groups of
    planes of an image are such blocks too, but each is a part of the patch that begins with a word.

    Ports: `layer` (descriptor, stable from `start` on), `start`, `o` (stream of runs).
    """

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "start": In(1),
                "o": Out(stream.Signature(run_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # A second run waits where the first is not taken, so that `ready` reaches no counter.
        waiting, waits = Signal.like(self.o.payload), Signal()
        advance, valid = Signal(), Signal()
        m.d.comb += advance.eq(~waits)
        active, move, ends = self._count(m, advance)
        step, step_ends = Signal(Move), Signal.like(ends)
        run = Signal.like(self.o.payload)
        y = self._move(m, advance & valid, step, run)
        m.d.comb += [
            run.row_ok.eq((y >= 0) & (y < self.layer.in_rows)),
            Cat(run.ends_part, run.ends_patch, run.ends_set).eq(step_ends),
        ]
        with m.If(self.start):
            m.d.sync += [valid.eq(0), waits.eq(0), self.o.valid.eq(0)]
        with m.Else():
            with m.If(advance):
                m.d.sync += [valid.eq(active), step.eq(move), step_ends.eq(ends), waiting.eq(run)]
            with m.If(~self.o.valid | self.o.ready):
                m.d.sync += [
                    self.o.valid.eq(valid | waits),
                    self.o.payload.eq(Mux(waits, waiting, run)),
                    waits.eq(0),
                ]
            with m.Elif(advance):
                m.d.sync += waits.eq(valid)
        return m

    def _count(self, m, advance):
        """Counts down what is left, from the outermost loop; returns whether there is a run, the Move behind
        it and what it ends: part, patch, set."""
        layer, config = self.layer, self._config
        groups = Signal.like(layer.groups)
        column = Signal(range(max(2, config.cols)))
        blocks = Signal.like(layer.blocks)
        kernel_rows, runs = Signal.like(layer.kernel_rows), Signal.like(layer.runs_per_row)
        # Pixels of the line and lines, for this column, the set's first one and the one behind it.
        pixel = data.StructLayout({"x": layer.out_cols.shape(), "y": layer.out_rows.shape()})
        at, first, following = Signal(pixel), Signal(pixel), Signal(pixel)
        active = Signal()
        row_ends, kernel_ends, part_ends, patch_ends = Signal(), Signal(), Signal(), Signal()
        set_ends, groups_end, line_ends, last_pixel = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            row_ends.eq(runs == 1),
            kernel_ends.eq(row_ends & (kernel_rows == 1)),
            patch_ends.eq(kernel_ends & (blocks == 1)),
            part_ends.eq(patch_ends),
            set_ends.eq(patch_ends & ((column + 1 == config.cols) | last_pixel)),
            groups_end.eq(set_ends & (groups == 1)),
            line_ends.eq(at.x == 1),
            last_pixel.eq(line_ends & (at.y == 1)),
            following.x.eq(Mux(line_ends, layer.out_cols, at.x - 1)),
            following.y.eq(at.y - line_ends),
        ]
        if config.plane_groups > 1:
            m.d.comb += part_ends.eq(kernel_ends & (layer.plane_blocks | (blocks == 1)))

        with m.If(self.start):
            m.d.sync += [
                active.eq(1), groups.eq(layer.groups), blocks.eq(layer.blocks),
                kernel_rows.eq(layer.kernel_rows), runs.eq(layer.runs_per_row),
                *(value.eq(size) for place in (at, first)
                  for value, size in ((place.x, layer.out_cols), (place.y, layer.out_rows))),
            ]  # fmt: skip
        with m.Elif(active & advance):
            m.d.sync += runs.eq(runs - 1)
            with m.If(row_ends):
                m.d.sync += [runs.eq(layer.runs_per_row), kernel_rows.eq(kernel_rows - 1)]
            with m.If(kernel_ends):
                m.d.sync += [kernel_rows.eq(layer.kernel_rows), blocks.eq(blocks - 1)]
            with m.If(patch_ends):
                m.d.sync += [blocks.eq(layer.blocks), column.eq(column + 1)]
                if config.cols > 1:
                    m.d.sync += at.eq(following)
            with m.If(set_ends):
                m.d.sync += [column.eq(0), groups.eq(groups - 1)]
                if config.cols > 1:
                    m.d.sync += at.eq(first)
            with m.If(groups_end):
                m.d.sync += [groups.eq(layer.groups), at.eq(following), first.eq(following)]
                m.d.sync += active.eq(~last_pixel)

        move = Signal(Move)
        with m.If(groups_end):
            m.d.comb += move.eq(Mux(line_ends, Move.LINE, Move.PIXEL))
        with m.Elif(set_ends):
            m.d.comb += move.eq(Move.GROUP)
        with m.Elif(patch_ends):
            m.d.comb += move.eq(Mux(line_ends, Move.COLUMN_LINE, Move.COLUMN))
        with m.Elif(kernel_ends):
            m.d.comb += move.eq(Move.BLOCK)
        with m.Elif(row_ends):
            m.d.comb += move.eq(Move.ROW)
        return active, move, Cat(part_ends, patch_ends, set_ends)

    def _move(self, m, enable, step, run):
        """Place of the `run`, and by `step` of the one behind it; returns y."""
        layer, config = self.layer, self._config
        place = data.StructLayout(
            {"address": run.address.shape(), "x": run.x.shape(), "y": layer.y_start.shape()}
        )
        at, origin, distance, following = Signal(place), Signal(place), Signal(place), Signal(place)
        m.d.comb += [origin.eq(at), run.address.eq(at.address), run.x.eq(at.x)]
        columns = ()
        if config.cols > 1:
            columns = (
                (Move.COLUMN, layer.column_address_step, layer.column_x_step, layer.window_y_step),
                (Move.COLUMN_LINE, layer.column_line_address_step, layer.column_line_x_step,
                 layer.line_y_step),
            )  # fmt: skip
        with m.Switch(step):
            for move, address, x, y in (
                (Move.RUN, layer.run_step, layer.run_step, 0),
                (Move.ROW, layer.row_address_step, layer.row_x_step, layer.kernel_y_step),
                (Move.BLOCK, layer.block_address_step, layer.row_x_step, layer.window_y_step),
                # With several columns, the group begins at the set's first pixel again.
                (Move.GROUP, layer.group_address_step, layer.group_x_step,
                 layer.window_y_step if config.cols == 1 else 0),
                *columns,
                (Move.PIXEL, layer.pixel_address_step, layer.pixel_x_step, layer.window_y_step),
                (Move.LINE, layer.line_address_step, layer.line_x_step, layer.line_y_step),
            ):  # fmt: skip
                with m.Case(move):
                    m.d.comb += [distance.address.eq(address), distance.x.eq(x), distance.y.eq(y)]
        m.d.comb += [
            part.eq(base + far)
            for part, base, far in (
                (following.address, origin.address, distance.address),
                (following.x, origin.x, distance.x),
                (following.y, origin.y, distance.y),
            )
        ]
        start = [at.address.eq(layer.address_start), at.x.eq(layer.x_start), at.y.eq(layer.y_start)]
        if config.cols > 1:
            first = Signal(place)
            with m.If(step == Move.GROUP):
                m.d.comb += origin.eq(first)
            begins = (step == Move.GROUP) | (step == Move.PIXEL) | (step == Move.LINE)
            start += [first.address.eq(layer.address_start), first.x.eq(layer.x_start)]
            start += [first.y.eq(layer.y_start)]
        with m.If(self.start):
            m.d.sync += start
        with m.Elif(enable):
            m.d.sync += at.eq(following)
            if config.cols > 1:
                with m.If(begins):
                    m.d.sync += first.eq(following)
        return at.y
