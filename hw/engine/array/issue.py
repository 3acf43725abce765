"""Order of the dot array's steps: tiles, significances, plane pairs, words."""

from __future__ import annotations

from typing import Any

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...arith.dot import step_layout
from ...config.engine import EngineConfig
from ...interface import program
from ...interface.result_ports import result_port
from ...interface.trunk_stores import trunk_store
from .array import tile_layout


class Issue(wiring.Component):
    """Issues one step per cycle while a patch is ready: for every output-channel tile, plane pairs
    (i, j) by falling significance i + j, and for every pair the words of the patch.

    A tile's last step waits until its accumulators find the drain free: `drain_full` (`drain_last`
    for a group's last tile) cycles after the last step of the tile before, and for a layer with raw
    results that leave one by one until everything before is drained. Where residual trunks stream or
    results leave group by group, it waits for `tile_ready` too, and says so: `tile_waits`.

    Ports: `layer`, `start`; `weights_ready` (high while the weights are there); `filled` (pulse:
    one more slot to compute), `released` (pulse: a slot is read for the last time this cycle);
    `slot`, `word`, `plane` to the patch buffer, `weight` to the weight memory, and `step` and
    `tile` for these addresses in the same cycle; `drained` (pulse: a tile has left the drain) and
    `tile_ready` only where they are waited for.

    Latency: the first step of a patch may follow `filled` by one cycle.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._whole_groups = result_port(config).whole_groups
        self._paced = self._whole_groups or trunk_store(config).streams
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "start": In(1),
                "weights_ready": In(1),
                "filled": In(1),
                "released": Out(1),
                "slot": Out(range(config.patch_slots)),
                "word": Out(range(max(2, config.patch_depth))),
                "plane": Out(range(max(2, config.a_bits))),
                "weight": Out(range(max(2, config.weight_depth))),
                "step": Out(step_layout()),
                "tile": Out(tile_layout()),
                **({} if self._whole_groups else {"drained": In(1)}),
                **({"tile_ready": In(1), "tile_waits": Out(1)} if self._paced else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        layer, config = self.layer, self._config
        # Rounds that are left of the loops, the present one included.
        tiles, groups = Signal.like(layer.tiles), Signal.like(layer.groups)
        starts_tile, starts_pairs = Signal(), Signal()
        # Conditions of the longest paths are registers, computed one step ahead: a patch is there; word,
        # tile and channel group are the last; the drain is not free, or holds raw results.
        has_patch, last_word, last_tile, last_group = Signal(), Signal(), Signal(), Signal()
        waits, raw_waits, drain_busy = Signal(), Signal(), Signal()

        word_ends, diagonal_ends, pairs_end = Signal(), Signal(), Signal()
        tiles_end, groups_end = Signal(), Signal()
        go = Signal()
        hindered = drain_busy | ~self.tile_ready if self._paced else drain_busy
        pairs = _Pairs(layer, config)
        next_word = Signal.like(self.word)
        m.d.comb += [
            word_ends.eq(last_word),
            diagonal_ends.eq(word_ends & pairs.diagonal_ends),
            pairs_end.eq(diagonal_ends & pairs.last_diagonal),
            tiles_end.eq(pairs_end & last_tile),
            groups_end.eq(tiles_end & last_group),
            go.eq(has_patch & self.weights_ready & ~(pairs_end & hindered) & ~self.start),
            self.released.eq(go & tiles_end),
            self.tile.ends.eq(go & pairs_end),
            self.tile.last.eq(last_tile),
            self.tile.ends_set.eq(last_tile & last_group),
            self.plane.eq(pairs.j),
            self.step.enable.eq(go),
            self.step.clear.eq(starts_tile),
            self.step.shift.eq(starts_pairs),
            next_word.eq(self.word + 1),
        ]
        negative = layer.signed_weights & (pairs.i == pairs.top_i)
        if config.signed_codes:
            negative ^= layer.signed_activations & (pairs.j == pairs.top_j)
        m.d.comb += self.step.negate.eq(negative)
        if self._paced:
            ends = has_patch & self.weights_ready & pairs_end & ~self.start
            m.d.comb += self.tile_waits.eq(ends & ~drain_busy & ~self.tile_ready)

        # Weight addresses: word 0 of the tile's top plane.
        tile_base, next_tile = Signal.like(self.weight), Signal.like(self.weight)
        first_again = groups_end
        if config.training:
            first_again = groups_end | (tiles_end & layer.shared_weights)
        m.d.comb += next_tile.eq(Mux(first_again, layer.weight_top, tile_base + layer.tile_step))

        def restart(address: Value) -> list[Any]:
            """The state at a tile's first step, its top plane at `address`."""
            return [
                starts_tile.eq(1),
                starts_pairs.eq(0),
                *pairs.restart(address),
                tile_base.eq(address),
                self.weight.eq(address),
            ]

        word_begins = [self.word.eq(0), last_word.eq(layer.last_word == 0)]
        with m.If(self.start):
            m.d.sync += [*restart(layer.weight_top), *word_begins, self.slot.eq(0)]
            m.d.sync += [tiles.eq(layer.tiles), last_tile.eq(layer.tiles == 1)]
            m.d.sync += [groups.eq(layer.groups), last_group.eq(layer.groups == 1)]
        with m.Elif(go):
            m.d.sync += [starts_tile.eq(0), starts_pairs.eq(0), self.weight.eq(self.weight + 1)]
            m.d.sync += [self.word.eq(next_word), last_word.eq(next_word == layer.last_word)]
            with m.If(word_ends):
                m.d.sync += word_begins
            with m.If(pairs_end):
                m.d.sync += restart(next_tile)
                m.d.sync += [tiles.eq(tiles - 1), last_tile.eq(tiles == 2)]
            with m.Elif(diagonal_ends):
                m.d.sync += [starts_pairs.eq(1), *pairs.next_diagonal(self.weight, tile_base)]
            with m.Elif(word_ends):
                m.d.sync += pairs.next_pair(self.weight)
            with m.If(tiles_end):
                m.d.sync += [tiles.eq(layer.tiles), last_tile.eq(layer.tiles == 1)]
                m.d.sync += [self.slot.eq(self.slot + 1), groups.eq(groups - 1), last_group.eq(groups == 2)]
            with m.If(groups_end):
                m.d.sync += [groups.eq(layer.groups), last_group.eq(layer.groups == 1)]

        self._wait(m, tiles_end, has_patch, waits, raw_waits, drain_busy)
        return m

    def _wait(
        self,
        m: Module,
        tiles_end: Signal,
        has_patch: Signal,
        waits: Signal,
        raw_waits: Signal,
        drain_busy: Signal,
    ) -> None:
        """Counts patches that are there, and cycles until the drain is free."""
        layer = self.layer
        ready = Signal(range(self._config.patch_slots + 1))
        drain_wait = Signal.like(layer.drain_full)
        next_waits, next_raw_waits = Signal(), Signal()
        next_ready = Signal.like(ready)
        m.d.comb += next_ready.eq(ready + self.filled - self.released)
        with m.If(self.start):
            m.d.sync += [ready.eq(0), has_patch.eq(0)]
        with m.Else():
            m.d.sync += [ready.eq(next_ready), has_patch.eq(next_ready != 0)]
            if not self._whole_groups:
                # At most one raw tile is in flight.
                with m.If(self.tile.ends):
                    m.d.comb += next_raw_waits.eq(layer.raw)
                with m.Else():
                    m.d.comb += next_raw_waits.eq(raw_waits & ~self.drained)
            with m.If(self.tile.ends):
                # The next tile's last step may follow when this one's accumulators have left.
                wait = Mux(tiles_end, layer.drain_last, layer.drain_full)
                m.d.comb += next_waits.eq(wait != 1)
                m.d.sync += drain_wait.eq(wait)
            with m.Elif(waits):
                m.d.comb += next_waits.eq(drain_wait != 2)
                m.d.sync += drain_wait.eq(drain_wait - 1)
        m.d.sync += [
            waits.eq(next_waits),
            raw_waits.eq(next_raw_waits),
            drain_busy.eq(next_waits | next_raw_waits),
        ]


