"""Sums of a layer as integers of a residual trunk: round_half_even((m * acc + b) / 2^f)."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.lowering.fold import accumulator_ranges, rounded_range
from dorefa.golden.lowering.integer_network import IntegerLayer
from dorefa.golden.network.parts import Rescale

from ..kernel.multiple import Span, canonical_digits, registered_sum, sum_cells
from ..kernel.word import bits_for


def trunk_bits(layer: IntegerLayer) -> int:
    """Bits of a layer's trunk, two's complement, per channel."""
    pool = layer.pool
    area = pool.area if pool is not None and pool.kind == "average" else 1
    return bits_for(min(layer.value_min // area, -1), layer.value_max // area)


class Rounding(wiring.Component):
    """What the sums of all channels of a pixel add to the trunk.

    layer: an IntegerLayer with `rescale`; value_bits: of each channel's sum, two's complement; negated: bool
    (channels,), which come as -value; offsets: int (channels,), what sums are greater by. Ports: `values`;
    `terms`, two's complement of :attr:`bits` each, :attr:`latency` cycles later.
    """

    def __init__(
        self,
        layer: IntegerLayer,
        rescale: Rescale,
        value_bits: int,
        negated: np.ndarray,
        offsets: np.ndarray,
    ) -> None:
        self._layer, self._rescale, self._value_bits = layer, rescale, value_bits
        sign = np.where(negated, -1, 1)
        # Of the values as they come.
        self._factors = [int(m) for m in rescale.m * sign]
        self._offsets = [
            int(b) - int(m) * int(offset) for m, b, offset in zip(rescale.m, rescale.b, offsets, strict=True)
        ]
        super().__init__(
            {"values": In(layer.out_channels * value_bits), "terms": Out(layer.out_channels * self.bits)}
        )

    @cached_property
    def bits(self) -> int:
        """Bits of what leaves, per channel."""
        layer, rescale = self._layer, self._rescale
        if layer.add is None:
            return trunk_bits(layer)
        codes = 1 << layer.a_bits
        low, high = (-codes // 2, codes // 2 - 1) if layer.a_signed else (0, codes - 1)
        ranges = [
            rounded_range(m, b, rescale.f, ends)
            for m, b, ends in zip(
                rescale.m.tolist(),
                rescale.b.tolist(),
                accumulator_ranges(layer.values, low, high),
                strict=True,
            )
        ]
        return bits_for(min(-1, *(low for low, _ in ranges)), max(high for _, high in ranges))

    @property
    def latency(self) -> int:
        """Cycles from values to terms."""
        # A term for each digit of the multiplier, and the offset.
        return 1 + max(len(canonical_digits(abs(factor))) for factor in self._factors).bit_length()

    @property
    def cells(self) -> int:
        """Cells that it takes on ECP5, more or less: the bits of all additions in which both have one."""
        shift, total = self._rescale.f, 0
        for factor, offset in zip(self._factors, self._offsets, strict=True):
            number = offset + ((1 << shift) >> 1)
            terms = [
                Span(place, place + self._value_bits, digit * factor < 0)
                for place, digit in canonical_digits(abs(factor))
            ]
            terms.append(Span((number & -number).bit_length() - 1 if number else 1 << 6, number.bit_length()))
            total += sum_cells(terms, shift + self.bits) + (shift + 2) // 3
        return total

    def elaborate(self, platform: Any) -> Module:
        m, size, bits = Module(), self._value_bits, self.bits
        for channel in range(self._layer.out_channels):
            value = self.values[channel * size : (channel + 1) * size].as_signed()
            term = Signal(bits, name="term", reset_less=True)
            m.d.sync += term.eq(self._rounded(m, channel, value))
            m.d.comb += self.terms[channel * bits : (channel + 1) * bits].eq(term)
        return m

    def _rounded(self, m: Module, channel: int, value: Value) -> Value:
        factor, shift = self._factors[channel], self._rescale.f
        half = (1 << shift) >> 1
        terms: list[Value] = [
            value << place if digit * factor > 0 else -(value << place)
            for place, digit in canonical_digits(abs(factor))
        ]
        total = registered_sum(m, [*terms, Const(self._offsets[channel] + half)], self.latency - 1)
        # What lies half-way has been rounded up; the even one of the two has no lowest bit.
        tie = (total[:shift] == 0) if shift else Const(0, 1)
        result = total >> shift
        return Cat(result[0] & ~tie, result[1:]).as_signed()
