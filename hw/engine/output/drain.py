"""Accumulators leave the array behind the next tile's computation."""

from functools import reduce
from operator import or_

from amaranth import Array, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...interface import program
from ..array.array import tile_layout
from .pixel_position import PixelPosition, place_layout


def group_layout(config):
    """What is known of one group of up to `quant` channels on its way to the feature memory.

    `count` of the channels of all engines exist; `index` is the group's number within its pixel, `param` its
    parameters' address; `place` is the pixel's in its pooling windows, `column` the number of pixels
    before it in its set that end a window; `ends_set` marks the last group of the columns computed
    together and `ends_layer` that of the layer. Engines with a trunk memory add `trunk`, the group's
    address in it.
    """
    fields = {
        "count": config.total_quant.bit_length(),
        "index": range(max(2, config.pool_depth)),
        "param": range(max(2, config.param_depth)),
        "place": place_layout(config),
        "column": range(config.cols + 1),
        "ends_set": 1,
        "ends_layer": 1,
    }
    if config.trunk_memory:
        fields["trunk"] = range(max(2, config.trunk_depth))
    return data.StructLayout(fields)


class Drain(wiring.Component):
    """Takes a tile's accumulators at once (`captured`) and passes on `quant` channels per cycle,
    columns in order, rows in order within a column.

    Ports: `layer`, `start`; `captured` (:func:`.array.tile_layout`) with `acc` and `sums` of the array;
    `valid`, `ready`, `values` (`quant` signed accumulators, already ``2 acc - sum`` for bipolar weights on
    AND planes), `group`; `drained` pulses when a tile's last group leaves. Latency: two cycles from capture
    to the first group. Raw results are stalled with `ready`; the next group is offered three cycles after
    one is taken.
    """

    def __init__(self, config):
        self._config = config
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "start": In(1),
                "captured": In(tile_layout()),
                "acc": In(signed(config.acc_bits)).array(config.cols * config.rows),
                "sums": In(signed(config.acc_bits)).array(config.cols if config.sum_row else 0),
                "valid": Out(1),
                "ready": In(1),
                "values": Out(signed(config.acc_bits)).array(config.quant),
                "group": Out(group_layout(config)),
                "drained": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, layer = self._config, self.layer
        acc = signed(config.acc_bits)
        accs = [Signal(acc, name=f"kept_{number}", reset_less=True) for number in range(len(self.acc))]
        sums = [Signal(acc, name=f"sum_{column}", reset_less=True) for column in range(len(self.sums))]
        # Position in the tile: what is left of its row of groups, whether that is one group, and one of the
        # last row of a set.
        column = Signal(range(max(2, config.cols)))
        emitted = Signal.like(self.group.column)  # pixels of the set, so far, that end a window
        row_groups = Signal.like(layer.full_groups)
        index, tile_index = Signal.like(self.group.index), Signal.like(self.group.index)
        busy, next_busy = Signal(), Signal()
        last_tile, ends_set, last_of_row, last_of_set = Signal(), Signal(), Signal(), Signal()
        row_ends, last_column, tile_ends, set_ends = Signal(), Signal(), Signal(), Signal()
        leaves = Signal()  # a group; a raw one, which was taken in the cycle before
        group = Signal.like(self.group)
        m.submodules.position = position = PixelPosition(config)
        place = position.o
        m.d.comb += [
            position.layer.eq(layer),
            position.start.eq(self.start),
            position.column_ends.eq(leaves & row_ends),
            position.tile_ends.eq(leaves & tile_ends),
            position.set_ends.eq(leaves & set_ends),
            row_ends.eq(last_of_row),
            last_column.eq((column + 1 == config.cols) | position.last),
            tile_ends.eq(row_ends & last_column),
            set_ends.eq(last_of_set & last_column),
            self.drained.eq(leaves & tile_ends),
            group.count.eq(
                Mux(row_ends, Mux(last_tile, layer.last_count, layer.full_count), config.total_quant)
            ),
            group.index.eq(index),
            group.param.eq(layer.param_base + index),
            group.place.eq(place),
            group.column.eq(emitted),
            group.ends_set.eq(set_ends),
            group.ends_layer.eq(set_ends & position.last),
        ]
        if config.trunk_memory:
            self._trunk_address(m, group, leaves & row_ends, leaves & tile_ends, leaves & set_ends)

        def row_begins(last, ends_set):
            """A row begins of a tile that is the last of its channel group, and of the set, or not."""
            one_group = Mux(last, layer.last_groups == 1, layer.full_groups == 1)
            return [
                row_groups.eq(Mux(last, layer.last_groups, layer.full_groups)),
                last_of_row.eq(one_group),
                last_of_set.eq(one_group & ends_set),
            ]

        with m.If(self.start):
            m.d.sync += [column.eq(0), index.eq(0), tile_index.eq(0), emitted.eq(0)]
        with m.Elif(leaves):
            m.d.sync += [row_groups.eq(row_groups - 1), index.eq(index + 1)]
            m.d.sync += [last_of_row.eq(row_groups == 2), last_of_set.eq((row_groups == 2) & ends_set)]
            with m.If(row_ends):
                m.d.sync += row_begins(last_tile, ends_set)
                m.d.sync += [column.eq(column + 1), index.eq(tile_index)]
                m.d.sync += emitted.eq(emitted + (place.x_closes & place.y_closes))
            with m.If(tile_ends):
                m.d.sync += [column.eq(0), emitted.eq(0), index.eq(index + 1), tile_index.eq(index + 1)]
            with m.If(set_ends):
                m.d.sync += [index.eq(0), tile_index.eq(0)]

        m.d.comb += next_busy.eq(~self.start & (self.captured.ends | (busy & ~self.drained)))
        m.d.sync += [
            busy.eq(next_busy),
            leaves.eq(next_busy & (~layer.raw | (self.valid & self.ready))),
        ]
        with m.If(self.captured.ends):
            m.d.sync += [last_tile.eq(self.captured.last), ends_set.eq(self.captured.ends_set)]
            m.d.sync += row_begins(self.captured.last, self.captured.ends_set)
            m.d.sync += [kept.eq(now) for kept, now in zip(accs, self.acc, strict=True)]
            m.d.sync += [kept.eq(now) for kept, now in zip(sums, self.sums, strict=True)]
        # The group that leaves, one bit for each. All others are reset to zero on their way, which registers
        # do by themselves, so that an OR is all it takes to choose.
        turns = [Signal(-(-config.rows // config.quant), name=f"turn_{p}") for p in range(config.cols)]
        following = column + row_ends
        for p, turn in enumerate(turns):
            with m.If(self.captured.ends):
                m.d.sync += turn.eq(p == 0)
            with m.Elif(leaves):
                m.d.sync += turn.eq(Mux(row_ends, following == p, turn << 1))
        shown = [Signal(acc, name=f"shown_{number}", reset_less=True) for number in range(len(accs))]
        m.d.sync += self.group.eq(group)
        for number, (value, kept) in enumerate(zip(shown, accs, strict=True)):
            column_of, row = divmod(number, config.rows)
            m.d.sync += value.eq(Mux(turns[column_of][row // config.quant], kept, 0))
        with m.If(self.start):
            m.d.sync += self.valid.eq(0)
        with m.Else():
            # A raw group stays until it is taken, then it leaves, then the next one is shown.
            m.d.sync += self.valid.eq(busy & ~(layer.raw & ((self.valid & self.ready) | leaves)))
        if config.sum_row:
            shown_sum = Signal(acc, reset_less=True)
            m.d.sync += shown_sum.eq(Array(sums)[column])
        for lane, out in enumerate(self.values):
            own = [value for number, value in enumerate(shown) if number % config.rows % config.quant == lane]
            value = reduce(or_, own).as_signed()
            if config.sum_row:
                value = Mux(layer.bipolar_sum, (value << 1) - shown_sum, value)
            m.d.comb += out.eq(value)
        return m

    def _trunk_address(self, m, group, column_ends, tile_ends, set_ends):
        """The group's place in the trunk memory, which holds maps pixel by pixel."""
        layer = self.layer
        pixel, first = Signal.like(layer.trunk_address), Signal.like(layer.trunk_address)
        following = Signal.like(pixel)
        m.d.comb += [group.trunk.eq(pixel + group.index), following.eq(pixel + layer.trunk_address_step)]
        with m.If(self.start):
            m.d.sync += [pixel.eq(layer.trunk_address), first.eq(layer.trunk_address)]
        with m.Elif(set_ends):
            m.d.sync += [pixel.eq(following), first.eq(following)]
        with m.Elif(tile_ends):
            m.d.sync += pixel.eq(first)
        with m.Elif(column_ends):
            m.d.sync += pixel.eq(following)
