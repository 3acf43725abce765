"""From a lowered network to the program and memory images of one engine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from ..interface import program
from ..interface.load_check import checked, load_crc
from ..interface.memory_map import MemoryMap
from ..interface.registers import REGISTERS
from ..interface.trunk_stores import trunk_store
from ..interface.weight_sources import weight_source
from .cycles import PassCycles, before_first_read
from .descriptor import descriptor
from .memory_images import append_params, append_rescale, param_rows, weight_words
from .passes import Pass
from .plan import Plan
from .schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class CompiledLayer:
    """What a layer should cost.

    `out_shape` (H, W, C) and `out_bits` are those of its codes (None for a layer without). `binary_ops`
    counts one AND and one count of a bit as one. `cycles` is the sum over its `passes` (numbers in
    the program), `bound` what the tiling alone allows, `bound_by` what the layer waits for.
    `merged_groups` neighboring channel groups are computed as one. `shares` are the fractions of
    the array that work in these `bound` cycles: ``products`` that are no zeros between merged groups, and
    ``lanes``, ``rows`` and ``columns`` that are not idle.

    Where weights stream in: `transfer_cycles` that they take on the port, `waiting_cycles`, the part of
    `cycles` without computing until they are there, `bytes_per_cycle`, the least rate with which
    the layer would not be bound by their transfer, and `compute_bound_batch`, the least batch with
    which it would not (None unless the layer has one pixel per image). Where residual trunks stream:
    `trunk_bytes_in` that the layer adds and `trunk_bytes_out` that it keeps; `waiting_cycles` then
    include waiting for these. All counts are those of one packet.
    """

    name: str
    out_shape: tuple[int, int, int]
    out_bits: int | None
    binary_ops: int
    cycles: int
    bound: int
    bound_by: str
    passes: range
    merged_groups: int
    shares: dict[str, Fraction]
    transfer_cycles: int
    waiting_cycles: int
    bytes_per_cycle: float
    compute_bound_batch: int | None
    trunk_bytes_in: int
    trunk_bytes_out: int


# Of the watchdog: times the predicted cycles of an image, and cycles that a host may pause.
_PATIENCE, _PAUSE = 2, 1 << 16


class CompiledNetwork:
    """A network on one engine: its `plan`, `layers`, `memories`, and `weight_packets`: per pass the words of
    each row, where weights stream in.

    `memories` has ``program`` (32-bit words), ``weights`` (per row, words of `lanes` bits), ``params``
    and ``rescale`` (per parameter memory, words) and ``registers`` (words of layers, image_bytes, control).
    Every list is only as long as the network needs.
    """

    def __init__(
        self,
        plan: Plan,
        layers: tuple[CompiledLayer, ...],
        memories: dict[str, Any],
        weight_packets: list[list[list[int]]],
    ) -> None:
        self.plan = plan
        self.layers = layers
        self.memories = memories
        self.weight_packets = weight_packets

    @property
    def config(self) -> EngineConfig:
        """The engine's configuration."""
        return self.plan.config

    @property
    def network(self) -> IntegerNetwork:
        """The integer network, :func:`dorefa.hw.compiler.batch.batched`."""
        return self.plan.given

    @property
    def schedule(self) -> Schedule:
        """The schedule of what :func:`dorefa.hw.compiler.merged_groups.merged` makes of the network."""
        return self.plan.schedule

    def host_writes(self) -> Iterator[tuple[int, int]]:
        """Yields (word address, 32-bit word) pairs that load the network through the host port, and check
        what was loaded where the engine can; the last one enables the engine."""
        yield from checked(self.config, self._memory_writes())
        yield from self._register_writes()

    @cached_property
    def load_crc(self) -> int:
        """CRC-32 of what is loaded into memories (:func:`dorefa.hw.interface.load_check.load_crc`)."""
        return load_crc(self._memory_writes())

    def _memory_writes(self) -> Iterator[tuple[int, int]]:
        memory_map = MemoryMap.of(self.config)
        for address, word in enumerate(self.memories["program"]):
            yield from memory_map.writes(memory_map.program, 0, address, word)
        for window in (memory_map.weights, memory_map.params, memory_map.rescale):
            if window is None:
                continue
            for number, words in enumerate(self.memories[window.name]):
                for address, word in enumerate(words):
                    yield from memory_map.writes(window, number, address, word)

    def register_writes(self) -> Iterator[tuple[int, int]]:
        """:meth:`host_writes` of an engine whose memories hold the network already: a load of nothing, which
        is checked as any other, and the registers."""
        yield from checked(self.config, ())
        yield from self._register_writes()

    def _register_writes(self) -> Iterator[tuple[int, int]]:
        for name in ("layers", "image_bytes", "watchdog", "control"):
            if name in self.memories["registers"]:
                yield REGISTERS[name].address, self.memories["registers"][name]

    @cached_property
    def cycles(self) -> int:
        """Predicted cycles per packet of `batch` images."""
        return sum(layer.cycles for layer in self.layers)

    @property
    def latency(self) -> int:
        """Cycles from the one in which the first beat of a packet of images is taken to the one in which its
        last result leaves, where no port waits."""
        return before_first_read(self.network, self.config) + self.cycles - 1

    @property
    def interval(self) -> int:
        """Cycles from a packet of images to the next one, which is taken when the results of the one before
        have left, where no port waits."""
        # The sequencer clears up between the two.
        return self.latency + 2

    @property
    def stream_bytes(self) -> int:
        """Bytes of weights that stream in for every packet."""
        return self.config.port_bytes * sum(layer.transfer_cycles for layer in self.layers)

    @property
    def trunk_stream_bytes(self) -> int:
        """Bytes of residual trunks that stream out for every packet, and in."""
        return sum(layer.trunk_bytes_in + layer.trunk_bytes_out for layer in self.layers)

    @property
    def memory_bits(self) -> dict[str, int]:
        """Bits that the network fills of each memory of the engine; of streamed weights, both halves."""
        memory_map, config = MemoryMap.of(self.config), self.config
        words = [part.geometry.weight_words for part in self.schedule.passes]
        weight_words = weight_source(config).least_depth(words) * config.total_rows
        result = {
            "program": 32 * len(self.memories["program"]),
            "weights": config.lanes * weight_words,
            "params": memory_map.params.width * sum(map(len, self.memories["params"])),
        }
        if memory_map.rescale is not None:
            result["rescale"] = memory_map.rescale.width * sum(map(len, self.memories["rescale"]))
        return result


