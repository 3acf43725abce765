"""The whole pipeline: images in, results out, as streams that may wait at both ends."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from .plan import PipelinePlan
from .source import Source
from .watch import Watch


def whole_bytes(bits: int) -> int:
    """8, 16, 32 or 64: the least width that holds `bits`."""
    return next(size for size in (8, 16, 32, 64) if size >= bits)


class Pipeline(wiring.Component):
    """A network as a pipeline, of its :class:`.PipelinePlan`.

    Ports: `i`, a pixel a beat: a byte per channel, `last` with the last pixel of an image; `o`, a number a
    beat, two's complement of :attr:`result_bits`, channel after channel of pixel after pixel, `last` with the
    last of an image and `error` where its `last` came too early or too late: an image that is too short is
    filled up with zeros, and of one that is too long the rest is dropped.

    watched: whether it has the wires of a :class:`.Watch`, for simulations; not that a synthesis would keep
    them, but it comes to other cells on its way.
    """

    # Instances whose memories hold what is more than zeros, as of :func:`..verilog.export.export`.
    preloaded: tuple[str, ...] = ()

    def __init__(self, plan: PipelinePlan, *, watched: bool = False) -> None:
        self.plan = plan
        rows, columns, channels = plan.network.input_shape
        self._pixels, self._channels = rows * columns, channels
        last = plan.stages[-1]
        self._numbers, self._out_bits = last.numbers, last.out_bits
        self.result_bits = whole_bytes(last.out_bits)
        self.watch = Watch(plan) if watched else None
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout({"data": 8 * channels, "last": 1}))),
                "o": Out(
                    stream.Signature(data.StructLayout({"data": self.result_bits, "last": 1, "error": 1}))
                ),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m, plan, depth = Module(), self.plan, self.plan.depth
        bits = plan.network.input_bits
        m.submodules.results = results = SyncFIFOBuffered(width=self._numbers * self._out_bits, depth=depth)
        m.submodules.source = source = Source(
            pixels=self._pixels,
            bits=self._channels * bits,
            pace=plan.pace,
            flush=plan.flush,
            settle=plan.settle,
            results=plan.slots_per_image,
            room=depth,
        )
        pixel = Cat(self.i.payload.data[8 * at : 8 * at + bits] for at in range(self._channels))
        m.d.comb += [
            source.pixel.eq(pixel),
            source.valid.eq(self.i.valid),
            source.last.eq(self.i.payload.last),
            self.i.ready.eq(source.ready),
            source.taken.eq(results.r_en & results.r_rdy),
        ]
        images = depth // plan.slots_per_image
        m.submodules.errors = errors = SyncFIFOBuffered(width=1, depth=images)
        m.d.comb += [errors.w_en.eq(source.ends), errors.w_data.eq(source.wrong)]
        slots = self._stages(m, source)
        if self.watch is not None:
            self.watch.connect(m)
        m.d.comb += [results.w_en.eq(slots.valid & ~slots.blank), results.w_data.eq(slots.word)]
        self._send(m, results, errors)
        return m

    def _stages(self, m: Module, source: Source) -> Any:
        """Puts the stages behind the source; returns the slots of results."""
        flow = self.plan.flow
        codes: dict[int, Any] = {-1: source.o}
        trunks: dict[int, Any] = {}
        for number, stage in enumerate(self.plan.stages):
            layer = stage.layer
            m.submodules[f"layer{number}"] = stage
            wiring.connect(m, codes[layer.source], stage.i)
            if layer.rescale is not None:
                trunk = stage.term
                if layer.add is not None:
                    m.submodules[f"add{number}"] = adder = flow.adders[number]
                    wiring.connect(m, stage.term, adder.own)
                    wiring.connect(m, trunks[layer.add], adder.added)
                    trunk = adder.o
                trunks[number] = trunk
                if layer.code_bits is not None:
                    wiring.connect(m, trunk, stage.trunk)
            if layer.rescale is None or layer.code_bits is not None:
                codes[number] = stage.o
        return codes[number]

    def _send(self, m: Module, results: SyncFIFOBuffered, errors: SyncFIFOBuffered) -> None:
        """Results number by number."""
        channels, size = self._numbers, self._out_bits
        numbers: list[Value] = [
            results.r_data[at : at + size].as_signed() for at in range(0, channels * size, size)
        ]
        channel, pixel = Signal(range(channels)), Signal(range(self.plan.slots_per_image))
        chosen = Signal(self.result_bits)
        with m.Switch(channel):
            for number, value in enumerate(numbers):
                with m.Case(number):
                    m.d.comb += chosen.eq(value)
        ends = channel == channels - 1
        last = ends & (pixel == self.plan.slots_per_image - 1)
        m.d.comb += [
            # Nobody knows of the last pixel's result whether the image was whole before it has ended.
            self.o.valid.eq(results.r_rdy & (errors.r_rdy | ~last)),
            self.o.payload.data.eq(chosen),
            self.o.payload.last.eq(last),
            self.o.payload.error.eq(last & errors.r_data),
            errors.r_en.eq(self.o.valid & self.o.ready & last),
            results.r_en.eq(self.o.valid & self.o.ready & ends),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += channel.eq(channel + 1)
            with m.If(ends):
                m.d.sync += [channel.eq(0), pixel.eq(pixel + 1)]
                with m.If(last):
                    m.d.sync += pixel.eq(0)
