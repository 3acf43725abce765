"""Accumulators of the last layer leave the engine, a group of channels a beat."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface import program
from ...interface.result_ports import result_port
from ...lib.delay import delayed
from ..array.array import tile_layout
from .drain import group_layout

# From a group's write to the queue to its beat.
_QUEUE = 2


def _tile_groups(config: EngineConfig) -> int:
    """Groups of the largest tile. The last layer has one pixel where there are several columns, so that one
    column alone leaves groups."""
    return -(-config.rows // config.quant)


class WideResults(wiring.Component):
    """A queue of groups between the drain and the result port, a group a beat.

    Nothing between array and queue can wait, so a tile of the last layer ends only where there is room for
    all of its groups: `tile_ready`. `ahead` is the number of cycles from a tile's end to its first group;
    the queue holds two tiles and what is on its way then, so that a port that is always ready
    makes no tile wait.

    Ports: `layer`; `tile` (:func:`.array.tile_layout` of the tile that is computed; `ends` pulses with its
    last step) and `tile_ready`, whether it may end; `valid`, `values`, `group`, a group in every cycle
    if need be; `offsets`, one cycle behind it, what its accumulators still lack (the constant correction of
    XNOR products; their sums have `acc_bits` too); `o`, stream of results
    (:class:`.result_ports.ResultPort`); `done` pulses with the transfer of the pass's last.

    `queue` is the queue, `spare` counts its places that no tile was promised, beyond those of the largest.

    Latency: :meth:`latency` cycles from a group to its beat.
    """

    def __init__(self, config: EngineConfig, *, ahead: int) -> None:
        self._config = config
        accumulators = signed(config.acc_bits)
        self._entry = data.StructLayout(
            {
                "sums": data.ArrayLayout(accumulators, config.total_quant),
                "count": config.total_quant.bit_length(),
                "ends_layer": 1,
                "last": 1,
            }
        )
        most = _tile_groups(config)
        depth = 2 * most + ahead + self.latency(config) - 1
        self.queue = SyncFIFOBuffered(width=self._entry.size, depth=depth)
        self.spare = Signal(range(-most, depth - most + 1), init=depth - most)
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "tile": In(tile_layout()),
                "tile_ready": Out(1),
                "valid": In(1),
                "values": In(accumulators).array(config.total_quant),
                "offsets": In(accumulators).array(config.total_quant),
                "group": In(group_layout(config)),
                "o": Out(stream.Signature(result_port(config).layout(config))),
                "done": Out(1),
            }
        )

    @staticmethod
    def latency(config: EngineConfig) -> int:
        """Cycles from a group to its beat, where none is before it."""
        # A register behind the drain; with offsets another one behind the memory that they come from.
        return (2 if config.xnor else 1) + _QUEUE

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, layer, lanes = self._config, self.layer, self._config.total_quant
        m.submodules.queue = queue = self.queue
        written, first = Signal(self._entry), data.View(self._entry, queue.r_data)
        sent = data.View(data.ArrayLayout(signed(config.result_bits), lanes), self.o.payload.data)
        exist = [first.count > lane for lane in range(lanes)]
        stages = self.latency(config) - _QUEUE
        about = Cat(self.group.count, self.group.ends_layer, self.group.ends_layer & layer.ends_image)
        for lane, value in enumerate(self.values):
            total = delayed(m, value, stages, f"value_{lane}", reset_less=True)
            if config.xnor:
                total = total + delayed(m, self.offsets[lane], 1, f"offset_{lane}", reset_less=True)
            m.d.comb += [written.sums[lane].eq(total), sent[lane].eq(first.sums[lane])]
        m.d.comb += [
            Cat(written.count, written.ends_layer, written.last).eq(
                delayed(m, about, stages, "about", reset_less=True)
            ),
            queue.w_en.eq(delayed(m, self.valid, stages, "valid")),
            queue.w_data.eq(written),
            queue.r_en.eq(self.o.ready),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.keep.eq(Cat(kept.replicate(config.result_bits // 8) for kept in exist)),
            self.o.payload.last.eq(first.last),
            self.done.eq(self.o.valid & self.o.ready & first.ends_layer),
        ]
        self._promise(m)
        return m

    def _promise(self, m: Module) -> None:
        """Whether a tile may end."""
        layer, spare = self.layer, self.spare
        promised = Signal.like(layer.full_groups)
        with m.If(self.tile.ends & layer.raw):
            m.d.comb += promised.eq(Mux(self.tile.last, layer.last_groups, layer.full_groups))
        m.d.sync += spare.eq(spare + (self.o.valid & self.o.ready) - promised)
        m.d.comb += self.tile_ready.eq(~layer.raw | (spare >= 0))