def compile_network(network: IntegerNetwork, config: EngineConfig) -> CompiledNetwork:
    """Program and memory images that run `network` on an engine of `config`.

    Raises :class:`InputError` with the first problem; :func:`dorefa.hw.compiler.plan.find_problems` lists
    them all.
    """
    return compile_plan(Plan.of(network, config))


def compile_plan(plan: Plan) -> CompiledNetwork:
    """:func:`compile_network` of a plan that is there already."""
    if plan.problems:
        raise InputError(plan.problems[0])
    memories, packets = _images(plan)
    layers = _layers(plan)
    memories["registers"] = {
        "layers": REGISTERS["layers"].encode(layers=len(plan.schedule.passes)),
        "image_bytes": REGISTERS["image_bytes"].encode(image_bytes=math.prod(plan.network.input_shape)),
        "control": REGISTERS["control"].encode(enable=1),
    }
    if plan.config.guarded:
        limit = watchdog_limit(sum(layer.cycles for layer in layers))
        memories["registers"]["watchdog"] = REGISTERS["watchdog"].encode(watchdog=limit)
    return CompiledNetwork(plan, layers, memories, packets)


def watchdog_limit(cycles: int) -> int:
    """The watchdog's limit for images of so many predicted cycles: more than any of their passes takes, and
    time for a host that pauses."""
    return min(_PATIENCE * cycles + _PAUSE, REGISTERS["watchdog"].fields[0].greatest)


def _images(plan: Plan) -> tuple[dict[str, Any], list[list[list[int]]]]:
    """(contents of the memories, packets of weights where these stream in)."""
    config, source = plan.config, weight_source(plan.config)
    memories = _empty_memories(config)
    used, packets = 0, []
    for number, part in enumerate(plan.schedule.passes):
        layer = plan.network.layers[part.layer]
        values = descriptor(
            plan.schedule,
            number,
            config,
            plan.network,
            weight_base=source.base(number, used, config),
            param_base=len(memories["params"][0]),
        )
        name = layer.name if part.parts == 1 else f"{layer.name} pass {part.part}"
        memories["program"] += program.encode(config, name, values)
        words = weight_words(part)
        used += part.geometry.weight_words
        if source.streams:
            packets.append(words)
        else:
            for image, own in zip(memories["weights"], words, strict=True):
                image += own
        if part.part == 0:
            rows, fills = param_rows(layer, part.geometry, config)
        append_params(memories["params"], part, rows, fills, config)
        if config.trunk_bits:
            append_rescale(memories["rescale"], part, layer, config)
    return memories, packets


