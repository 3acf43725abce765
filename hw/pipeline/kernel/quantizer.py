"""Codes of a layer's sums: constant thresholds as logic, or the affine form where there are many levels."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from amaranth import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.affine_form import Affine, affine_form
from dorefa.golden.lowering.integer_network import IntegerLayer

from .multiple import Span, canonical_digits, registered_sum, sum_cells
from .thresholds import at_least, count_reached

# Code bits up to which comparisons with every threshold are smaller than a multiplication.
COMPARED_BITS = 4
_MULTIPLIER_BITS = 62
_BESIDE_ADDITION = 4  # tables that Yosys has beside the chain of an addition


def _affine(layer: IntegerLayer) -> Affine | None:
    """The affine form of a layer that has many levels."""
    if (layer.code_bits or 0) <= COMPARED_BITS:
        return None
    try:
        return affine_form(layer, _MULTIPLIER_BITS)
    except InputError:
        return None


def _form(affine: Affine | None, channel: int) -> tuple[int, int, int, int]:
    """(multiplier, offset, shift, tie) of a channel."""
    assert affine is not None
    m, b, f, tie = (int(part[channel]) for part in (affine.m, affine.b, affine.f, affine.tie))
    return m, b, f, tie


def cut_offsets(layer: IntegerLayer) -> np.ndarray | None:
    """int (channels,): what values have to be greater by for their codes to be some of their bits, clipped.
    None where that is no constant."""
    affine, found = _affine(layer), []
    if affine is None:
        return None
    for channel in range(layer.out_channels):
        factor, offset, shift, tie = _form(affine, channel)
        if factor & (factor - 1) or factor > 1 << shift or (tie and offset % factor):
            return None
        found.append(offset // max(1, factor))
    return np.array(found)


class ConstantQuantizer(wiring.Component):
    """Codes, count(value >= T_t), of all channels of a pixel at once.

    layer: an IntegerLayer with thresholds. value_bits: of each channel's value, two's complement; negated:
    bool (channels,), which come as -value; offsets: int (channels,), what values are greater by than those of
    the layer. Ports: `values`; `codes`, of code_bits each, :attr:`latency` cycles later.
    """

    def __init__(
        self, layer: IntegerLayer, value_bits: int, negated: np.ndarray, offsets: np.ndarray
    ) -> None:
        if layer.thresholds is None or layer.code_bits is None:
            raise InputError(f"layer {layer.name}: has no codes; accepted: a layer with thresholds")
        self.thresholds, self.code_bits = layer.thresholds, layer.code_bits
        self._layer, self._bits, self._negated, self._offsets = layer, value_bits, negated, offsets
        channels = len(self.thresholds)
        super().__init__({"values": In(channels * value_bits), "codes": Out(channels * self.code_bits)})

    @cached_property
    def affine(self) -> Affine | None:
        """The affine form, None where thresholds are compared."""
        return _affine(self._layer)

    @cached_property
    def latency(self) -> int:
        """Cycles from values to codes: none where a code is only clipped."""
        if self.affine is None:
            return 1
        most = max(len(self._terms(channel)) for channel in range(len(self.thresholds)))
        return 1 + (most - 1).bit_length() if most > 1 else 0

    @property
    def cells(self) -> int:
        """Cells that it takes on ECP5, by rules of thumb: three bits of a comparison a table, or additions of
        the affine form, and what clips."""
        channels, thresholds = self.thresholds.shape
        if self.affine is None:
            return int(channels * thresholds * self._bits * 0.27)
        return sum(map(self._scaled_cells, range(channels)))

    def _scaled_cells(self, channel: int) -> int:
        terms = self._terms(channel)
        beside = _BESIDE_ADDITION * len(terms) if len(terms) > 1 else 0
        return sum_cells(terms) + beside + self.code_bits + 3

    def _terms(self, channel: int) -> list[Span]:
        """Of the affine form of a channel: a term for each digit of its multiplier, and the offset."""
        factor, *_ = _form(self.affine, channel)
        sign = -1 if self._negated[channel] else 1
        terms = [
            Span(place, self._bits + place, digit * sign < 0) for place, digit in canonical_digits(factor)
        ]
        if offset := self._offset(channel):
            terms.append(Span((offset & -offset).bit_length() - 1, offset.bit_length() + 1))
        return terms

    def _offset(self, channel: int) -> int:
        """What the affine form of a channel adds to its product: 0 where that would only change bits that are
        cut off."""
        factor, offset, shift, tie = _form(self.affine, channel)
        offset -= factor * int(self._offsets[channel])
        cut = 1 if tie else min(factor & -factor, 1 << shift)
        return 0 if 0 <= offset < cut else offset

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits, size = self._bits, self.code_bits
        for channel in range(len(self.thresholds)):
            value = self.values[channel * bits : (channel + 1) * bits]
            code = self._compared(channel, value) if self.affine is None else self._scaled(m, channel, value)
            if self._layer.inverted[channel]:
                code = ~code
            if self.latency:
                register = Signal(size, name="code", reset_less=True)
                m.d.sync += register.eq(code)
                code = register
            m.d.comb += self.codes[channel * size : (channel + 1) * size].eq(code)
        return m

    def _compared(self, channel: int, value: Value) -> Value:
        """Thresholds as logic."""
        half = 1 << (self._bits - 1)
        unsigned = [*value[:-1], ~value[-1]]
        reached = []
        for threshold in self.thresholds[channel].tolist():
            bound = threshold + int(self._offsets[channel])
            if self._negated[channel]:
                reached.append(~at_least(unsigned, 1 - bound + half))
            else:
                reached.append(at_least(unsigned, bound + half))
        return count_reached(reached)

    def _scaled(self, m: Module, channel: int, value: Value) -> Value:
        """The affine form: its product as shifts and additions, a register after each level of them."""
        factor, _, shift, tie = _form(self.affine, channel)
        sign = -1 if self._negated[channel] else 1
        terms: list[Value] = [
            (value.as_signed() << place) if digit * sign > 0 else -(value.as_signed() << place)
            for place, digit in canonical_digits(factor)
        ]
        offset = self._offset(channel)
        if offset or not terms:
            terms.append(Const(offset, signed(offset.bit_length() + 1)))
        total = registered_sum(m, terms, max(0, self.latency - 1))
        result, below = total >> shift, total[:shift]
        if tie:
            # Odd and half way: one less.
            result = Cat(result[0] & (below != 0), result[1:]).as_signed()
        return _clipped(result, self.code_bits)


def _clipped(value: Value, bits: int) -> Value:
    """The nearest number of so many bits to a signed value."""
    negative = value[-1].replicate(bits)
    above = value[bits:-1].any() if len(value) > bits else Const(0, 1)
    return (Cat(value[:-1], negative)[:bits] | above.replicate(bits)) & ~negative
