"""Pooling of a stream of slots: along the columns, then along the rows."""

from __future__ import annotations

from functools import reduce
from typing import Any

from amaranth import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.network.geometry import Windows
from dorefa.golden.network.parts import Pool

from .raster import Raster, cropped
from .slot import slot_signature
from .stream import Stream
from .window import Window


class PoolStage(wiring.Component):
    """Maxima or sums over the windows of a :class:`.Pool` of `channels` unsigned or signed numbers.

    shape: of the map; bits: of a number; out_bits: of a result, those of sums where they may need more.
    Ports: `i` and `o`, slots; a result leaves :attr:`latency` cycles after the slot that completes it.
    """

    def __init__(
        self, pool: Pool, shape: tuple[int, int], channels: int, bits: int, out_bits: int, *, signed: bool
    ) -> None:
        self._channels, self._bits, self._out_bits, self._signed = channels, bits, out_bits, signed
        self.is_max = pool.kind == "max"
        # Of the numbers that are joined along the columns, and along the rows.
        self.bits = (bits, out_bits)
        top, left, bottom, right = pool.padding
        along = Windows(kernel=(1, pool.kernel[1]), stride=(1, pool.stride[1]), padding=(0, left, 0, right))
        down = Windows(kernel=(pool.kernel[0], 1), stride=(pool.stride[0], 1), padding=(top, 0, bottom, 0))
        first = Raster(shape, cropped(along, shape)[0])
        self.rasters = (first, Raster(first.outputs, cropped(down, first.outputs)[0]))
        super().__init__(
            {"i": In(slot_signature(channels * bits)), "o": Out(slot_signature(channels * out_bits))}
        )

    @property
    def latency(self) -> int:
        """A register of each window that is more than a pixel, and one of what is joined."""
        return sum(1 if raster.pixelwise else 2 for raster in self.rasters)

    def passed(self, stream: Stream) -> Stream:
        """What leaves, of what enters."""
        for raster in self.rasters:
            stream = stream.through(raster)
        return stream.later(self.latency)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        slots, bits = self.i, self._bits
        for name, raster in zip(("columns", "rows"), self.rasters, strict=True):
            window = Window(raster, self._channels, bits, digit_bits=bits)
            m.submodules[name] = window
            m.d.comb += [
                window.i.valid.eq(slots.valid),
                window.i.blank.eq(slots.blank),
                window.i.restart.eq(slots.restart),
                window.i.word.eq(slots.word),
            ]
            pixels = [
                window.x[at : at + self._channels * bits]
                for at in range(0, len(window.x), self._channels * bits)
            ]
            bits = self._out_bits
            slots = slot_signature(self._channels * bits).create()
            m.d.sync += [
                slots.valid.eq(window.emitted),
                slots.blank.eq(window.empty),
                slots.restart.eq(window.restart),
                slots.word.eq(self._joined(m, pixels, bits)),
            ]
        m.d.comb += [
            self.o.valid.eq(slots.valid),
            self.o.blank.eq(slots.blank),
            self.o.restart.eq(slots.restart),
            self.o.word.eq(slots.word),
        ]
        return m

    def _joined(self, m: Module, pixels: list[Value], bits: int) -> Value:
        """Of every channel the maximum or the sum of its numbers in all pixels, in `bits` bits."""
        size = len(pixels[0]) // self._channels
        results = []
        for channel in range(self._channels):
            numbers = [pixel[channel * size : (channel + 1) * size] for pixel in pixels]
            if self._signed:
                numbers = [number.as_signed() for number in numbers]
            result = Signal(Shape(bits, self._signed))
            m.d.comb += result.eq(reduce(_larger if self.is_max else _sum, numbers))
            results.append(result)
        return Cat(results)


def _larger(a: Value, b: Value) -> Value:
    return Mux(a > b, a, b)


def _sum(a: Value, b: Value) -> Value:
    return a + b