def _empty_memories(config: EngineConfig) -> dict[str, Any]:
    memory_map = MemoryMap.of(config)
    memories: dict[str, Any] = {
        "program": [],
        "weights": [[] for _ in range(config.total_rows if weight_source(config).preloads else 0)],
        "params": [[] for _ in range(memory_map.params.memories)],
    }
    if memory_map.rescale is not None:
        memories["rescale"] = [[] for _ in range(memory_map.rescale.memories)]
    return memories


def _layers(plan: Plan) -> tuple[CompiledLayer, ...]:
    """One CompiledLayer per layer of the network that was given, from the predictions of its passes."""
    config, result, first = plan.config, [], 0
    for index, (layer, computed) in enumerate(zip(plan.given.layers, plan.network.layers, strict=True)):
        passes = plan.schedule.of_layer(index)
        count = len(passes)
        costs = plan.pass_cycles[first : first + count]
        result.append(
            CompiledLayer(
                name=layer.name,
                out_shape=layer.out_shape,
                out_bits=layer.out_bits,
                binary_ops=layer.macs * layer.w_bits * layer.a_bits,
                cycles=sum(cost.cycles for cost in costs),
                bound=sum(cost.bound for cost in costs),
                passes=range(first, first + count),
                merged_groups=layer.groups // computed.groups,
                shares=_shares(layer, computed, passes),
                **_transfer(layer, costs, config),
                **_trunk_bytes(computed, passes, config),
            )
        )
        first += count
    return tuple(result)


def _shares(layer: IntegerLayer, computed: IntegerLayer, passes: Sequence[Pass]) -> dict[str, Fraction]:
    """CompiledLayer.shares of a layer that is computed as `computed`."""
    geometry = passes[0].geometry
    channels, reduction = len(layer.codes), layer.codes[0].size
    tiles = sum(part.geometry.groups * part.geometry.tiles for part in passes)
    merged_reduction = computed.codes[0].size
    return {
        "products": Fraction(reduction * layer.w_bits, merged_reduction * computed.w_bits),
        "lanes": Fraction(merged_reduction, geometry.words * geometry.lanes),
        "rows": Fraction(channels, tiles * geometry.rows),
        "columns": Fraction(layer.macs, layer.codes.size * geometry.sets * geometry.cols),
    }


def _trunk_bytes(layer: IntegerLayer, passes: Sequence[Pass], config: EngineConfig) -> dict[str, Any]:
    """The fields of a CompiledLayer that say what streams of its residual trunk."""
    size = trunk_store(config).stream_bytes([part.geometry for part in passes], config)
    return {
        "trunk_bytes_in": size if layer.add is not None else 0,
        "trunk_bytes_out": size if layer.trunk else 0,
    }


def _transfer(layer: IntegerLayer, costs: Sequence[PassCycles], config: EngineConfig) -> dict[str, Any]:
    """The fields of a CompiledLayer that compare computing with the transfer of weights."""
    transfer, steady = sum(cost.transfer for cost in costs), sum(cost.steady for cost in costs)
    bound_by = "transfer"
    if transfer <= steady:
        computed = [cost for cost in costs if cost.bound_by != "transfer"]
        bound_by = max(computed, key=lambda cost: cost.steady).bound_by
    one_pixel = layer.conv_shape[:2] == (1, config.batch)
    return {
        "bound_by": bound_by,
        "transfer_cycles": transfer,
        "waiting_cycles": sum(cost.cycles - cost.computing for cost in costs),
        "bytes_per_cycle": transfer * config.port_bytes / steady,
        "compute_bound_batch": -(-transfer * config.batch // steady) if transfer and one_pixel else None,
    }


def per_image(count: float, config: EngineConfig) -> float:
    """Part of a packet's `count` that falls to each of its images."""
    return count / config.batch if config.batch > 1 else count
