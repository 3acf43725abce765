"""The engine: one image in, a program of layers, one packet of class scores out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth import Cat, Module, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..config.engine import EngineConfig
from ..interface.host_bus import host_signature
from ..interface.memory_map import MemoryMap
from ..interface.result_ports import result_port
from ..interface.streams import image_layout, rows_per_beat, trunk_layout
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from .array.weight_loader import WeightLoader
from .components import make_results
from .guard import connect_guard, connect_recovery
from .host_port import HostPort
from .loading import connect_loading
from .outlet import Outlet
from .output.column_order import ColumnOrder
from .output.plane_packer import PlanePacker
from .output.trunk_streams import TrunkStreams
from .recovery import Recovery
from .sequencer import Sequencer
from .slice import EngineSlice, tile_latency
from .storing import connect_storing
from .training.operand_port import OperandPort


class Engine(wiring.Component):
    """A bit-plane popcount convolution engine that runs whole networks.

    Ports (all in the `sync` domain, reset drops every `valid`):

    - `i`: stream of image beats (:func:`.streams.image_layout`), NHWC bytes, one image (or batch) per
      packet;
    - `weights`, where weights stream in: beats (:func:`.streams.weights_layout`), a packet per pass;
    - `trunks_o`, `trunks_i`, where residual trunks stream: beats (:func:`.streams.trunk_layout`), a
      packet per pass that keeps a trunk, which comes back for every pass that adds it;
    - `o`: stream of results (:class:`.result_ports.ResultPort`), ``sum(v * a)`` of the last layer, int;
    - `host`: registers and memories (:mod:`dorefa.hw.interface.memory_map`);
    - `status`: `busy`; `first_read` pulses with an image's first feature read, `layer_done` in the
      cycle after a pass's last write or last result;
    - `interrupt`, where the engine is guarded: an error that the host wants to hear of was seen.

    What ends an image (:data:`dorefa.hw.interface.faults.FAULTS`), and the host's reset, end it everywhere
    but in memories and registers; streams that leave keep their protocol (:class:`.Outlet`).

    `memories` preloads the engine: ``program`` (words), ``weights`` (words per row of all engines),
    ``params`` and ``rescale`` (words per memory) and ``registers`` (reset values), as in
    ``CompiledNetwork.memories``.

    Latency of a layer: see :mod:`dorefa.hw.compiler.cycles`, which predicts it to the cycle.
    """

    def __init__(self, config: EngineConfig, *, memories: Mapping[str, Any] | None = None) -> None:
        self._config = config
        self._memories = memories or {}
        ports = {
            "i": In(stream.Signature(image_layout(config))),
            "o": Out(stream.Signature(result_port(config).layout(config))),
            "host": In(host_signature(config)),
            "status": Out(wiring.Signature({"busy": Out(1), "first_read": Out(1), "layer_done": Out(1)})),
            **({"interrupt": Out(1)} if config.guarded else {}),
        }
        super().__init__(ports | weight_source(config).ports(config) | trunk_store(config).ports(config))

    @property
    def config(self) -> EngineConfig:
        """The :class:`EngineConfig`."""
        return self._config

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, memories = self._config, self._memories
        m.submodules.host = host = HostPort(config, init=memories.get("registers"))
        m.submodules.recovery = recovery = Recovery()
        sequencer = Sequencer(config, init=memories.get("program"))
        packer = PlanePacker(config)
        results = make_results(config, ahead=tile_latency(config))
        slices = [
            EngineSlice(config, memories=self._slice_memories(number)) for number in range(config.engines)
        ]
        order = ColumnOrder(config, code_bits=config.stored_bits) if config.cols > 1 else None
        parts = {"sequencer": sequencer, "packer": packer}
        parts |= {f"slice{number}": part for number, part in enumerate(slices)}
        parts |= {"column_order": order} if order is not None else {}
        for name, part in parts.items():
            m.submodules[name] = ResetInserter(recovery.stop)(part)
        layer, lead = sequencer.layer, slices[0]
        wiring.connect(m, wiring.flipped(self.host), host.host)
        self._enter(m, host, self.i, sequencer.i)
        operands, left = self._leave(m, results)
        m.d.comb += [
            sequencer.enable.eq(host.enable),
            sequencer.layers.eq(host.layers),
            sequencer.image_bytes.eq(host.image_bytes),
            sequencer.w_en.eq(host.program_en),
            sequencer.w_address.eq(host.program_address),
            sequencer.w_data.eq(host.program_data),
        ]
        self._send(m, layer, results, slices)
        for part in slices:
            wiring.connect(m, sequencer.table, part.table)
            m.d.comb += [
                part.layer.eq(layer),
                part.start.eq(sequencer.start),
                part.f.en.eq(packer.w_en),
                part.f.address.eq(packer.w_address),
                part.f.data.eq(packer.w_data),
            ]
        self._memory_writes(m, host, slices)
        loader = self._weights(m, host, sequencer, recovery, slices)
        outlets, trunks = [left], None
        if trunk_store(config).streams:
            trunks, outlet = self._trunks(m, host, sequencer, slices)
            outlets.append(outlet)
        connect_loading(m, self.i, host, sequencer, packer, operands)
        stored = connect_storing(m, config, layer, packer, slices, order)
        m.d.comb += [
            # Of a pass only one of both can come.
            sequencer.layer_ended.eq(results.done | stored),
            host.busy.eq(sequencer.busy | recovery.stop),
            self.status.busy.eq(host.busy),
        ]
        m.d.sync += host.wrong_packet.eq(sequencer.wrong_packet)
        connect_recovery(m, host, recovery, sequencer.busy, outlets)
        if config.guarded:
            connect_guard(m, self, host, sequencer, recovery, loader, trunks)
            m.d.comb += self.interrupt.eq(host.interrupt)
        self._count(m, host, sequencer, lead, recovery.stop)
        return m

    def _slice_memories(self, number: int) -> dict[str, list[list[int]]]:
        """The part of the preloaded memories that slice `number` holds."""
        engines = self._config.engines
        return {
            name: contents[number * len(contents) // engines : (number + 1) * len(contents) // engines]
            for name, contents in self._memories.items()
            if name in ("weights", "params", "rescale")
        }

    def _memory_writes(self, m: Module, host: HostPort, slices: list[EngineSlice]) -> None:
        """Parameters from the host port to the slice that holds the memory."""
        memory_map = MemoryMap.of(self._config)
        for window in (memory_map.params, memory_map.rescale):
            if window is None:
                continue
            en, address, data = (getattr(host, f"{window.name}_{part}") for part in ("en", "address", "data"))
            for number, part in enumerate(slices):
                writes = getattr(part, window.name)
                m.d.comb += [
                    writes.en.eq(en.word_select(number, len(writes.en))),
                    writes.address.eq(address),
                    writes.data.eq(data),
                ]

    def _enter(self, m: Module, host: HostPort, outer: wiring.Interface, inner: wiring.Interface) -> None:
        """A stream that comes in; while the host resets the engine it is dropped."""
        m.d.comb += [
            inner.payload.eq(outer.payload),
            inner.valid.eq(outer.valid & ~host.reset),
            outer.ready.eq(inner.ready | host.reset),
        ]

    def _weights(
        self, m: Module, host: HostPort, sequencer: Sequencer, recovery: Recovery, slices: list[EngineSlice]
    ) -> WeightLoader | None:
        """Weights from the host port, or from their stream, through what is returned."""
        config, layer = self._config, sequencer.layer
        rows = range(config.total_rows)
        loader = None
        if not weight_source(config).streams:
            together, ready = 1, 1
            enables, address, words = host.weights_en, host.weights_address, host.weights_data
        else:
            loader = WeightLoader(config)
            # Where it is guarded, it knows by itself what to forget.
            m.submodules.weight_loader = loader if config.guarded else ResetInserter(recovery.stop)(loader)
            self._enter(m, host, self.weights, loader.i)
            m.d.comb += [
                loader.image_begins.eq(sequencer.image_begins),
                loader.passes.eq(sequencer.taken_layers),
                loader.finished.eq(sequencer.finished),
                loader.taken.eq(sequencer.ended),
                loader.expected.eq(layer.weight_words),
            ]
            if not config.guarded:
                m.d.sync += host.wrong_weights.eq(loader.wrong & sequencer.ended)
            if config.training:
                m.d.comb += loader.hold.eq(sequencer.taken_job.hold_weights)
            address, together, ready = loader.w_address, rows_per_beat(config), loader.available
            enables, words = loader.w_en, loader.w_data
        for number, part in enumerate(slices):
            own = rows[number * config.rows : (number + 1) * config.rows]
            m.d.comb += [
                part.weights_ready.eq(ready),
                part.weights.en.eq(Cat(enables[row] for row in own)),
                part.weights.address.eq(address),
                part.weights.data.eq(Cat(words.word_select(row % together, config.lanes) for row in own)),
            ]
        return loader

    def _trunks(
        self, m: Module, host: HostPort, sequencer: Sequencer, slices: list[EngineSlice]
    ) -> tuple[TrunkStreams, Outlet]:
        """Residual trunks from and to their streams, through what is returned; slices do everything at the
        same time."""
        trunks, layout = TrunkStreams(self._config), trunk_layout(self._config)
        m.submodules.trunks_outlet = outlet = Outlet(layout)
        m.submodules.trunks = ResetInserter(outlet.reset)(trunks)
        self._enter(m, host, self.trunks_i, trunks.i)
        wiring.connect(m, trunks.o, outlet.i)
        wiring.connect(m, outlet.o, wiring.flipped(self.trunks_o))
        lead = slices[0].trunk
        m.d.comb += [
            trunks.layer.eq(sequencer.layer),
            trunks.finished.eq(sequencer.finished),
            trunks.kept.eq(Cat(part.trunk.kept for part in slices)),
            *(
                getattr(trunks, name).eq(getattr(lead, name))
                for name in ("tile", "take", "take_last", "keep", "keep_last")
            ),
        ]
        for number, part in enumerate(slices):
            m.d.comb += [
                part.trunk.tile_ready.eq(trunks.tile_ready),
                part.trunk.taken.eq(trunks.taken.word_select(number, len(part.trunk.taken))),
            ]
        if self._config.guarded:
            m.d.comb += trunks.waits.eq(lead.waits)
        else:
            m.d.sync += host.wrong_trunks.eq(trunks.wrong)
        return trunks, outlet

    def _leave(self, m: Module, results: wiring.Component) -> tuple[OperandPort | None, Outlet]:
        """Results to the outlet of their port, which is returned; where the engine trains through what brings
        its operands, which is returned too, behind the codes of these."""
        m.submodules.outlet = outlet = Outlet(result_port(self._config).layout(self._config))
        m.submodules.results = ResetInserter(outlet.reset)(results)
        wiring.connect(m, outlet.o, wiring.flipped(self.o))
        if not self._config.training:
            wiring.connect(m, results.o, outlet.i)
            return None, outlet
        operands = OperandPort(self._config)
        m.submodules.operands = ResetInserter(outlet.reset)(operands)
        wiring.connect(m, results.o, operands.sums)
        wiring.connect(m, operands.o, outlet.i)
        return operands, outlet

    def _send(
        self, m: Module, layer: data.View, results: wiring.Component, slices: list[EngineSlice]
    ) -> None:
        """Accumulators of the last layer to what sends them."""
        config, lead = self._config, slices[0]
        whole_groups = result_port(config).whole_groups
        if whole_groups:
            m.d.comb += [results.layer.eq(layer), results.tile.eq(lead.raw.tile)]
        else:
            m.d.comb += results.ends_image.eq(layer.ends_image)
        m.d.comb += [results.valid.eq(lead.raw.valid), results.group.eq(lead.raw.group)]
        for into, name in ((results.values, "values"), (results.offsets, "offsets")):
            parts = (value for part in slices for value in getattr(part.raw, name))
            m.d.comb += [port.eq(value) for port, value in zip(into, parts, strict=True)]
        for part in slices:
            if whole_groups:
                m.d.comb += part.raw.tile_ready.eq(results.tile_ready)
            else:
                m.d.comb += part.raw.ready.eq(results.ready)

    def _count(self, m: Module, host: HostPort, sequencer: Sequencer, lead: EngineSlice, stop: Value) -> None:
        """Status signals, and the cycles of an image from its first read to its last result."""
        running, ended = Signal(), Signal()
        # From the first read to the cycle of the last result, both included, and kept in the one after it.
        counter = Signal(32, init=1)
        first_read = lead.first_read & ~running
        m.d.comb += self.status.first_read.eq(first_read)
        m.d.sync += [self.status.layer_done.eq(sequencer.ended), ended.eq(sequencer.finished)]
        with m.If(running):
            m.d.sync += counter.eq(counter + 1)
        with m.Else():
            m.d.sync += counter.eq(1)
        with m.If(ended):
            m.d.sync += [running.eq(0), host.cycles.eq(counter)]
        with m.Elif(first_read):
            m.d.sync += running.eq(1)
        with m.If(stop):
            m.d.sync += [running.eq(0), ended.eq(0)]
