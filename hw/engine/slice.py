"""One engine of several that compute different channels of the same pixels in lock-step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import and_
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..config.engine import EngineConfig
from ..interface import program
from ..interface.memory_map import MemoryMap
from ..interface.quantizers import quantizer_of
from ..interface.result_ports import result_port
from ..interface.trunk_stores import trunk_store
from ..lib.delay import delayed
from ..lib.flat import FlatSignature
from .array.array import DotArray, array_latency, tile_layout
from .array.issue import Issue
from .array.weight_memory import WeightMemory
from .components import make_quantizer, make_reader
from .output.drain import Drain, group_layout
from .output.pool import WindowPool, pool_latency
from .output.residual import Residual
from .reader.feature_memory import FeatureMemory
from .reader.patch_buffer import PatchBuffer
from .reader.run_generator import RunGenerator


def trunk_signature(config: EngineConfig) -> wiring.Signature:
    """A slice's side of :class:`.trunk_streams.TrunkStreams`: its ports of these names, for the `quant`
    channels of one slice."""
    bits = config.quant * config.trunk_bits
    return wiring.Signature(
        {
            "tile": Out(tile_layout()),
            "waits": Out(1),
            "tile_ready": In(1),
            "take": Out(1),
            "take_last": Out(1),
            "taken": In(bits),
            "keep": Out(1),
            "keep_last": Out(1),
            "kept": Out(bits),
        }
    )


def raw_signature(config: EngineConfig) -> FlatSignature:
    """A slice's side of the results, :class:`.results.Results` or :class:`.wide_results.WideResults`: its
    ports of these names, for the `quant` channels of one slice."""
    values = signed(config.acc_bits)
    paced = {"tile": Out(tile_layout()), "tile_ready": In(1)}
    return FlatSignature(
        {
            "valid": Out(1),
            **(paced if result_port(config).whole_groups else {"ready": In(1)}),
            "values": Out(values).array(config.quant),
            "offsets": Out(values).array(config.quant),
            "group": Out(group_layout(config)),
        }
    )


def _writes(address: ShapeLike, data: ShapeLike, en: ShapeLike = 1) -> FlatSignature:
    """The port that writes memories, `en` of them, seen from the writer."""
    return FlatSignature({"en": Out(en), "address": Out(address), "data": Out(data)})


def tile_latency(config: EngineConfig) -> int:
    """Cycles from a tile's last step to its first group."""
    return PatchBuffer.latency + array_latency(config) + Drain.latency


def pipeline_latency(config: EngineConfig) -> int:
    """Cycles from the drain's group to its pooled codes: trunk, sums, quantizer, pooling."""
    latency = quantizer_of(config).latency(config) + pool_latency(config)
    if config.trunk_bits:
        latency += Residual.latency
    if config.sum_values:
        latency += pool_latency(config)
    return latency


