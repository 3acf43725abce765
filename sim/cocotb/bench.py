"""Test bench that runs inside the simulator, under cocotb: everything goes through the AXI ports.

The bus models are cocotbext-axi's, which know nothing of the engine. The job comes from the file
that ``DOREFA_BENCH`` names, results go to ``result`` beside it: see :mod:`dorefa.sim.job.files`.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.handle import LogicObject
from cocotb.triggers import First, RisingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from dorefa.sim.job.fields import Field, Fields, join_packets, write
from dorefa.sim.job.stamps import Stamps

IDENTITY = 0x444F5245
_BITS = "01xXzZuUwW-"
# What a bit counts for, as a value and as an undefined one.
_ONES = str.maketrans({bit: "1" if bit == "1" else "0" for bit in _BITS})
_UNDEFINED = str.maketrans({bit: "0" if bit in "01" else "1" for bit in _BITS})

# Of the design under test, or of a part of it: cocotb's types do not know what a design has inside.
Handle = Any


def pauses(generator: random.Random, percent: int) -> Iterator[bool]:
    """Endless random stalls."""
    while True:
        yield generator.random() * 100 < percent


def runs(writes: list[int]) -> Iterator[tuple[int, bytes]]:
    """Joins writes (byte address, word, byte address, ...) to consecutive words: (byte address, bytes)."""
    start, data = 0, bytearray()
    for address, word in zip(writes[::2], writes[1::2], strict=True):
        if address != start + len(data):
            if data:
                yield start, bytes(data)
            start, data = address, bytearray()
        data += word.to_bytes(4, "little")
    if data:
        yield start, bytes(data)


def instance(dut: Handle, path: str) -> Handle:
    """Handle below the top, from ``core.feature``."""
    for name in path.split("."):
        dut = getattr(dut, name)
    return dut


class Record:
    """What is known of the image that is running."""

    def __init__(self) -> None:
        self.stamps = Stamps()
        self.snapshots, self.undefined = bytearray(), bytearray()
        self.trunks: list[AxiStreamFrame] = []
        self.results = b""

    def fields(self) -> list[Field]:
        """Its part of the result file."""
        return [
            *self.stamps.fields().items(),
            ("ends", self.stamps.ends),
            ("results", self.results),
            ("snapshots", bytes(self.snapshots)),
            ("undefined", bytes(self.undefined)),
            *join_packets("trunks", [bytes(frame.tdata) for frame in self.trunks]),
        ]


class Bench:
    """The bus models around one engine, and the records of what it did."""

    def __init__(self, dut: Handle, job: Fields) -> None:
        self.dut, self.job = dut, job
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        self.weights, self.trunk_plan = job.packets("weights"), job.numbers("trunk_plan")
        self.latency, self.passes = job.number("latency"), job.number("passes")
        self.memories = list(zip(job.text("memories").splitlines(), job.numbers("memory_bytes"), strict=True))
        self.cycle = 0
        self.limit: int | None = None
        self.record: Record | None = None
        self.records: list[Record] = []
        self.broken: int | None = None

    def connect(self) -> None:
        """The bus models, with random stalls on every channel, in both directions."""
        dut = self.dut
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        streams = [self.source, self.sink]
        if self.weights:
            bus = AxiStreamBus.from_prefix(dut, "s_axis_weights")
            self.memory = AxiStreamSource(bus, dut.clk, dut.rst)
            streams.append(self.memory)
            cocotb.start_soon(self.stream_weights())
        if self.trunk_plan:
            sink, source = (AxiStreamBus.from_prefix(dut, f"{side}_axis_trunks") for side in "ms")
            self.trunks_out = AxiStreamSink(sink, dut.clk, dut.rst)
            self.trunks_in = AxiStreamSource(source, dut.clk, dut.rst)
            streams += [self.trunks_out, self.trunks_in]
            cocotb.start_soon(self.keep_trunks())
            cocotb.start_soon(self.stream_trunks())
        channels = (
            *streams,
            self.host.write_if.aw_channel,
            self.host.write_if.w_channel,
            self.host.write_if.b_channel,
            self.host.read_if.ar_channel,
            self.host.read_if.r_channel,
        )
        seed, stalls = self.job.number("seed"), self.job.number("stalls")
        for number, channel in enumerate(channels):
            channel.set_pause_generator(pauses(random.Random(seed * 16 + number), stalls))

    async def stream_weights(self) -> None:
        """The memory that holds the weights: all packets, image after image, each after its latency."""
        while True:
            for number, packet in enumerate(self.weights):
                for _ in range(self.latency):
                    await RisingEdge(self.dut.clk)
                await self.memory.send(AxiStreamFrame(packet, tid=number))
                # A packet ahead, so that the queue stays short.
                await self.memory.wait()

    async def keep_trunks(self) -> None:
        """The memory that holds the residual trunks, the packets of the image."""
        while True:
            frame = await self.trunks_out.recv()
            assert self.record is not None, "a packet of trunks between images"
            self.record.trunks.append(frame)

    async def stream_trunks(self) -> None:
        """Sends packets of the image back in the order of the plan, each after its latency."""
        edge = RisingEdge(self.dut.clk)
        for image in itertools.count():
            for number in self.trunk_plan:
                while len(self.records) < image or self.record is None or len(self.record.trunks) <= number:
                    await edge
                for _ in range(self.latency):
                    await edge
                kept = self.record.trunks[number]
                await self.trunks_in.send(AxiStreamFrame(kept.tdata, tid=kept.tid))
                await self.trunks_in.wait()

    async def reset(self) -> None:
        """Four cycles of reset, everything undefined before it, idle buses when it ends."""
        self.dut.rst.value = 1
        ports = [
            "s_axis_tvalid",
            "m_axis_tready",
            "s_axil_awvalid",
            "s_axil_wvalid",
            "s_axil_bready",
            "s_axil_arvalid",
            "s_axil_rready",
        ]
        ports += ["s_axis_weights_tvalid"] if self.weights else []
        ports += ["s_axis_trunks_tvalid", "m_axis_trunks_tready"] if self.trunk_plan else []
        for port in ports:
            getattr(self.dut, port).value = 0
        for _ in range(4):
            await RisingEdge(self.dut.clk)
        # The models look at ready and valid at once, so they come when reset has defined them.
        self.connect()
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    async def load(self) -> None:
        """Program, weights and parameters through AXI4-Lite, after a read of the identity."""
        identity = await self.host.read_dword(0)
        assert identity == IDENTITY, f"register 0 reads {identity:#x}; expected {IDENTITY:#x}"
        for address, data in runs(self.job.numbers("writes")):
            answer = await self.host.write(address, data)
            assert answer.resp == 0, f"write to {address:#x} was answered with {answer.resp}"

    def snapshot(self, record: Record, number: int) -> None:
        """Copies to `record` the rows of the memories that pass `number` wrote."""
        pieces = self.job.numbers("snapshots")
        for which, memory, first, rows in zip(*(pieces[at::4] for at in range(4)), strict=True):
            if which != number:
                continue
            path, size = self.memories[memory]
            words = instance(self.dut, path)
            for row in range(first, first + rows):
                bits = str(words[row].value)
                record.snapshots += int(bits.translate(_ONES), 2).to_bytes(size, "little")
                record.undefined += int(bits.translate(_UNDEFINED), 2).to_bytes(size, "little")

    async def watch(self) -> None:
        """Counts cycles, stamps events, copies what each pass wrote when it is done.

        Returns when the watchdog fires, and never otherwise.
        """
        done, read = self.dut.core.status__layer_done, self.dut.core.status__first_read
        streams = {
            "in": (self.dut.s_axis_tvalid, self.dut.s_axis_tready),
            "out": (self.dut.m_axis_tvalid, self.dut.m_axis_tready),
        }
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            self.cycle += 1
            if self.limit is not None and self.cycle > self.limit:
                return
            if self.record is not None:
                self.note(self.record, streams, read, done)

    def note(
        self,
        record: Record,
        streams: dict[str, tuple[LogicObject, LogicObject]],
        read: LogicObject,
        done: LogicObject,
    ) -> None:
        """Stamps what happens in this cycle."""
        stamps = record.stamps
        for name, (valid, ready) in streams.items():
            if valid.value == 1 and ready.value == 1:
                stamps.note(name, self.cycle)
        if read.value == 1:
            stamps.note("read", self.cycle)
        if done.value == 1:
            if len(stamps.ends) < self.passes:
                self.snapshot(record, len(stamps.ends))
            stamps.ends.append(self.cycle)

    async def run_image(self, data: bytes) -> bool:
        """One image in, one packet of results out; whether the packet has its length."""
        record = self.record = Record()
        self.limit = self.cycle + self.job.number("image_limit")
        await self.source.send(data)
        frame = await self.sink.recv()
        beats, rest = divmod(len(frame.tdata), self.job.number("result_bytes"))
        if rest or beats != self.job.number("results"):
            self.broken = beats
            return False
        while len(record.stamps.ends) < self.passes:
            await RisingEdge(self.dut.clk)
        record.results = bytes(frame.tdata)
        self.records.append(record)
        self.record = None
        return True

    def outcome(self, load_cycles: int, timed_out: bool) -> list[Field]:
        """The fields of the result file."""
        fields: list[Field] = [("load_cycles", load_cycles)]
        fields += [field for record in self.records for field in record.fields()]
        if self.broken is not None:
            return [*fields, ("status", "protocol"), ("stopped", [len(self.records), self.broken])]
        if not timed_out:
            return [*fields, ("status", "done")]
        if self.record is None:
            return [*fields, ("status", "load")]
        return [*fields, ("status", "stuck"), ("stopped", [len(self.records), self.record.stamps.place])]


@cocotb.test()
async def bench(dut: Handle) -> None:
    """Loads the network, runs every image, writes the record; what went wrong goes into it too."""
    path = Path(os.environ["DOREFA_BENCH"])
    path.with_name("started").touch()
    job = Fields.read(path, "job file")
    Clock(dut.clk, 10, "ns", impl="gpi").start()
    bench = Bench(dut, job)
    watcher = cocotb.start_soon(bench.watch())
    load_cycles = 0

    async def everything() -> None:
        nonlocal load_cycles
        await bench.reset()
        bench.limit = bench.cycle + job.number("load_limit")
        start = bench.cycle
        await bench.load()
        load_cycles = bench.cycle - start
        for number, image in enumerate(job.packets("images")):
            if not await bench.run_image(image):
                return
            path.with_name("progress").write_text(str(number + 1))

    await First(cocotb.start_soon(everything()), watcher)
    path.with_name("result").write_bytes(write(bench.outcome(load_cycles, watcher.done())))
