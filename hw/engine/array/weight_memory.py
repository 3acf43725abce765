"""Weight bit planes: one memory per array row, so every row reads its own word each cycle."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig


class WeightMemory(wiring.Component):
    """`rows` memories of `weight_depth` words of `lanes` bits.

    Word order: output-channel tile, weight plane, patch word. Ports: `address`, and two cycles
    later `w` (row r at bits ``[r * lanes, (r + 1) * lanes)``); `w_en` (one bit per row), `w_address`,
    `w_data` (laid out like `w`) write. `init`: words per row, for a preloaded engine.

    Latency: two cycles, :attr:`latency`.
    """

    latency = 2

    def __init__(self, config: EngineConfig, *, init: list[list[int]] | None = None) -> None:
        self._config = config
        self._init = init
        super().__init__(
            {
                "address": In(range(max(2, config.weight_depth))),
                "w": Out(config.rows * config.lanes),
                "w_en": In(config.rows),
                "w_address": In(range(max(2, config.weight_depth))),
                "w_data": In(config.rows * config.lanes),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        words = []
        for row in range(self._config.rows):
            memory = Memory(
                shape=self._config.lanes,
                depth=self._config.weight_depth,
                init=self._init[row] if self._init else [],
            )
            m.submodules[f"row{row}"] = memory
            write, read = memory.write_port(), memory.read_port()
            word = Signal(self._config.lanes, name=f"word_{row}", reset_less=True)
            m.d.comb += [
                write.en.eq(self.w_en[row]),
                write.addr.eq(self.w_address),
                write.data.eq(self.w_data.word_select(row, self._config.lanes)),
                read.addr.eq(self.address),
                read.en.eq(1),
            ]
            m.d.sync += word.eq(read.data)
            words.append(word)
        m.d.comb += self.w.eq(Cat(words))
        return m