class EngineSlice(wiring.Component):
    """Everything from the feature memory to pooled codes for `rows` of the output channels.

    Slices of one engine have equal feature memories and run the same program at the same time; slice e
    has channels ``[e * quant, (e + 1) * quant)`` of every group of ``engines * quant``.

    Ports:

    - `layer` (descriptor), `table` (:func:`.program.table_signature`, distances for the run generator),
      `start`;
    - `f`, `weights`, `params` and, with residual trunks, `rescale`: `en`, `address` and `data` of writes to
      the feature memory, the weights (an `en` per row; `data` of all rows side by side) and the parameters
      (an `en` per memory);
    - `weights_ready` while the pass's weights are there;
    - `raw`, groups of accumulators for the results (:func:`raw_signature`), their `offsets` a cycle after
      the group is taken;
    - `valid`, `codes`, `group`: pooled codes for the packer; `set_ends` and `columns`: a set's last group,
      whether it is valid or not, and the pixels that the set leaves;
    - `trunk_ends` when a layer without codes has stored its last group; `first_read`;
    - `trunk`, where residual trunks stream (:func:`trunk_signature`).

    `memories`: this slice's contents of a preloaded engine (``weights``, ``params``, ``rescale``).

    Latency: from a tile's last step to its first group :func:`tile_latency`, from there to pooled codes
    :func:`pipeline_latency`.
    """

    def __init__(
        self, config: EngineConfig, *, memories: Mapping[str, list[list[int]]] | None = None
    ) -> None:
        self._config = config
        self._memories = memories or {}
        memory_map = MemoryMap.of(config)
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "table": In(program.table_signature(config)),
                "start": In(1),
                "f": In(
                    _writes((config.feature_depth - 1).bit_length(), config.fetch_planes * config.fetch_bits)
                ),
                "weights": In(
                    _writes(range(max(2, config.weight_depth)), config.rows * config.lanes, en=config.rows)
                ),
                **{
                    name: In(_writes(**window.write_ports(config.engines)))
                    for name, window in (("params", memory_map.params), ("rescale", memory_map.rescale))
                    if window is not None
                },
                "weights_ready": In(1),
                "raw": Out(raw_signature(config)),
                "valid": Out(1),
                "codes": Out(config.quant * config.stored_bits),
                "group": Out(group_layout(config)),
                "set_ends": Out(1),
                "columns": Out(range(config.cols + 1)),
                "trunk_ends": Out(1),
                "first_read": Out(1),
                **({"trunk": Out(trunk_signature(config))} if trunk_store(config).streams else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, layer = self._config, self.layer
        m.submodules.run_generator = runs = RunGenerator(config)
        m.submodules.window_reader = reader = make_reader(config)
        m.submodules.feature = feature = FeatureMemory(config)
        m.submodules.patch = patch = PatchBuffer(config)
        m.submodules.weights = weights = WeightMemory(config, init=self._memories.get("weights"))
        m.submodules.issue = issue = Issue(config)
        m.submodules.array = array = DotArray(config)
        m.submodules.drain = drain = Drain(config)
        wiring.connect(m, wiring.flipped(self.table), runs.table)
        wiring.connect(m, runs.o, reader.runs)
        wiring.connect(m, reader.w, patch.w)
        for part in (runs, reader, issue, drain):
            m.d.comb += [part.layer.eq(layer), part.start.eq(self.start)]
        m.d.comb += [
            feature.w_en.eq(self.f.en),
            feature.w_address.eq(self.f.address),
            feature.w_data.eq(self.f.data),
            weights.w_en.eq(self.weights.en),
            weights.w_address.eq(self.weights.address),
            weights.w_data.eq(self.weights.data),
            # Feature memory to patches.
            feature.r_address.eq(reader.r_address),
            reader.bits.eq(feature.o),
            issue.filled.eq(reader.filled),
            reader.released.eq(issue.released),
            self.first_read.eq(reader.first_read),
            # Patches and weights to the array: both memories answer at the same time.
            issue.weights_ready.eq(self.weights_ready),
            patch.slot.eq(issue.slot),
            patch.word.eq(issue.word),
            weights.address.eq(delayed(m, issue.weight, patch.latency - weights.latency, "weight")),
            array.a.eq(patch.a),
            array.w.eq(weights.w),
            array.step.eq(delayed(m, issue.step, patch.latency, "step")),
            array.tile.eq(delayed(m, issue.tile, patch.latency, "tile")),
            drain.captured.eq(array.captured),
            *(kept.eq(acc) for kept, acc in zip(drain.acc, array.acc, strict=True)),
            *(kept.eq(acc) for kept, acc in zip(drain.sums, array.sums, strict=True)),
            self.raw.valid.eq(drain.valid & layer.raw),
            self.raw.group.eq(drain.group),
            *(out.eq(value) for out, value in zip(self.raw.values, drain.values, strict=True)),
        ]
        if config.a_bits > 1:  # one plane needs no choice
            m.d.comb += patch.plane.eq(issue.plane)
        self._pace(m, issue, drain)
        self._staircase(m, drain)
        return m

    def _pace(self, m: Module, issue: Issue, drain: Drain) -> None:
        """What tiles wait for: streamed trunks, results."""
        config = self._config
        ready: list[Value] = []
        if trunk_store(config).streams:
            m.d.comb += [self.trunk.tile.eq(issue.tile), self.trunk.waits.eq(issue.tile_waits)]
            ready.append(self.trunk.tile_ready)
        if result_port(config).whole_groups:
            m.d.comb += self.raw.tile.eq(issue.tile)
            ready.append(self.raw.tile_ready)
        else:
            m.d.comb += [issue.drained.eq(drain.drained), drain.ready.eq(self.raw.ready)]
        if ready:
            m.d.comb += issue.tile_ready.eq(reduce(and_, ready))

    def _staircase(self, m: Module, drain: Drain) -> None:
        """Accumulators to codes: residual trunk, sums, quantizer, pooling."""
        config, layer = self._config, self.layer
        valid, values, group = drain.valid & ~layer.raw, drain.values, drain.group
        if config.trunk_bits:
            m.submodules.residual = residual = Residual(config, init=self._memories.get("rescale"))
            m.d.comb += [
                residual.layer.eq(layer),
                residual.valid.eq(valid),
                residual.group.eq(group),
                *(into.eq(value) for into, value in zip(residual.values, values, strict=True)),
                *(
                    getattr(residual, f"w_{part}").eq(getattr(self.rescale, part))
                    for part in ("en", "address", "data")
                ),
                self.trunk_ends.eq(residual.o_valid & layer.trunk_only & residual.o_group.ends_layer),
            ]
            if trunk_store(config).streams:
                m.d.comb += [
                    self.trunk.take.eq(valid & layer.trunk_add),
                    self.trunk.take_last.eq(group.ends_layer),
                    residual.taken.eq(self.trunk.taken),
                    self.trunk.keep.eq(residual.o_valid & layer.trunk_store),
                    self.trunk.keep_last.eq(residual.o_group.ends_layer),
                    self.trunk.kept.eq(residual.kept),
                ]
            valid = residual.o_valid & ~layer.trunk_only
            values, group = residual.o_values, residual.o_group
        if config.sum_values:
            m.submodules.sums = sums = WindowPool(config, shape=signed(config.acc_bits), operations=("sum",))
            m.d.comb += [
                sums.enable.eq(layer.pool_values),
                sums.valid.eq(valid),
                sums.group.eq(group),
                *(into.eq(value) for into, value in zip(sums.values, values, strict=True)),
            ]
            valid, values, group = sums.o_valid, sums.o_values, sums.o_group

        m.submodules.quantizer = quantizer = make_quantizer(config, init=self._memories.get("params"))
        # Raw results take their offsets from the parameters of the group that leaves the drain.
        param = group.param
        if config.xnor:
            param = Mux(layer.raw, drain.next_param, group.param)
        m.d.comb += [
            *(into.eq(value) for into, value in zip(quantizer.values, values, strict=True)),
            *(
                out.eq(Mux(layer.bare_sums, 0, value) if config.training else value)
                for out, value in zip(self.raw.offsets, quantizer.offsets, strict=True)
            ),
            *(
                getattr(quantizer, f"w_{part}").eq(getattr(self.params, part))
                for part in ("en", "address", "data")
            ),
            quantizer.param.eq(param),
            quantizer.code_mask.eq(layer.code_mask),
        ]
        operations = ("max", "sum") if config.sum_codes else ("max",)
        m.submodules.pool = pool = WindowPool(config, shape=config.stored_bits, operations=operations)
        quantizing = quantizer_of(config).latency(config)
        m.d.comb += [
            pool.enable.eq(layer.pool),
            pool.valid.eq(delayed(m, valid, quantizing, "quantizing")),
            pool.group.eq(delayed(m, group, quantizing, "group", reset_less=True)),
            *(into.eq(code) for into, code in zip(pool.values, quantizer.codes, strict=True)),
            self.valid.eq(pool.o_valid),
            self.codes.eq(Cat(pool.o_values)),
            self.group.eq(pool.o_group),
        ]
        if config.sum_codes:
            m.d.comb += pool.sums.eq(layer.pool_sums)
        if config.cols > 1:
            # A set ends whether or not its last pixel ends a window.
            latency = pipeline_latency(config)
            ends = drain.valid & drain.group.ends_set & ~layer.raw
            if config.trunk_bits:
                ends = ends & ~layer.trunk_only
            place = drain.group.place
            columns = Signal.like(self.columns)
            m.d.comb += [
                columns.eq(drain.group.column + (place.x_closes & place.y_closes)),
                self.set_ends.eq(delayed(m, ends, latency, "set_ends")),
                self.columns.eq(delayed(m, columns, latency, "columns")),
            ]
