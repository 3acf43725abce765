"""Accumulators leave the array while the next tile is computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface import program
from ...interface.result_ports import result_port
from ..array.array import tile_layout
from .pixel_position import PixelPosition, place_layout


def group_layout(config: EngineConfig) -> data.StructLayout:
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


@dataclass(frozen=True)
class _Row:
    """Where the drain is in a tile, whose rows of groups are one per column.

    `emitted`: pixels of the set so far that end a window; `groups`: what is left of the row; `index` of the
    group within its pixel, `tile_index` of the tile's first one; whether the tile is the `last_tile` of its
    channel group and `ends_set`; whether the group is the last of its row, and of a set's row. `ends` to
    `set_ends`: what ends with the group.
    """

    column: Signal
    emitted: Signal
    groups: Signal
    index: Signal
    tile_index: Signal
    last_tile: Signal
    ends_set: Signal
    is_last_group: Signal
    is_last_of_set: Signal
    ends: Signal
    last_column: Signal
    tile_ends: Signal
    set_ends: Signal

    def begins(self, layer: data.View, last_tile: Value, ends_set: Value) -> list[Any]:
        """Statements with which a row begins of a tile that is the last of its channel group, and of the
        set, or not."""
        one_group = Mux(last_tile, layer.last_groups == 1, layer.full_groups == 1)
        return [
            self.groups.eq(Mux(last_tile, layer.last_groups, layer.full_groups)),
            self.is_last_group.eq(one_group),
            self.is_last_of_set.eq(one_group & ends_set),
        ]


class Drain(wiring.Component):
    """Takes a tile's accumulators at once (`captured`) and passes on `quant` channels per cycle,
    columns in order, rows in order within a column.

    Ports: `layer`, `start`; `captured` (:func:`.array.tile_layout`) with `acc` and `sums` of the array;
    `valid`, `ready`, `values` (`quant` signed accumulators, already ``2 acc - sum`` for bipolar weights on
    AND planes), `group` (:func:`group_layout`), its parameters' address in the cycle before as `next_param`;
    `drained` pulses when a tile's last group leaves.

    Latency: two cycles from `captured.ends` to the first group, then one a cycle. `ready`, which is there
    where raw results leave one by one, stalls these alone; their next group is offered three cycles after one
    is taken.
    """

    latency = 2

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "start": In(1),
                "captured": In(tile_layout()),
                "acc": In(signed(config.acc_bits)).array(config.cols * config.rows),
                "sums": In(signed(config.acc_bits)).array(config.cols if config.sum_row else 0),
                "valid": Out(1),
                **({} if result_port(config).whole_groups else {"ready": In(1)}),
                "values": Out(signed(config.acc_bits)).array(config.quant),
                "group": Out(group_layout(config)),
                "next_param": Out(range(max(2, config.param_depth))),
                "drained": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layer, acc = self.layer, signed(self._config.acc_bits)
        accs = [Signal(acc, name=f"kept_{number}", reset_less=True) for number in range(len(self.acc))]
        sums = [Signal(acc, name=f"sum_{column}", reset_less=True) for column in range(len(self.sums))]
        row = self._row()
        busy, next_busy = Signal(), Signal()
        leaves = Signal()  # a group; a raw one, which was taken in the cycle before
        group = self._describe(m, row, leaves)
        m.d.comb += next_busy.eq(~self.start & (self.captured.ends | (busy & ~self.drained)))
        waits = not result_port(self._config).whole_groups
        m.d.sync += [
            busy.eq(next_busy),
            leaves.eq(next_busy & (~layer.raw | (self.valid & self.ready)) if waits else next_busy),
        ]
        with m.If(self.captured.ends):
            m.d.sync += [row.last_tile.eq(self.captured.last), row.ends_set.eq(self.captured.ends_set)]
            m.d.sync += row.begins(layer, self.captured.last, self.captured.ends_set)
            m.d.sync += [kept.eq(now) for kept, now in zip(accs, self.acc, strict=True)]
            m.d.sync += [kept.eq(now) for kept, now in zip(sums, self.sums, strict=True)]
        self._show(m, row, leaves, busy, group, accs, sums)
        return m

    def _row(self) -> _Row:
        """The position in the tile."""
        layer = self.layer
        column = Signal(range(max(2, self._config.cols)))
        emitted = Signal.like(self.group.column)
        row_groups = Signal.like(layer.full_groups)
        index, tile_index = Signal.like(self.group.index), Signal.like(self.group.index)
        last_tile, ends_set, last_of_row, last_of_set = Signal(), Signal(), Signal(), Signal()
        row_ends, last_column, tile_ends, set_ends = Signal(), Signal(), Signal(), Signal()
        return _Row(
            column,
            emitted,
            row_groups,
            index,
            tile_index,
            last_tile,
            ends_set,
            last_of_row,
            last_of_set,
            row_ends,
            last_column,
            tile_ends,
            set_ends,
        )

    def _describe(self, m: Module, row: _Row, leaves: Signal) -> data.View:
        """Counts the groups of a tile; returns what is known of the one that `leaves`."""
        config, layer = self._config, self.layer
        group = Signal.like(self.group)
        m.submodules.position = position = PixelPosition(config)
        place = position.o
        m.d.comb += [
            position.layer.eq(layer),
            position.start.eq(self.start),
            position.column_ends.eq(leaves & row.ends),
            position.tile_ends.eq(leaves & row.tile_ends),
            position.set_ends.eq(leaves & row.set_ends),
            row.ends.eq(row.is_last_group),
            row.last_column.eq((row.column + 1 == config.cols) | position.last),
            row.tile_ends.eq(row.ends & row.last_column),
            row.set_ends.eq(row.is_last_of_set & row.last_column),
            self.drained.eq(leaves & row.tile_ends),
            group.count.eq(
                Mux(row.ends, Mux(row.last_tile, layer.last_count, layer.full_count), config.total_quant)
            ),
            group.index.eq(row.index),
            group.param.eq(layer.param_base + row.index),
            self.next_param.eq(group.param),
            group.place.eq(place),
            group.column.eq(row.emitted),
            group.ends_set.eq(row.set_ends),
            group.ends_layer.eq(row.set_ends & position.last),
        ]
        if config.trunk_memory:
            self._trunk_address(m, group, leaves & row.ends, leaves & row.tile_ends, leaves & row.set_ends)
        with m.If(self.start):
            m.d.sync += [row.column.eq(0), row.index.eq(0), row.tile_index.eq(0), row.emitted.eq(0)]
        with m.Elif(leaves):
            one_left = row.groups == 2
            m.d.sync += [row.groups.eq(row.groups - 1), row.index.eq(row.index + 1)]
            m.d.sync += [row.is_last_group.eq(one_left), row.is_last_of_set.eq(one_left & row.ends_set)]
            with m.If(row.ends):
                m.d.sync += row.begins(layer, row.last_tile, row.ends_set)
                m.d.sync += [row.column.eq(row.column + 1), row.index.eq(row.tile_index)]
                m.d.sync += row.emitted.eq(row.emitted + (place.x_closes & place.y_closes))
            with m.If(row.tile_ends):
                m.d.sync += [row.column.eq(0), row.emitted.eq(0)]
                m.d.sync += [row.index.eq(row.index + 1), row.tile_index.eq(row.index + 1)]
            with m.If(row.set_ends):
                m.d.sync += [row.index.eq(0), row.tile_index.eq(0)]
        return group

    def _show(
        self,
        m: Module,
        row: _Row,
        leaves: Signal,
        busy: Signal,
        group: data.View,
        accs: list[Signal],
        sums: list[Signal],
    ) -> None:
        """The accumulators of the group that leaves.

        One bit per group says which it is. The registers of all others are reset to zero, so that an OR
        is all it takes to choose.
        """
        config, layer, acc = self._config, self.layer, signed(self._config.acc_bits)
        turns = [Signal(-(-config.rows // config.quant), name=f"turn_{p}") for p in range(config.cols)]
        following = row.column + row.ends
        for p, turn in enumerate(turns):
            with m.If(self.captured.ends):
                m.d.sync += turn.eq(p == 0)
            with m.Elif(leaves):
                m.d.sync += turn.eq(Mux(row.ends, following == p, turn << 1))
        shown = [Signal(acc, name=f"shown_{number}", reset_less=True) for number in range(len(accs))]
        m.d.sync += self.group.eq(group)
        for number, (value, kept) in enumerate(zip(shown, accs, strict=True)):
            column_of, own_row = divmod(number, config.rows)
            m.d.sync += value.eq(Mux(turns[column_of][own_row // config.quant], kept, 0))
        with m.If(self.start):
            m.d.sync += self.valid.eq(0)
        with m.Else():
            if result_port(config).whole_groups:
                m.d.sync += self.valid.eq(busy)
            else:
                # A raw group stays until it is taken, then it leaves, then the next one is shown.
                m.d.sync += self.valid.eq(busy & ~(layer.raw & ((self.valid & self.ready) | leaves)))
        if config.sum_row:
            shown_sum = Signal(acc, reset_less=True)
            m.d.sync += shown_sum.eq(Array(sums)[row.column])
        for lane, out in enumerate(self.values):
            own = [value for number, value in enumerate(shown) if number % config.rows % config.quant == lane]
            value = reduce(or_, own).as_signed()
            if config.sum_row:
                value = Mux(layer.bipolar_sum, (value << 1) - shown_sum, value)
            m.d.comb += out.eq(value)

    def _trunk_address(
        self, m: Module, group: data.View, column_ends: Value, tile_ends: Value, set_ends: Value
    ) -> None:
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
