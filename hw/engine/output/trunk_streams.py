"""Residual trunks outside of the engine: they leave in a stream and come back in one."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface import program
from ...interface.streams import trunk_layout
from ..array.array import tile_layout


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
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, layer, bits = self._config, self.layer, self._bits
        arrived, leaving = (SyncFIFOBuffered(width=bits + 1, depth=config.trunk_depth) for _ in range(2))
        m.submodules.arrived = ResetInserter(self.finished)(arrived)
        m.submodules.leaving = leaving
        m.d.comb += [
            self.i.ready.eq(arrived.w_rdy),
            arrived.w_en.eq(self.i.valid),
            arrived.w_data.eq(self.i.payload.data[:bits]),
            arrived.w_data[bits].eq(self.i.payload.last),
            arrived.r_en.eq(self.take),
            self.taken.eq(arrived.r_data),
            self.wrong.eq(self.take & (arrived.r_data[bits] != self.take_last)),
            leaving.w_en.eq(self.keep),
            leaving.w_data.eq(self.kept),
            leaving.w_data[bits].eq(self.keep_last),
            self.o.valid.eq(leaving.r_rdy),
            self.o.payload.data.eq(leaving.r_data[:bits]),
            self.o.payload.last.eq(leaving.r_data[bits]),
            leaving.r_en.eq(self.o.ready),
        ]
        # Groups that no tile was promised yet, and places that none was.
        groups = Signal(range(config.trunk_depth + 1))
        places = Signal(range(config.trunk_depth + 1), init=config.trunk_depth)
        needed = Signal.like(layer.full_groups)
        ends = self.tile.ends
        m.d.comb += needed.eq(Mux(self.tile.last, layer.last_groups, layer.full_groups))
        m.d.sync += [
            groups.eq(groups + (self.i.valid & self.i.ready) - Mux(ends & layer.trunk_add, needed, 0)),
            places.eq(places + (self.o.valid & self.o.ready) - Mux(ends & layer.trunk_store, needed, 0)),
            # In the cycle behind a tile's end, what it takes is not counted yet.
            self.tile_ready.eq(
                (~layer.trunk_add | (~ends & (groups >= needed)))
                & (~layer.trunk_store | (~ends & (places >= needed)))
            ),
        ]
        with m.If(self.finished):
            m.d.sync += groups.eq(0)
        return m
