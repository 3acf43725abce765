"""Codes of layers on their way from the slices to the feature memories."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from ..config.engine import EngineConfig
from .output.column_order import ColumnOrder
from .output.plane_packer import PlanePacker
from .slice import EngineSlice


def connect_storing(
    m: Module,
    config: EngineConfig,
    layer: data.View,
    packer: PlanePacker,
    slices: list[EngineSlice],
    order: ColumnOrder | None,
) -> Value:
    """The codes of `slices`, in the order of pixels (`order`, of several columns), to the packer; returns the
    end of a layer."""
    lead, bits = slices[0], config.stored_bits
    codes = Cat(part.codes for part in slices)
    stored = Signal(config.total_quant * bits)
    store, count = Signal(), Signal(config.total_quant.bit_length())
    last = Signal()
    if order is None:
        m.d.comb += [
            store.eq(lead.valid),
            stored.eq(codes),
            count.eq(lead.group.count),
            last.eq(lead.group.ends_layer),
        ]
    else:
        m.d.comb += [
            order.valid.eq(lead.valid),
            order.codes.eq(codes),
            order.group.eq(lead.group),
            order.set_ends.eq(lead.set_ends),
            order.columns.eq(lead.columns),
            store.eq(order.o_valid),
            stored.eq(order.o_codes),
            count.eq(order.o_count),
            last.eq(order.o_last),
        ]
    written: list[Any] = [
        _code(config, layer, stored.word_select(lane, bits))[:bits] for lane in range(config.total_quant)
    ]
    m.d.comb += [
        packer.address.eq(layer.out_address),
        packer.valid.eq(store),
        packer.codes.eq(Cat(written)),
        packer.count.eq(count),
        packer.last.eq(last),
    ]
    if config.row_steps:
        m.d.comb += [packer.row_words.eq(layer.row_words), packer.row_step.eq(layer.row_step)]
    return packer.done | lead.trunk_ends if config.trunk_bits else packer.done


def _code(config: EngineConfig, layer: data.View, count: Value) -> Value:
    """The code that is stored for a pooled count, as wide as the count."""
    if not config.signed_codes:
        return count
    low = count[: config.out_bits]
    code = (Mux(layer.code_double, low << 1, low) + layer.code_offset) & layer.stored_mask
    return Cat(code[: len(low)], count[len(low) :])
