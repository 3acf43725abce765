"""How accumulators of the last layer leave the engine: one by one, or whole groups of channels."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import signed
from amaranth.lib import data

from ..config.engine import EngineConfig


@dataclass(frozen=True)
class ResultPort:
    """What an engine, its compiler and what takes its results need to know of the result port: here of one
    that sends one sum a beat.

    `name`: the engine parameter `results`; `whole_groups`: groups leave as they come, one a cycle, so that
    a tile ends only where there is room for its groups; otherwise groups wait for the port, and tiles for
    the groups before them.
    """

    name: str
    whole_groups: bool = False

    def sums(self, config: EngineConfig) -> int:
        """Sums that a beat has at most."""
        return 1

    def layout(self, config: EngineConfig) -> data.StructLayout:
        """One signed accumulator ``sum(v * a)``; whether the packet ends; and whether it ends because of an
        error, with a beat without a sum."""
        return data.StructLayout({"data": signed(config.result_bits), "last": 1, "error": 1})

    def data_bits(self, config: EngineConfig) -> int:
        """Bits of TDATA."""
        return self.sums(config) * config.result_bits

    def drain(self, groups: int, sums: int) -> int:
        """Cycles that so many groups of a set's pixels take on their way out, `sums` accumulators in all."""
        # Two cycles around the results of every group.
        return 2 * groups + sums

    def carries(self, config: EngineConfig) -> str:
        """What the manifest says of the port, but for the order of batches."""
        return "signed accumulators of the last layer, one per class"


@dataclass(frozen=True)
class _Wide(ResultPort):
    """A beat is a group of channels of all engines, through a queue of two tiles."""

    def sums(self, config: EngineConfig) -> int:
        return config.total_quant

    def layout(self, config: EngineConfig) -> data.StructLayout:
        """Sums of `result_bits` each, the lowest channel lowest, of which `keep` marks a prefix, byte by
        byte; whether the packet ends; and whether because of an error, with a beat without a sum."""
        bits = self.data_bits(config)
        return data.StructLayout({"data": bits, "keep": bits // 8, "last": 1, "error": 1})

    def drain(self, groups: int, sums: int) -> int:
        return groups

    def carries(self, config: EngineConfig) -> str:
        return (
            f"{super().carries(config)}; a beat is a group of up to {self.sums(config)}, "
            f"{config.result_bits} bits each, the first one lowest, and TKEEP marks the bytes of those that "
            "there are"
        )


RESULT_PORTS: dict[str, ResultPort] = {
    "single": ResultPort("single"),
    "wide": _Wide("wide", whole_groups=True),
}


def result_port(config: EngineConfig) -> ResultPort:
    """The result port of an engine of `config`."""
    return RESULT_PORTS[config.results]
