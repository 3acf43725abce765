"""Order of the dot array's steps: tiles, significances, plane pairs, words."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from . import program
from .dot import step_layout


class Issue(wiring.Component):
    """Issues one step per cycle while a patch is ready: for every output-channel tile, plane pairs
    (i, j) by falling significance i + j, and for every pair the words of the patch.

    A tile's last step waits until its accumulators find the drain free: `drain_full` (`drain_last`
    for a group's last tile) cycles after the last step of the tile before, and for a layer with raw
    results, whose receiver may stall, until everything before is drained.

    Ports: `layer`, `start`; `weights_ready` (high while the weights are there); `filled` (pulse:
    one more slot to compute), `released` (pulse: a slot is read for the last time this cycle);
    `slot`, `word`, `plane` to the patch buffer, `weight` to the weight memory, and `step` and
    `tile_ends` for these addresses in the same cycle; `drained` (pulse: a tile has left the drain).
    """

    def __init__(self, config):
        self._config = config
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
                "tile_ends": Out(1),
                "drained": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        layer, config = self.layer, self._config
        ready = Signal(range(config.patch_slots + 1))
        # What is left of the loops, the present tile included.
        tiles, groups = Signal.like(layer.tiles), Signal.like(layer.groups)
        # The pair of planes, and the first pair of its significance.
        i, j = Signal(range(config.w_bits)), Signal(range(config.a_bits))
        first_i, first_j = Signal.like(i), Signal.like(j)
        # Weight addresses: word 0 of the pair's plane, of the first pair's, of the tile's top plane.
        plane_base, first_base = Signal.like(self.weight), Signal.like(self.weight)
        tile_base = Signal.like(self.weight)
        starts_tile, starts_pairs = Signal(), Signal()
        drain_wait = Signal.like(layer.drain_full)
        outstanding = Signal(6)

        top_i, top_j = Signal.like(i), Signal.like(j)
        word_ends, diagonal_ends, pairs_end = Signal(), Signal(), Signal()
        tiles_end, groups_end = Signal(), Signal()
        blocked, go = Signal(), Signal()
        m.d.comb += [
            top_i.eq(layer.weight_planes - 1),
            top_j.eq(layer.activation_planes - 1),
            word_ends.eq(self.word + 1 == layer.words),
            diagonal_ends.eq(word_ends & ((i == 0) | (j == top_j))),
            pairs_end.eq(diagonal_ends & (first_i == 0) & (first_j == 0)),
            tiles_end.eq(pairs_end & (tiles == 1)),
            groups_end.eq(tiles_end & (groups == 1)),
            blocked.eq(pairs_end & ((drain_wait != 0) | (layer.raw & (outstanding != 0)))),
            go.eq((ready != 0) & self.weights_ready & ~blocked & ~self.start),
            self.released.eq(go & tiles_end),
            self.tile_ends.eq(go & pairs_end),
            self.plane.eq(j),
            self.step.enable.eq(go),
            self.step.clear.eq(starts_tile),
            self.step.shift.eq(starts_pairs),
        ]
        negative = layer.signed_weights & (i == top_i)
        if config.signed_codes:
            negative ^= layer.signed_activations & (j == top_j)
        m.d.comb += self.step.negate.eq(negative)

        next_tile = Signal.like(self.weight)
        next_first = Signal.like(self.weight)
        next_plane = Signal.like(self.weight)
        m.d.comb += [
            next_tile.eq(Mux(groups_end, layer.weight_top, tile_base + layer.tile_step)),
            next_first.eq(first_base),
            next_plane.eq(plane_base - layer.words),
        ]

        if config.w_bits > 1:
            with m.If(first_j == 0):
                m.d.comb += next_first.eq(first_base - layer.words)

        def restart(address):
            """The state at a tile's first step, its top plane at `address`."""
            return [
                starts_tile.eq(1), starts_pairs.eq(0),
                i.eq(top_i), j.eq(top_j), first_i.eq(top_i), first_j.eq(top_j),
                tile_base.eq(address), first_base.eq(address), plane_base.eq(address),
                self.weight.eq(address), self.word.eq(0),
            ]  # fmt: skip

        with m.If(self.start):
            m.d.sync += [*restart(layer.weight_top), self.slot.eq(0)]
            m.d.sync += [tiles.eq(layer.tiles), groups.eq(layer.groups)]
        with m.Elif(go):
            m.d.sync += [starts_tile.eq(0), starts_pairs.eq(0)]
            m.d.sync += [self.word.eq(self.word + 1), self.weight.eq(self.weight + 1)]
            with m.If(pairs_end):
                m.d.sync += restart(next_tile)
                m.d.sync += tiles.eq(Mux(tiles_end, layer.tiles, tiles - 1))
            with m.Elif(diagonal_ends):
                m.d.sync += [
                    starts_pairs.eq(1),
                    self.word.eq(0),
                    i.eq(Mux(first_j == 0, first_i - 1, first_i)),
                    first_i.eq(Mux(first_j == 0, first_i - 1, first_i)),
                    j.eq(Mux(first_j == 0, 0, first_j - 1)),
                    first_j.eq(Mux(first_j == 0, 0, first_j - 1)),
                    first_base.eq(next_first), plane_base.eq(next_first), self.weight.eq(next_first),
                ]  # fmt: skip
            with m.Elif(word_ends):
                m.d.sync += [self.word.eq(0), i.eq(i - 1), j.eq(j + 1)]
                m.d.sync += [plane_base.eq(next_plane), self.weight.eq(next_plane)]
            with m.If(tiles_end):
                m.d.sync += self.slot.eq(self.slot + 1)
                m.d.sync += groups.eq(Mux(groups_end, layer.groups, groups - 1))

        with m.If(self.start):
            m.d.sync += [ready.eq(0), drain_wait.eq(0), outstanding.eq(0)]
        with m.Else():
            m.d.sync += ready.eq(ready + self.filled - self.released)
            m.d.sync += outstanding.eq(outstanding + self.tile_ends - self.drained)
            with m.If(self.tile_ends):
                # The next tile's last step may follow when this one's accumulators have left.
                m.d.sync += drain_wait.eq(Mux(tiles_end, layer.drain_last, layer.drain_full) - 1)
            with m.Elif(drain_wait != 0):
                m.d.sync += drain_wait.eq(drain_wait - 1)
        return m
