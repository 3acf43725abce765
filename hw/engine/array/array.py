"""The rows x cols array of dot units."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...arith.dot import DotUnit, dot_latency, step_layout
from ...config.engine import EngineConfig
from ...lib.delay import delayed
from ...lib.shared import add_shared


def tile_layout() -> data.StructLayout:
    """What is known of a step: whether it `ends` a tile, and then whether the tile is the `last` of its
    channel group, and that the last of its set."""
    return data.StructLayout({"ends": 1, "last": 1, "ends_set": 1})


def _operand_registers(config: EngineConfig) -> int:
    """Registers in front of the dot units. Block RAM is slow and far away: a pipelined array takes one cycle
    to the register behind it, and another one from that register on."""
    return 0 if config.pipeline == "none" else 1


def array_latency(config: EngineConfig) -> int:
    """Cycles from operands to sums."""
    return _operand_registers(config) + dot_latency(
        lanes=config.lanes, structure=config.structure, pipeline=config.pipeline
    )


class DotArray(wiring.Component):
    """Broadcasts each row's weight word over the columns and each column's patch word over the rows.

    Ports: `a` (column p at bits ``[p * lanes, ...)``), `w` (row r likewise), the `step` for them in
    the same cycle and `tile`; :func:`array_latency` cycles later `acc` holds the sums (signed,
    `acc_bits` each, index ``p * rows + r``), `sums` those of the activation-sum row if there is one
    (index p), and `captured` is what `tile` was. Latency: :func:`array_latency`.

    The activation-sum row is a dot unit whose weight bits are all one: on the schedule of the other
    rows it makes ``(2^W - 1) sum a`` by itself, which is the correction of bipolar weights.
    """

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        super().__init__(
            {
                "a": In(config.cols * config.lanes),
                "w": In(config.rows * config.lanes),
                "step": In(step_layout()),
                "tile": In(tile_layout()),
                "acc": Out(signed(config.acc_bits)).array(config.cols * config.rows),
                "sums": Out(signed(config.acc_bits)).array(config.cols if config.sum_row else 0),
                "captured": Out(tile_layout()),
            }
        )

    def _unit(self) -> DotUnit:
        config = self._config
        return DotUnit(
            lanes=config.lanes,
            acc_bits=config.acc_bits,
            structure=config.structure,
            pipeline=config.pipeline,
            xnor=config.xnor,
            signed_planes=config.signed_planes,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self._config
        step = self.step
        latency = array_latency(config)
        for stage in range(latency):
            if stage == latency - 1:
                unit_step = step
            later_step = Signal.like(step)
            m.d.sync += later_step.eq(step)
            step = later_step
        m.d.comb += self.captured.eq(delayed(m, self.tile, latency, "tile"))
        a, w = (
            delayed(m, operands, _operand_registers(config), name, reset_less=True)
            for operands, name in ((self.a, "activations"), (self.w, "weights"))
        )
        for column in range(config.cols):
            lanes = slice(column * config.lanes, (column + 1) * config.lanes)
            for row in range(config.rows):
                unit = add_shared(m, platform, name=f"dot_{row}_{column}", kind="dot", make=self._unit)
                m.d.comb += [
                    unit.a.eq(a[lanes]),
                    unit.w.eq(w[row * config.lanes : (row + 1) * config.lanes]),
                    unit.step.eq(unit_step),
                    self.acc[column * config.rows + row].eq(unit.acc),
                ]
            if config.sum_row:
                unit = add_shared(m, platform, name=f"sum_{column}", kind="dot", make=self._unit)
                m.d.comb += [
                    unit.a.eq(a[lanes]),
                    unit.w.eq((1 << config.lanes) - 1),
                    unit.step.eq(unit_step),
                    self.sums[column].eq(unit.acc),
                ]
        return m
