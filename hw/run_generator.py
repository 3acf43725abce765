"""Which bit runs of the feature map make the patches of a layer, in order."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
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


class RunGenerator(wiring.Component):
    """Nested counters: set of `cols` convolution pixels in raster order, channel group, column, channel
    block of the input map, kernel row, run. Offers one run per cycle, three cycles after `start`.

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
        layer, config = self.layer, self._config
        origin = data.StructLayout(
            {
                "y": program.fields(config)["y_start"],
                "address": config.feature_address_bits,
                "x": program.fields(config)["x_start"],
                "col": program.SIZE_BITS,
            }
        )
        # Windows of the set's first pixel, of this column's, and of the one after it.
        first, pixel, following = Signal(origin), Signal(origin), Signal(origin)
        # Steps within a pixel's window: channel group, channel block, kernel row and run.
        kernel_y, run_x = Signal.like(layer.y_start), Signal.like(layer.x_start)
        kernel_address = Signal.like(layer.address_start)
        group_x, group_address = Signal.like(layer.x_start), Signal.like(layer.address_start)
        block_address = Signal.like(layer.address_start)
        # Counters, from the outermost.
        sets_left = Signal.like(layer.sets)
        group = Signal.like(layer.groups)
        column = Signal(range(max(2, config.cols)))
        block = Signal.like(layer.blocks)
        kernel_row, run = Signal.like(layer.kernel_rows), Signal.like(layer.runs_per_row)
        cols = Signal(range(config.cols + 1))
        active = Signal()
        advance = Signal()

        row_ends = Signal()
        kernel_ends = Signal()
        part_ends, patch_ends = Signal(), Signal()
        set_ends = Signal()
        groups_end = Signal()
        m.d.comb += [
            cols.eq(Mux(sets_left == 1, layer.last_cols, config.cols)),
            row_ends.eq(run + 1 == layer.runs_per_row),
            kernel_ends.eq(row_ends & (kernel_row + 1 == layer.kernel_rows)),
            patch_ends.eq(kernel_ends & (block + 1 == layer.blocks)),
            part_ends.eq(patch_ends),
            set_ends.eq(patch_ends & (column + 1 == cols)),
            groups_end.eq(set_ends & (group + 1 == layer.groups)),
        ]

        if config.plane_groups > 1:
            m.d.comb += part_ends.eq(kernel_ends & (layer.plane_blocks | (block + 1 == layer.blocks)))

        # The pixel after this one, in raster order.
        with m.If(pixel.col + 1 == layer.out_cols):
            m.d.comb += [
                following.y.eq(pixel.y + layer.pixel_y_step),
                following.address.eq(pixel.address + layer.pixel_address_step),
                following.x.eq(layer.x_start),
                following.col.eq(0),
            ]
        with m.Else():
            m.d.comb += [
                following.y.eq(pixel.y),
                following.address.eq(pixel.address),
                following.x.eq(pixel.x + layer.pixel_x_step),
                following.col.eq(pixel.col + 1),
            ]

        with m.If(self.start):
            m.d.sync += [
                active.eq(1),
                sets_left.eq(layer.sets),
                first.y.eq(layer.y_start), first.address.eq(layer.address_start),
                first.x.eq(layer.x_start), first.col.eq(0),
                pixel.y.eq(layer.y_start), pixel.address.eq(layer.address_start),
                pixel.x.eq(layer.x_start), pixel.col.eq(0),
            ]  # fmt: skip
        with m.Elif(active & advance):
            m.d.sync += [run.eq(run + 1), run_x.eq(run_x + layer.run_step)]
            with m.If(row_ends):
                m.d.sync += [
                    run.eq(0),
                    run_x.eq(0),
                    kernel_row.eq(kernel_row + 1),
                    kernel_y.eq(kernel_y + layer.kernel_y_step),
                    kernel_address.eq(kernel_address + layer.kernel_address_step),
                ]
            with m.If(kernel_ends):
                m.d.sync += [kernel_row.eq(0), kernel_y.eq(0), kernel_address.eq(0)]
                m.d.sync += [
                    block.eq(block + 1), block_address.eq(block_address + layer.block_address_step)
                ]  # fmt: skip
            with m.If(patch_ends):
                m.d.sync += [block.eq(0), block_address.eq(group_address)]
                m.d.sync += [column.eq(column + 1), pixel.eq(following)]
            with m.If(set_ends):
                next_group = group_address + layer.group_address_step
                m.d.sync += [column.eq(0), pixel.eq(first)]
                m.d.sync += [group.eq(group + 1), group_x.eq(group_x + layer.group_step)]
                m.d.sync += [group_address.eq(next_group), block_address.eq(next_group)]
            with m.If(groups_end):
                m.d.sync += [group.eq(0), group_x.eq(0), group_address.eq(0), block_address.eq(0)]
                m.d.sync += [sets_left.eq(sets_left - 1), first.eq(following), pixel.eq(following)]
                with m.If(sets_left == 1):
                    m.d.sync += active.eq(0)

        # Two stages of adders between the counters and the run.
        valid = Signal()
        base = Signal(origin)
        inner_y, inner_address = Signal.like(kernel_y), Signal.like(kernel_address)
        inner_x = Signal.like(run_x)
        ends_part, ends_patch, ends_set = Signal(), Signal(), Signal()
        y = Signal.like(layer.y_start)
        x = Signal.like(layer.x_start)
        m.d.comb += [
            advance.eq(~self.o.valid | self.o.ready),
            y.eq(base.y + inner_y),
            x.eq(base.x + inner_x),
        ]
        with m.If(self.start):
            m.d.sync += [valid.eq(0), self.o.valid.eq(0)]
        with m.Elif(advance):
            m.d.sync += [
                valid.eq(active),
                base.eq(pixel),
                inner_y.eq(kernel_y),
                inner_address.eq(kernel_address + block_address),
                inner_x.eq(run_x + group_x),
                ends_part.eq(part_ends),
                ends_patch.eq(patch_ends),
                ends_set.eq(set_ends),
                self.o.valid.eq(valid),
                self.o.payload.address.eq(base.address + inner_address + x),
                self.o.payload.x.eq(x),
                self.o.payload.row_ok.eq((y >= 0) & (y < layer.in_rows)),
                self.o.payload.ends_part.eq(ends_part),
                self.o.payload.ends_patch.eq(ends_patch),
                self.o.payload.ends_set.eq(ends_set),
            ]
        return m