class _Pairs:
    """The pair of planes (i, j) within a tile: by falling significance i + j, within one by falling i.

    `diagonal_ends` and `last_diagonal` are whether the pair is the last of its significance and the
    significance the last; the methods are the statements for a step that goes on to another pair, with
    that pair's first weight address.
    """

    def __init__(self, layer: data.View, config: EngineConfig) -> None:
        self._layer, self._one_plane = layer, config.w_bits == 1
        self.i, self.j = Signal(range(config.w_bits)), Signal(range(config.a_bits))
        self.top_i, self.top_j = layer.weight_planes - 1, layer.activation_planes - 1
        self._first_i, self._first_j = Signal.like(self.i), Signal.like(self.j)
        self.diagonal_ends = Const(1) if self._one_plane else Signal()
        self.last_diagonal = Signal()
        # Word 0 of the pair's weight plane, and of the first pair's.
        address = len(layer.weight_top)
        self._plane_base, self._first_base = Signal(address), Signal(address)

    def restart(self, address: Value) -> list[Any]:
        """The pair of the two top planes, whose weights begin at `address`."""
        layer = self._layer
        one_weight, one_activation = layer.weight_planes == 1, layer.activation_planes == 1
        state = [self.j.eq(self.top_j), self._first_j.eq(self.top_j)]
        if self._one_plane:
            return [*state, self.last_diagonal.eq(one_activation)]
        return [
            *state,
            self.i.eq(self.top_i),
            self._first_i.eq(self.top_i),
            self.diagonal_ends.eq(1),
            self.last_diagonal.eq(one_weight & one_activation),
            self._first_base.eq(address),
            self._plane_base.eq(address),
        ]

    def next_diagonal(self, weight: Signal, tile_base: Signal) -> list[Any]:
        """The first pair of the next lower significance: the top weight plane as long as there is an
        activation plane for it."""
        j = self._first_j
        if self._one_plane:
            return [self.j.eq(j - 1), j.eq(j - 1), self.last_diagonal.eq(j == 1), weight.eq(tile_base)]
        lowest, i = j == 0, self._first_i
        next_i, next_j = Mux(lowest, i - 1, i), Mux(lowest, 0, j - 1)
        base = Mux(lowest, self._first_base - self._layer.words, self._first_base)
        return [
            self.i.eq(next_i),
            i.eq(next_i),
            self.j.eq(next_j),
            j.eq(next_j),
            self.diagonal_ends.eq(Mux(lowest, i == 1, i == 0) | (self._layer.activation_planes == 1)),
            self.last_diagonal.eq(Mux(lowest, i == 1, (i == 0) & (j == 1))),
            self._first_base.eq(base),
            self._plane_base.eq(base),
            weight.eq(base),
        ]

    def next_pair(self, weight: Signal) -> list[Any]:
        """The next pair of the same significance."""
        if self._one_plane:
            return []
        base = self._plane_base - self._layer.words
        return [
            self.i.eq(self.i - 1),
            self.j.eq(self.j + 1),
            self._plane_base.eq(base),
            weight.eq(base),
            self.diagonal_ends.eq((self.i == 1) | (self.j + 2 == self._layer.activation_planes)),
        ]
