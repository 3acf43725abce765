"""Residual trunks: accumulators become integers of one scale, to which a stored trunk is added."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ...config.engine import EngineConfig
from ...interface import program
from ...interface.parameters import rescale_layout
from ...interface.trunk_stores import trunk_store
from ...lib.delay import delayed
from .drain import group_layout


class Residual(wiring.Component):
    """``t = round_half_even((m * value + b) / 2^trunk_shift) [+ stored trunk]`` per channel, kept where the
    layer says so; other layers' values pass through.

    The trunk memory holds, per group of `quant` channels, that many signed `trunk_bits`-bit integers.
    A sum is stored `trunk_address_offset` behind what it adds, mostly in its place. Where trunks stream,
    there is none: the stored group comes in with the values that it is added to. `init`: parameter words
    per lane.

    Ports: `layer`; `valid`, `values`, `group` in; `o_valid`, `o_values`, `o_group` out; `w_en` (one bit per
    lane), `w_address`, `w_data` write a parameter word; where trunks stream `taken` (with `values`) and
    `kept` (with `o_values`), a group each.

    Latency: six cycles, :attr:`latency`.
    """

    latency = 6

    def __init__(self, config: EngineConfig, *, init: list[list[int]] | None = None) -> None:
        self._config = config
        self._init = init
        values = signed(config.acc_bits)
        word = config.quant * config.trunk_bits
        streams = {"taken": In(word), "kept": Out(word)} if trunk_store(config).streams else {}
        super().__init__(
            {
                "layer": In(program.layout(config)),
                "valid": In(1),
                "values": In(values).array(config.quant),
                "group": In(group_layout(config)),
                "o_valid": Out(1),
                "o_values": Out(values).array(config.quant),
                "o_group": Out(group_layout(config)),
                "w_en": In(config.quant),
                "w_address": In(range(max(2, config.param_depth))),
                "w_data": In(rescale_layout(config).size),
                **streams,
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config, layer, layout = self._config, self.layer, rescale_layout(self._config)
        acc, trunk = signed(config.acc_bits), signed(config.trunk_bits)
        product_bits = config.acc_bits + config.trunk_mul_bits
        total_bits = max(product_bits, config.trunk_bias_bits) + 1
        kept = [Signal(trunk, name=f"kept_{lane}") for lane in range(config.quant)]
        valid = delayed(m, self.valid, self.latency - 1, "valid")
        group = delayed(m, self.group, self.latency - 1, "group")
        m.d.sync += [self.o_valid.eq(valid), self.o_group.eq(group)]
        if trunk_store(config).streams:
            stored = delayed(m, self.taken, self.latency - 1, "stored", reset_less=True)
            m.d.comb += self.kept.eq(Cat(kept))
        else:
            stored = self._memory(m, Cat(kept))
            m.d.comb += [into.eq(value) for into, value in zip(kept, self.o_values, strict=True)]
        for lane in range(config.quant):
            m.submodules[f"lane{lane}"] = params = Memory(
                shape=layout.size, depth=config.param_depth, init=self._init[lane] if self._init else []
            )
            param_write, param_read = params.write_port(), params.read_port()
            m.d.comb += [
                param_write.en.eq(self.w_en[lane]),
                param_write.addr.eq(self.w_address),
                param_write.data.eq(self.w_data),
                param_read.addr.eq(self.group.param),
                param_read.en.eq(1),
            ]
            value = delayed(m, self.values[lane], 2, f"value_{lane}")
            late_value = delayed(m, value, 3, f"late_value_{lane}")
            word = Signal(layout, name=f"word_{lane}")
            offset = Signal(signed(config.trunk_bias_bits), name=f"offset_{lane}")
            product = Signal(signed(product_bits), name=f"product_{lane}")
            total = Signal(signed(total_bits), name=f"total_{lane}")
            # One bit more than the quotient: the half that rounds; and whether anything is below it.
            doubled = Signal(signed(total_bits + 1), name=f"doubled_{lane}")
            shifted = Signal.like(doubled, name=f"shifted_{lane}")
            below = Signal(31, name=f"below_{lane}")
            sticky = Signal(name=f"sticky_{lane}")
            rounded = Signal(acc, name=f"rounded_{lane}")
            added = Signal(trunk, name=f"added_{lane}")
            m.d.comb += [
                doubled.eq(total << 1),
                below.eq(doubled & ((1 << layer.trunk_shift) - 1)),
                rounded.eq((shifted >> 1) + (shifted[0] & (sticky | shifted[1]))),
                added.eq(Mux(layer.trunk_add, stored.word_select(lane, config.trunk_bits), 0)),
            ]
            m.d.sync += [
                word.eq(param_read.data),
                product.eq(word.m * value),
                offset.eq(word.b),
                total.eq(product + offset),
                shifted.eq(doubled >> layer.trunk_shift),
                sticky.eq(below.any()),
                self.o_values[lane].eq(Mux(layer.rescale, rounded + added, late_value)),
            ]
            if trunk_store(config).streams:
                m.d.sync += kept[lane].eq(rounded + added)
        return m

    def _memory(self, m: Module, kept: Value) -> Value:
        """The trunk memory, which takes `kept`; returns what it holds of the group that is added."""
        config, layer = self._config, self.layer
        m.submodules.trunk = memory = Memory(shape=len(kept), depth=config.trunk_depth, init=[])
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(self.group.trunk),
            read.en.eq(1),
            write.addr.eq(self.o_group.trunk + layer.trunk_address_offset),
            write.data.eq(kept),
            write.en.eq(self.o_valid & layer.trunk_store),
        ]
        return delayed(m, read.data, self.latency - 2, "stored")
