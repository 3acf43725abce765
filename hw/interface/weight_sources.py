"""Where weights come from: a memory that the host fills once, or a stream, pass by pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth import Shape, unsigned
from amaranth.lib import stream
from amaranth.lib.wiring import In, Member

from ..config.engine import EngineConfig
from .streams import beats_per_address, beats_per_word, rows_per_beat, weights_layout


@dataclass(frozen=True)
class WeightSource:
    """What an engine, its program and its compiler need to know of where weights come from.

    `name`: the engine parameter `weights`; `streams`: they have a port of their own and come again with
    every packet of images; `preloads`: whether a network inside the Verilog has them in a memory.
    """

    name: str
    streams: bool

    @property
    def preloads(self) -> bool:
        """Whether the weight memory can be filled once and for all."""
        return not self.streams

    def ports(self, config: EngineConfig) -> dict[str, Member]:
        """Ports of the engine."""
        return {}

    def program_fields(self, config: EngineConfig) -> dict[str, Shape]:
        """Program fields, name -> shape."""
        return {}

    def program_values(self, geometry: Any) -> dict[str, int]:
        """Values of these fields for a pass of this PassGeometry."""
        return {}

    def least_depth(self, words: list[int]) -> int:
        """Words per row that the memory needs for passes of so many `words`."""
        return sum(words)

    def room(self, config: EngineConfig) -> int | None:
        """Words per row that a pass may have; None where all passes lie there together."""
        return None

    def base(self, number: int, used: int, config: EngineConfig) -> int:
        """Address of the words of pass `number`, behind passes that have `used` words."""
        return used

    def transfer(self, words: int, config: EngineConfig) -> int:
        """Cycles on the port of a pass of so many words per row."""
        return 0

    def description(self, config: EngineConfig) -> dict[str, dict[str, Any]]:
        """The port for the manifest: name, what it carries, what a packet is, bits of TDATA."""
        return {}


@dataclass(frozen=True)
class _Streamed(WeightSource):
    """One half of the memory fills while the other one computes."""

    def ports(self, config: EngineConfig) -> dict[str, Member]:
        return {"weights": In(stream.Signature(weights_layout(config)))}

    def program_fields(self, config: EngineConfig) -> dict[str, Shape]:
        return {"weight_words": unsigned(config.weight_depth.bit_length())}

    def program_values(self, geometry: Any) -> dict[str, int]:
        return {"weight_words": geometry.weight_words}

    def least_depth(self, words: list[int]) -> int:
        return 2 * max(words)

    def room(self, config: EngineConfig) -> int:
        return config.weight_depth // 2

    def base(self, number: int, used: int, config: EngineConfig) -> int:
        return number % 2 * self.room(config)

    def transfer(self, words: int, config: EngineConfig) -> int:
        return words * beats_per_address(config)

    def description(self, config: EngineConfig) -> dict[str, dict[str, Any]]:
        return {
            "s_axis_weights": {
                "carries": "per address the word of every row, lowest bits first, each from a new beat on; "
                f"{rows_per_beat(config)} words to a beat, {beats_per_word(config)} beats to a word",
                "packet": "the weights of one pass of the program; all passes again for every packet "
                "of images",
                "data_bits": 8 * config.port_bytes,
            }
        }


WEIGHT_SOURCES: dict[str, WeightSource] = {
    "onchip": WeightSource("onchip", streams=False),
    "stream": _Streamed("stream", streams=True),
}


def weight_source(config: EngineConfig) -> WeightSource:
    """The source of the weights of an engine of `config`."""
    return WEIGHT_SOURCES[config.weights]
