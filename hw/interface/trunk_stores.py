"""Where residual trunks are kept until they are added: nowhere, in a memory, or outside of the engine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from amaranth import Shape, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import In, Member, Out

from dorefa.golden.lowering.integer_network import IntegerLayer, IntegerNetwork

from ..config.engine import EngineConfig
from .streams import trunk_bytes, trunk_layout

# At most so many groups of streamed trunks are in the pipeline.
_GROUPS_ON_THEIR_WAY = 32


@dataclass(frozen=True)
class TrunkStore:
    """What an engine, its program and its compiler need to know of where residual trunks are kept: here of
    an engine without them. `exists`: layers may have trunks; `streams`: they leave and come back through
    ports; `memory`, `unit`: what `trunk_depth` counts."""

    exists: bool = False
    streams: bool = False
    memory: str = "trunk memory"
    unit: str = "channel groups"

    def ports(self, config: EngineConfig) -> dict[str, Member]:
        """Ports of the engine."""
        return {}

    def program_fields(self, config: EngineConfig) -> dict[str, Shape]:
        """Program fields, name -> shape."""
        return {}

    def program_values(self, number: int, network: IntegerNetwork, schedule: Any) -> dict[str, int]:
        """Values of these fields for pass `number` of an IntegerNetwork's Schedule."""
        return {}

    def least_depth(self, layers: Iterable[tuple[Any, IntegerLayer]], memory_groups: int) -> int:
        """Groups that `trunk_depth` must be at least, for (PassGeometry, IntegerLayer) of the passes that
        rescale; `memory_groups`: those of all trunks that must be kept at the same time."""
        return memory_groups

    def good_depth(self, least: int) -> int:
        """Groups with which the engine never waits for a port that is always ready."""
        return least

    def draft(self) -> dict[str, int]:
        """Parameters that a configuration with this store must have before a network's needs are known."""
        return {}

    def stream_bytes(self, geometries: Iterable[Any], config: EngineConfig) -> int:
        """Bytes of the trunk of passes of these PassGeometry in a stream."""
        return 0

    def packets(self, schedule: Any) -> tuple[list[int], list[int]]:
        """Packets of an image: the beats of each one that leaves, in order; and for each one that comes in
        the number of the one that left."""
        return [], []

    def description(self, config: EngineConfig) -> dict[str, dict[str, Any]]:
        """The ports for the manifest: name, what it carries, what a packet is, bits of TDATA."""
        return {}


@dataclass(frozen=True)
class _Kept(TrunkStore):
    """The program says whether accumulators are rescaled, nothing but the trunk is wanted, a stored trunk is
    added, the sum is stored; and how far products are shifted."""

    def program_fields(self, config: EngineConfig) -> dict[str, Shape]:
        flags = ("rescale", "trunk_only", "trunk_add", "trunk_store")
        return {**dict.fromkeys(flags, unsigned(1)), "trunk_shift": unsigned(5)}

    def program_values(self, number: int, network: IntegerNetwork, schedule: Any) -> dict[str, int]:
        layer = network.layers[schedule.passes[number].layer]
        return {
            "rescale": layer.rescale is not None,
            "trunk_only": layer.rescale is not None and layer.code_bits is None,
            "trunk_add": layer.add is not None,
            "trunk_store": layer.trunk,
            "trunk_shift": layer.rescale.f if layer.rescale else 0,
        }


@dataclass(frozen=True)
class _OnChip(_Kept):
    """In a memory of the engine. The program says where the trunk of each pass lies, and how far behind it
    the sum is stored."""

    def program_fields(self, config: EngineConfig) -> dict[str, Shape]:
        address = unsigned(max(1, (config.trunk_depth - 1).bit_length()))
        places = ("trunk_address", "trunk_address_offset", "trunk_address_step")
        return super().program_fields(config) | dict.fromkeys(places, address)

    def program_values(self, number: int, network: IntegerNetwork, schedule: Any) -> dict[str, int]:
        part = schedule.passes[number]
        index, layer = part.layer, network.layers[part.layer]
        store = schedule.trunk_addresses[index]
        added = store if layer.add is None else schedule.trunk_addresses[layer.add]
        first = 0 if added is None else added + part.part * part.geometry.pixel_groups
        return super().program_values(number, network, schedule) | {
            "trunk_address": first,
            "trunk_address_offset": 0 if store is None else store - added,
            "trunk_address_step": schedule.trunk_steps[index] or 0,
        }


@dataclass(frozen=True)
class _Streamed(_Kept):
    """Through two queues of `trunk_depth` groups to a memory outside. The program says which pass made the
    trunk that is added, where the engine looks at it."""

    def program_fields(self, config: EngineConfig) -> dict[str, Shape]:
        number = {"trunk_from": unsigned(config.pass_bits)} if config.guarded else {}
        return super().program_fields(config) | number

    def program_values(self, number: int, network: IntegerNetwork, schedule: Any) -> dict[str, int]:
        values = super().program_values(number, network, schedule)
        return values | {"trunk_from": schedule.trunk_sources[number] or 0}

    def ports(self, config: EngineConfig) -> dict[str, Member]:
        beats = stream.Signature(trunk_layout(config))
        return {"trunks_i": In(beats), "trunks_o": Out(beats)}

    def least_depth(self, layers: Iterable[tuple[Any, IntegerLayer]], memory_groups: int) -> int:
        """A queue must hold the groups of a tile."""
        tiles = [geometry for geometry, layer in layers if layer.trunk or layer.add is not None]
        return max([4, *(g.full_groups if g.tiles > 1 else g.last_groups for g in tiles)])

    def good_depth(self, least: int) -> int:
        return 2 * least + _GROUPS_ON_THEIR_WAY

    def draft(self) -> dict[str, int]:
        return {"trunk_bits": 16, "trunk_depth": 4}

    def stream_bytes(self, geometries: Iterable[Any], config: EngineConfig) -> int:
        return trunk_bytes(config) * sum(geometry.pixels * geometry.pixel_groups for geometry in geometries)

    def packets(self, schedule: Any) -> tuple[list[int], list[int]]:
        keep, numbers = schedule.trunk_plan
        geometries = [schedule.passes[number].geometry for number in keep]
        return [geometry.pixels * geometry.pixel_groups for geometry in geometries], numbers

    def description(self, config: EngineConfig) -> dict[str, dict[str, Any]]:
        carries = (
            f"per pixel its groups of {config.total_quant} channels, in the order of the program's passes; a "
            f"beat is a group, {config.trunk_bits} bits a channel, two's complement, the first one lowest"
        )
        return {
            "m_axis_trunks": {
                "carries": carries,
                "packet": "the residual trunk of one pass that keeps it",
                "data_bits": 8 * trunk_bytes(config),
            },
            "s_axis_trunks": {
                "carries": carries,
                "packet": "for every pass that adds a trunk, as it came from m_axis_trunks",
                "data_bits": 8 * trunk_bytes(config),
            },
        }


_NONE = TrunkStore()
TRUNK_STORES: dict[str, TrunkStore] = {
    "onchip": _OnChip(exists=True),
    "stream": _Streamed(
        exists=True, streams=True, memory="queues of streamed trunks", unit="channel groups of a tile"
    ),
}


def trunk_store(config: EngineConfig) -> TrunkStore:
    """Where an engine of `config` keeps residual trunks."""
    return TRUNK_STORES[config.trunks] if config.trunk_bits else _NONE
