# amaranth: UnusedElaboratable=no
"""A layer as a stage of the pipeline: slots in, slots of its codes or sums out."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.lowering.integer_network import IntegerLayer

from ..lib.delay import delayed
from .kernel.column_kernel import ColumnKernel
from .kernel.kernel import ConstantKernel, KernelOptions
from .kernel.quantizer import ConstantQuantizer, cut_offsets
from .kernel.word import bits_for
from .kernel.word_kernel import WordKernel
from .slots.column_window import ColumnWindow, columns_of
from .slots.layer import layer_windows, signed_offsets, stored_bits, stored_codes
from .slots.pool import PoolStage
from .slots.slot import slot_signature
from .slots.stream import Stream
from .slots.window import Window
from .trunk.rounding import Rounding, trunk_bits

Kernel = ConstantKernel | ColumnKernel | WordKernel


class LayerStage(wiring.Component):
    """An IntegerLayer whose map of `shape` (H, W, C) comes as slots.

    Ports: `i`, slots of its input codes, a_bits each; `o`, slots of its stored codes, out_bits each, or of
    its sums, two's complement of :attr:`out_bits` each, where it gives a result. With `rescale` also `term`,
    what it adds to the trunk; and where it has codes of it `trunk`, the trunk with what is added.
    """

    def __init__(self, layer: IntegerLayer, shape: tuple[int, int, int], options: KernelOptions) -> None:
        self.layer, self.shape, self.options = layer, shape, options
        self._values, self.raster = layer_windows(layer, shape)
        ports = {"i": In(slot_signature(shape[2] * layer.a_bits))}
        if self.rounding is not None:
            ports["term"] = Out(slot_signature(layer.out_channels * self.rounding.bits))
        if self.rounding is not None and layer.code_bits is not None:
            ports["trunk"] = In(slot_signature(layer.out_channels * trunk_bits(layer)))
        if self.rounding is None or layer.code_bits is not None:
            ports["o"] = Out(slot_signature(layer.out_channels * self.out_bits))
        super().__init__(ports)

    @cached_property
    def kernels(self) -> list[Kernel]:
        """One for each group of channels."""
        outputs = len(self._values) // self.layer.groups
        return [self._kernel(first, outputs) for first in range(0, len(self._values), outputs)]

    @cached_property
    def _word_offsets(self) -> np.ndarray | None:
        """What sums of whole codes are to be greater by: results by nothing, others so that little is left to
        do for their codes. None where that does not matter."""
        if self._pools_sums or self.layer.rescale is not None:
            return None
        wanted = np.zeros(len(self._values), np.int64) if self.layer.is_result else cut_offsets(self.layer)
        return None if wanted is None else wanted - signed_offsets(self.layer, self._values)

    def _kernel(self, first: int, outputs: int) -> Kernel:
        values = self._values[first : first + outputs]
        columns = values.shape[2]
        bits, options, turns = self.layer.a_bits, self.options, not self.layer.is_result
        if options.words:
            offsets = self._word_offsets
            own = None if offsets is None else offsets[first : first + outputs]
            return WordKernel(values.reshape(outputs, -1), bits, options, own)
        if not options.columns:
            return ConstantKernel(values.reshape(outputs, -1), bits, options, turns=turns)
        by_column = np.moveaxis(values, 2, 1).reshape(outputs, columns, -1)
        half = 1 << (bits - 1) if self.layer.a_signed else 0
        return ColumnKernel(by_column, bits, options, columns_of(self.raster, half), turns=turns)

    @cached_property
    def _offsets(self) -> np.ndarray:
        """What sums are greater by: because codes are, and because of their kernels."""
        own = np.concatenate([kernel.offsets for kernel in self.kernels])
        return signed_offsets(self.layer, self._values) + own

    @cached_property
    def _negated(self) -> np.ndarray:
        """Which sums come as their negative."""
        return np.concatenate([kernel.negated for kernel in self.kernels])

    @property
    def sum_bits(self) -> int:
        """Bits of a kernel's sum."""
        return max(kernel.sum_bits for kernel in self.kernels)

    @property
    def out_bits(self) -> int:
        """Bits of what leaves, per channel."""
        return stored_bits(self.layer)

    @property
    def problem(self) -> str | None:
        """Why the layer cannot be made of slots, None where it can."""
        rasters = (self.raster, *(self.pool.rasters if self.pool is not None else ()))
        return next(filter(None, (raster.problem() for raster in rasters)), None)

    @property
    def numbers(self) -> int:
        """Channels in a slot that leaves."""
        return self.layer.out_channels

    @property
    def _pools_sums(self) -> bool:
        """Whether pooling comes before the quantizer."""
        return self.layer.pool is not None and self.layer.pool.kind == "average"

    @property
    def _area(self) -> int:
        """Sums of pixels in what the quantizer compares."""
        return self.layer.pool.area if self._pools_sums and self.layer.pool is not None else 1

    @cached_property
    def rounding(self) -> Rounding | None:
        """From sums to the trunk, None of a layer without."""
        if self.layer.rescale is None:
            return None
        return Rounding(self.layer, self.layer.rescale, self.sum_bits, self._negated, self._offsets)

    @property
    def _pixel_bits(self) -> int:
        """Bits of what pooling or the quantizer takes of a pixel."""
        return self.sum_bits if self.rounding is None else trunk_bits(self.layer)

    @property
    def value_bits(self) -> int:
        """Bits of what the quantizer compares."""
        half = 1 << (self._pixel_bits - 1)
        return bits_for(-half * self._area, (half - 1) * self._area)

    @cached_property
    def quantizer(self) -> ConstantQuantizer | None:
        """None of a layer without codes."""
        if self.layer.code_bits is None:
            return None
        negated, offsets = self._negated, self._area * self._offsets
        if self.rounding is not None:
            # The trunk is neither.
            negated, offsets = np.zeros_like(negated), np.zeros_like(offsets)
        return ConstantQuantizer(self.layer, self.value_bits, negated, offsets)

    @cached_property
    def pool(self) -> PoolStage | None:
        """Pooling, of sums or of codes."""
        layer, pool = self.layer, self.layer.pool
        if pool is None:
            return None
        bits, out_bits, signed = layer.code_bits or 1, layer.code_bits or 1, False
        if pool.kind == "average":
            bits, out_bits, signed = self._pixel_bits, self.value_bits, True
        elif pool.kind == "average_codes":
            out_bits = (((1 << bits) - 1) * pool.area).bit_length()
        shape = self.raster.outputs
        return PoolStage(pool, shape, layer.out_channels, bits, out_bits, signed=signed)

    @cached_property
    def latency(self) -> int:
        """Cycles from the last digit of a window to its sums."""
        return max(kernel.latency for kernel in self.kernels)

    @property
    def steps(self) -> int:
        """Cycles that a slot takes."""
        return self.kernels[0].steps

    @property
    def structure(self) -> str:
        """Of the reports: "constant", or "planes" where codes come digit by digit."""
        return "planes" if self.steps > 1 else "constant"

    def passed(self, stream: Stream) -> Stream:
        """What leaves, of what enters, where there is no trunk."""
        return self.behind(self.summed(stream))

    def summed(self, stream: Stream) -> Stream:
        """The sums of what enters, or its terms of the trunk."""
        stream = stream.through(self.raster).later(self.steps - 1 + self._window.latency + self.latency)
        return stream if self.rounding is None else stream.later(self.rounding.latency)

    def behind(self, stream: Stream) -> Stream:
        """What leaves of sums, or of the trunk."""
        if self.quantizer is not None:
            stream = stream.later(self.quantizer.latency)
        return stream if self.pool is None else self.pool.passed(stream)

    def estimate(self) -> int:
        """Cells that sums and accumulators take, more or less: for comparisons between structures."""
        cells = sum(kernel.estimate() for kernel in self.kernels)
        return cells + (0 if self.quantizer is None else self.quantizer.cells)

    def elaborate(self, platform: Any) -> Module:
        m, layer = Module(), self.layer
        m.submodules.window = window = self._window
        wiring.connect(m, wiring.flipped(self.i), window.i)
        slots = self._flags(m, window, self.latency)
        slots = slots | {"word": self._sums(m, window)}
        if self.rounding is not None:
            self._round(m, self.rounding, slots)
            if layer.code_bits is None:
                return m
            slots = {name: getattr(self.trunk, name) for name in slots}
        pool = self.pool
        if pool is not None:
            m.submodules.pool = pool
        if pool is not None and self._pools_sums:
            slots = self._through(m, pool, slots)
        if self.quantizer is not None:
            m.submodules.quantizer = self.quantizer
            m.d.comb += self.quantizer.values.eq(slots["word"])
            late = self.quantizer.latency
            slots = {name: delayed(m, slots[name], late, name) for name in ("valid", "blank", "restart")}
            slots["word"] = self.quantizer.codes
        if pool is not None and not self._pools_sums:
            slots = self._through(m, pool, slots)
        word = slots["word"] if layer.is_result else stored_codes(m, layer, slots["word"])
        m.d.comb += [
            self.o.valid.eq(slots["valid"]),
            self.o.blank.eq(slots["blank"]),
            self.o.restart.eq(slots["restart"]),
            self.o.word.eq(word),
        ]
        return m

    @cached_property
    def _window(self) -> Window:
        layer, channels, bits = self.layer, self.shape[2], self.layer.a_bits
        if self.options.columns:
            return ColumnWindow(self.raster, channels, bits, signed=layer.a_signed)
        digits = self.kernels[0].digits * self.options.digit_bits
        return Window(self.raster, channels, bits, digit_bits=digits, signed=layer.a_signed)

    def _flags(self, m: Module, window: Window, late: int) -> dict[str, Value]:
        """Of the window's slots, so many cycles later."""
        # Behind a result no stage starts again.
        restart = Const(0, 1) if self.layer.is_result else window.restart
        flags = {"valid": window.emitted, "blank": window.empty, "restart": restart}
        return {name: delayed(m, value, late, name) for name, value in flags.items()}

    def _sums(self, m: Module, window: Window) -> Value:
        """The sums of all channels, all as late as the slowest kernel's."""
        layer, channels = self.layer, self.shape[2]
        size = self.kernels[0].digits * self.options.digit_bits
        pixels = [window.x[at : at + channels * size] for at in range(0, len(window.x), channels * size)]
        own = channels // layer.groups * size
        sums: list[Value] = []
        for number, kernel in enumerate(self.kernels):
            m.submodules[f"kernel{number}"] = kernel
            m.d.comb += kernel.x.eq(Cat(pixel[number * own : (number + 1) * own] for pixel in pixels))
            if isinstance(kernel, ColumnKernel):
                m.d.comb += [
                    kernel.step.eq(window.step),
                    kernel.clear.eq(window.restart),
                    kernel.inside.eq(window.inside),
                ]
            elif kernel.steps > 1:
                m.d.comb += kernel.first.eq(window.first_digit)
            y = delayed(m, kernel.y, self.latency - kernel.latency, f"sums{number}", reset_less=True)
            bits = kernel.sum_bits
            sums += [Value.cast(y)[at : at + bits] for at in range(0, len(kernel.y), bits)]
        size = self.out_bits if layer.is_result else self.sum_bits
        results = []
        for value, offset in zip(sums, self._offsets.tolist(), strict=True):
            result = Signal(size)
            m.d.comb += result.eq(value.as_signed() - (offset if layer.is_result else 0))
            results.append(result)
        return Cat(results)

    def _round(self, m: Module, rounding: Rounding, slots: dict[str, Value]) -> None:
        """Hands out the terms of sums."""
        m.submodules.rounding = rounding
        m.d.comb += rounding.values.eq(slots["word"])
        for name in ("valid", "blank", "restart"):
            late = delayed(m, slots[name], rounding.latency, f"term_{name}")
            m.d.comb += getattr(self.term, name).eq(late)
        m.d.comb += self.term.word.eq(rounding.terms)

    def _through(self, m: Module, pool: PoolStage, slots: dict[str, Value]) -> dict[str, Value]:
        m.d.comb += [getattr(pool.i, name).eq(value) for name, value in slots.items()]
        return {name: getattr(pool.o, name) for name in slots}
