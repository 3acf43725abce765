# amaranth: UnusedElaboratable=no
"""What a board runs, without its pins and clock: images in and numbers out of a pipeline, behind a line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from ..interface.host_bus import bus_signature
from ..interface.pipeline_registers import PIPELINE_BITS, PIPELINE_REGISTERS
from ..interface.registers import board_registers
from .packet_store import PacketStore, packet_layout
from .serial_host import SerialHost, connect_line
from .uart import baud_divisor


class StreamBoard(wiring.Component):
    """A pipeline (submodule ``core``) behind a serial line, which the host's program
    (:class:`.driver.Board`) runs as it runs an engine.

    `core`: a component with streams `i`, a pixel a beat (`data`, a byte per channel, `last`), and `o`, a
    number a beat (`data`, of whole bytes, `last`), and `preloaded`, instances in it whose memories keep their
    contents; `input_shape`: (H, W, C) of its images; `classes`: numbers of a result; `summary`: what its
    Verilog says of it; `clock_hz`: rate of the `sync` domain; `baud`: bits per second on the line. Raises
    :class:`InputError` for sizes that do not fit the board's words and a rate that the clock cannot make.

    An image goes into the pipeline when it has come whole, and one of a wrong length, or cut short by a
    break, never does: it has no answer but the field `length` of the register `status`. Numbers wait for the
    line outside of the pipeline, so that the register `cycles` says what it takes by itself.

    Ports: `rx`, `tx`, the line (8N1, protocol in :mod:`.serial_host`); `busy`, an image comes in or is on its
    way; `error`, until the host clears it.
    """

    kind, shrinks = "pipeline", "a longer --interval"

    def __init__(
        self,
        core: Any,
        *,
        input_shape: tuple[int, int, int],
        classes: int,
        summary: Mapping[str, object],
        clock_hz: float,
        baud: int,
    ) -> None:
        self.core, self.summary = core, summary
        self._shape, self._classes = input_shape, classes
        self._bits = core.o.payload.data.shape().width
        self.registers = board_registers(input_shape, classes=classes, result_bytes=self._bits // 8)
        self._divisor = baud_divisor(clock_hz, baud)
        super().__init__({"rx": In(1), "tx": Out(1, init=1), "busy": Out(1), "error": Out(1)})

    @property
    def preloaded(self) -> tuple[str, ...]:
        """Instances whose memories keep their contents, as of :func:`..verilog.export.export`."""
        return tuple(f"core.{path}" for path in self.core.preloaded)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        *plane, channels = self._shape
        m.submodules.core = core = self.core
        m.submodules.store = store = PacketStore(beats=math.prod(plane), beat_bytes=channels)
        m.submodules.host = host = SerialHost(
            self.registers,
            image=packet_layout(channels),
            result=data.StructLayout({"data": self._bits}),
            host=bus_signature(PIPELINE_BITS),
        )
        m.submodules.numbers = numbers = SyncFIFOBuffered(width=self._bits, depth=self._classes)
        wiring.connect(m, host.image, store.i)
        wiring.connect(m, store.o, core.i)
        connect_line(m, host, self._divisor, self.rx, self.tx)
        m.d.comb += [
            numbers.w_data.eq(core.o.payload.data),
            numbers.w_en.eq(core.o.valid),
            core.o.ready.eq(numbers.w_rdy),
            host.result.payload.data.eq(numbers.r_data),
            host.result.valid.eq(numbers.r_rdy),
            numbers.r_en.eq(host.result.ready),
        ]
        underway = self._words(m, host.host, store)
        waits = ~store.i.ready
        m.d.comb += [
            self.busy.eq(host.receiving | waits | underway | numbers.r_rdy),
            self.error.eq(host.errors.any()),
        ]
        return m

    def _words(self, m: Module, host: Any, store: PacketStore) -> Signal:
        """The registers; returns whether an image is inside of the pipeline."""
        core, status = self.core, PIPELINE_REGISTERS["status"]
        clears = (host.w_data & status.clear_word).any()
        underway, length = Signal(), Signal()
        count, cycles = Signal(32), Signal(32)
        begins, ends = Signal(), Signal()
        inside = Signal()  # behind the first pixel of an image
        with m.If(core.i.valid & core.i.ready):
            m.d.sync += inside.eq(~core.i.payload.last)
        m.d.comb += [
            begins.eq(core.i.valid & core.i.ready & ~inside),
            ends.eq(core.o.valid & core.o.ready & core.o.payload.last),
        ]
        m.d.sync += count.eq(count + 1)
        with m.If(ends):
            m.d.sync += [cycles.eq(count), underway.eq(0)]
        with m.If(begins):
            m.d.sync += [count.eq(1), underway.eq(1)]
        with m.If(store.wrong):
            m.d.sync += length.eq(1)
        with m.Elif(host.w_en & (host.addr == status.address) & clears):
            m.d.sync += length.eq(0)
        seen = {"busy": underway, "length": length, "cycles": cycles}
        m.d.sync += host.r_data.eq(0)
        with m.Switch(host.addr):
            for register in PIPELINE_REGISTERS.values():
                with m.Case(register.address):
                    m.d.sync += host.r_data.eq(
                        register.reset_word if register.constant else register.join(seen)
                    )
        return underway
