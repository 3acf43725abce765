"""Codes of a layer's sums: constant thresholds as logic, or the affine form where there are many levels."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.affine_form import Affine, affine_form
from dorefa.golden.lowering.integer_network import IntegerLayer

from .multiple import canonical_digits, registered_sum
from .thresholds import at_least, count_reached

# Code bits up to which comparisons with every threshold are smaller than a multiplication.
COMPARED_BITS = 4
_MULTIPLIER_BITS = 62


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
        if self.code_bits <= COMPARED_BITS:
            return None
        try:
            return affine_form(self._layer, _MULTIPLIER_BITS)
        except InputError:
            return None

    @cached_property
    def latency(self) -> int:
        """Cycles from values to codes."""
        if self.affine is None:
            return 1
        # A term for each digit of the multiplier, and the offset.
        return 1 + max(len(canonical_digits(int(m))) for m in self.affine.m).bit_length()

    @property
    def cells(self) -> int:
        """Cells that it takes on ECP5, by rules of thumb: three bits of a comparison a table, or the bits of
        all additions of the affine form, and what clips."""
        channels, thresholds = self.thresholds.shape
        if self.affine is None:
            return int(channels * thresholds * self._bits * 0.27)
        terms = sum(len(canonical_digits(int(m))) for m in self.affine.m)
        return terms * (self._bits + 4) + channels * (2 * self.code_bits + 8)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits, size = self._bits, self.code_bits
        for channel in range(len(self.thresholds)):
            value = self.values[channel * bits : (channel + 1) * bits]
            code = self._compared(channel, value) if self.affine is None else self._scaled(m, channel, value)
            if self._layer.inverted[channel]:
                code = ~code
            register = Signal(size, name="code", reset_less=True)
            m.d.sync += register.eq(code)
            m.d.comb += self.codes[channel * size : (channel + 1) * size].eq(register)
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
        assert self.affine is not None
        form = self.affine
        factor, offset, shift, tie = (int(part[channel]) for part in (form.m, form.b, form.f, form.tie))
        sign = -1 if self._negated[channel] else 1
        offset -= factor * int(self._offsets[channel])
        terms: list[Value] = [
            (value.as_signed() << place) if digit * sign > 0 else -(value.as_signed() << place)
            for place, digit in canonical_digits(factor)
        ]
        terms.append(Const(offset))
        total = registered_sum(m, terms, self.latency - 1)
        result, below = total >> shift, total[:shift]
        if tie:
            result = result - (result[0] & (below == 0))
        return _clipped(result, (1 << self.code_bits) - 1)


def _clipped(value: Value, most: int) -> Value:
    """``min(max(value, 0), most)`` of a signed value."""
    bits = most.bit_length()
    code = Mux(value > most, Const(most, bits), value[:bits])
    return Mux(value < 0, Const(0, bits), code)[:bits]
