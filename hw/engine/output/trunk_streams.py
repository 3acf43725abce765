"""Residual trunks outside of the engine: they leave in a stream and come back in one."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface import program
from ...interface.streams import IMAGE_BITS, trunk_layout
from ..array.array import tile_layout

_GUARD_PORTS = {
    "waits": In(1),
    "ended": In(1),
    "idle": In(1),
    "image": In(IMAGE_BITS),
    "stray": Out(1),
}


class TrunkStreams(wiring.Component):
    """Two queues of `trunk_depth` groups, between the residual trunk and its streams.

    A pass that keeps its trunk sends a packet, group after group in the order of the drain; one that adds a
    trunk takes the packet of the pass that made it. Nothing between array and queues can wait, so a
    tile ends only when all groups that it adds have arrived and there is room for all that it keeps.

    Ports: `i`, `o`; `layer`; `tile` (:func:`.array.tile_layout` of the tile that is computed; `ends` pulses
    with its last step) and `tile_ready`, whether it may end; `take` (a group is added in this cycle,
    `take_last`: the pass's last), `taken` (that group's integers); `keep` (a group is kept in this cycle,
    `keep_last`: the pass's last), `kept` (its integers); `finished` (the image's last result left) empties
    the queue of what is added. `wrong` pulses where a packet has not as many groups as its pass.

    Where the engine is guarded, `wrong` also where the packet is not that of the pass that the program says,
    and while a tile `waits` for groups of a packet that has ended. `ended` pulses with a pass's end, `idle`
    is high between images, `image` the number of the one that runs, or ran last: what comes between images is
    dropped, and what is of another image always. `stray` pulses where something came that no pass has added,
    but for what is of another image and what a reset has left.

    Latency: two cycles from a beat of `i` to a `tile_ready` that counts it, two from `keep` to its beat.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        self._bits = config.total_quant * config.trunk_bits
        super().__init__(
            {
                "i": In(stream.Signature(trunk_layout(config))),
                "o": Out(stream.Signature(trunk_layout(config))),
                "layer": In(program.layout(config)),
                "tile": In(tile_layout()),
                "tile_ready": Out(1),
                "take": In(1),
                "take_last": In(1),
                "taken": Out(self._bits),
                "keep": In(1),
                "keep_last": In(1),
                "kept": In(self._bits),
                "finished": In(1),
                "wrong": Out(1),
                **(_GUARD_PORTS if config.guarded else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, layer, bits = self._config, self.layer, self._bits
        # Behind a group's integers: whether it is the last, and whose it is.
        tag_bits = 1 + (config.pass_bits + IMAGE_BITS if config.guarded else 0)
        arrived, leaving = (
            SyncFIFOBuffered(width=bits + tag_bits, depth=config.trunk_depth) for _ in range(2)
        )
        beat, old = self.i.valid & self.i.ready, Signal()
        drops = self.finished | self.idle if config.guarded else self.finished
        m.submodules.arrived = ResetInserter(drops)(arrived)
        m.submodules.leaving = leaving
        tag = self._number(m) if config.guarded else Const(0, 0)
        last, source = arrived.r_data[bits], arrived.r_data[bits + 1 :][: config.pass_bits]
        wrong = arrived.r_data[bits] != self.take_last
        if config.guarded:
            wrong = wrong | (source != layer.trunk_from)
        m.d.comb += [
            self.i.ready.eq(arrived.w_rdy | old),
            arrived.w_en.eq(self.i.valid & ~old),
            arrived.w_data.eq(Cat(self.i.payload.data[:bits], self._tag_of(self.i))),
            arrived.r_en.eq(self.take),
            self.taken.eq(arrived.r_data),
            leaving.w_en.eq(self.keep),
            leaving.w_data.eq(Cat(self.kept, self.keep_last, tag)),
            self.o.valid.eq(leaving.r_rdy),
            self.o.payload.data.eq(leaving.r_data[:bits]),
            self._tag_of(self.o).eq(leaving.r_data[bits:]),
            leaving.r_en.eq(self.o.ready),
        ]
        # Groups that no tile was promised yet, and places that none was.
        groups = Signal(range(config.trunk_depth + 1))
        places = Signal(range(config.trunk_depth + 1), init=config.trunk_depth)
        needed = Signal.like(layer.full_groups)
        ends = self.tile.ends
        comes = beat & ~old
        m.d.comb += needed.eq(Mux(self.tile.last, layer.last_groups, layer.full_groups))
        m.d.sync += [
            groups.eq(groups + comes - Mux(ends & layer.trunk_add, needed, 0)),
            places.eq(places + (self.o.valid & self.o.ready) - Mux(ends & layer.trunk_store, needed, 0)),
            # In the cycle behind a tile's end, what it takes is not counted yet.
            self.tile_ready.eq(
                (~layer.trunk_add | (~ends & (groups >= needed)))
                & (~layer.trunk_store | (~ends & (places >= needed)))
            ),
        ]
        with m.If(drops):
            m.d.sync += groups.eq(0)
        short: Value = Const(0)
        if config.guarded:
            lasts = Signal.like(groups)
            m.d.sync += lasts.eq(lasts + (comes & self.i.payload.last) - (self.take & last))
            with m.If(drops):
                m.d.sync += lasts.eq(0)
            # All that is there is the waiting tile's, and too few, and the packet has no more.
            short = self.waits & layer.trunk_add & (groups < needed) & (arrived.level == groups)
            short = short & (lasts != 0)
            # Not without a beat: whose it is is undefined then.
            m.d.comb += old.eq(self.i.valid & (self.i.payload.id[config.pass_bits :] != self.image))
            self._tell_strays(m, beat, arrived.level != 0)
        m.d.comb += self.wrong.eq((self.take & wrong) | short)
        return m

    def _tag_of(self, port: Any) -> Value:
        """All of a beat but its integers."""
        return Cat(port.payload.last, port.payload.id) if self._config.guarded else port.payload.last

    def _number(self, m: Module) -> Value:
        """The number of the pass that runs, and of the image."""
        number = Signal(self._config.pass_bits)
        with m.If(self.ended):
            m.d.sync += number.eq(number + 1)
        with m.If(self.finished | self.idle):
            m.d.sync += number.eq(0)
        return Cat(number, self.image)

    def _tell_strays(self, m: Module, comes: Value, left: Value) -> None:
        """Tells of what comes between images, or is left behind one, but for what an error has left."""
        announced = Signal(init=1)
        m.d.comb += self.stray.eq((comes & self.idle & ~announced) | (self.finished & left))
        with m.If(~self.idle):
            m.d.sync += announced.eq(0)
