"""Test bench that runs inside the simulator, under cocotb: everything goes through the AXI ports.

The bus models are cocotbext-axi's, which know nothing of the engine. The job comes from the JSON
file that ``DOREFA_BENCH`` names, results go to ``result.json`` beside it; both are described in
:mod:`dorefa.sim.cocotb.runner`.
"""

import itertools
import json
import logging
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import First, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

IDENTITY = 0x444F5245


def pauses(generator, percent):
    """Endless random stalls."""
    while True:
        yield generator.random() * 100 < percent


def runs(writes):
    """Joins writes to consecutive words: (byte address, bytes)."""
    start, data = None, bytearray()
    for address, word in writes:
        if start is not None and 4 * address == start + len(data):
            data += word.to_bytes(4, "little")
            continue
        if start is not None:
            yield start, bytes(data)
        start, data = 4 * address, bytearray(word.to_bytes(4, "little"))
    if start is not None:
        yield start, bytes(data)


def instance(dut, path):
    """Handle below the top, from ``core.feature``."""
    for name in path.split("."):
        dut = getattr(dut, name)
    return dut


class Bench:
    """The bus models around one engine, and the record of what it did."""

    def __init__(self, dut, job):
        self.dut, self.job = dut, job
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        self.cycle = 0
        self.limit = None
        self.record = None
        self.records = []

    def connect(self):
        """The bus models, with random stalls on every channel, in both directions."""
        dut = self.dut
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        streams = [self.source, self.sink]
        if self.job["weights"]:
            bus = AxiStreamBus.from_prefix(dut, "s_axis_weights")
            self.memory = AxiStreamSource(bus, dut.clk, dut.rst)
            streams.append(self.memory)
            cocotb.start_soon(self.stream_weights())
        if self.job["trunks"]:
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
        for number, channel in enumerate(channels):
            generator = random.Random(self.job["seed"] * 16 + number)
            channel.set_pause_generator(pauses(generator, self.job["stalls"]))

    async def stream_weights(self):
        """The memory that holds the weights: all packets, image after image, each after its latency."""
        while True:
            for packet in self.job["weights"]:
                for _ in range(self.job["latency"]):
                    await RisingEdge(self.dut.clk)
                await self.memory.send(bytes.fromhex(packet))
                # A packet ahead, so that the queue stays short.
                await self.memory.wait()

    async def keep_trunks(self):
        """The memory that holds the residual trunks, the packets of the image."""
        while True:
            frame = await self.trunks_out.recv()
            self.record["trunks"].append(bytes(frame.tdata).hex())

    async def stream_trunks(self):
        """Sends packets of the image back in the order of the plan, each after its latency."""
        edge = RisingEdge(self.dut.clk)
        for image in itertools.count():
            for number in self.job["trunks"]:
                while (
                    len(self.records) < image or self.record is None or len(self.record["trunks"]) <= number
                ):
                    await edge
                for _ in range(self.job["latency"]):
                    await edge
                await self.trunks_in.send(bytes.fromhex(self.record["trunks"][number]))
                await self.trunks_in.wait()

    async def reset(self):
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
        ports += ["s_axis_weights_tvalid"] if self.job["weights"] else []
        ports += ["s_axis_trunks_tvalid", "m_axis_trunks_tready"] if self.job["trunks"] else []
        for port in ports:
            getattr(self.dut, port).value = 0
        for _ in range(4):
            await RisingEdge(self.dut.clk)
        # The models look at ready and valid at once, so they come when reset has defined them.
        self.connect()
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    async def load(self):
        """Program, weights and parameters through AXI4-Lite, after a read of the identity."""
        identity = await self.host.read_dword(0)
        assert identity == IDENTITY, f"register 0 reads {identity:#x}; expected {IDENTITY:#x}"
        for address, data in runs(self.job["writes"]):
            answer = await self.host.write(address, data)
            assert answer.resp == 0, f"write to {address:#x} was answered with {answer.resp}"

    def snapshot(self, number):
        """Rows of the memories that pass `number` wrote, as strings of 0, 1, x: one list per region."""
        return [
            [str(memory[row].value) for row in range(region["first"], region["first"] + region["rows"])]
            for region in self.job["snapshots"][number]
            for memory in [instance(self.dut, region["memory"])]
        ]

    async def watch(self):
        """Counts cycles, stamps events, copies what each pass wrote when it is done.

        Returns when the watchdog fires, and never otherwise.
        """
        core, passes = self.dut.core, self.job["passes"]
        done, read = core.status__layer_done, core.status__first_read
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
            record = self.record
            if record is None:
                continue
            for name, (valid, ready) in streams.items():
                if valid.value == 1 and ready.value == 1:
                    record.setdefault(f"first_{name}", self.cycle)
                    record[f"last_{name}"] = self.cycle
            if read.value == 1:
                record.setdefault("first_read", self.cycle)
            if done.value == 1:
                if len(record["ends"]) < passes:
                    record["copied"].append(self.snapshot(len(record["ends"])))
                record["ends"].append(self.cycle)

    async def run_image(self, data):
        """One image in, one packet of results out."""
        self.record = {"ends": [], "copied": [], "trunks": []}
        self.limit = self.cycle + self.job["image_limit"]
        await self.source.send(data)
        frame = await self.sink.recv()
        while len(self.record["ends"]) < self.job["passes"]:
            await RisingEdge(self.dut.clk)
        self.record["results"] = bytes(frame.tdata).hex()
        self.records.append(self.record)
        self.record = None


@cocotb.test()
async def bench(dut):
    """Loads the network, runs every image, writes the record; what went wrong goes into it too."""
    path = Path(os.environ["DOREFA_BENCH"])
    job = json.loads(path.read_text())
    result = path.with_name("result.json")
    Clock(dut.clk, 10, "ns", impl="gpi").start()
    bench = Bench(dut, job)
    watcher = cocotb.start_soon(bench.watch())
    outcome = {"status": "ok"}

    async def everything():
        await bench.reset()
        bench.limit = bench.cycle + job["load_limit"]
        start = bench.cycle
        await bench.load()
        outcome["load_cycles"] = bench.cycle - start
        for number, image in enumerate(job["images"]):
            await bench.run_image(bytes.fromhex(image))
            path.with_name("progress").write_text(str(number + 1))

    work = cocotb.start_soon(everything())
    await First(work, watcher)
    if watcher.done():
        started = bench.record is not None
        ends = len(bench.record["ends"]) + 1 if started and "first_read" in bench.record else 0
        outcome |= {
            "status": "stuck" if started else "load",
            "image": len(bench.records),
            "pass": ends,
        }
    outcome["records"] = bench.records
    result.write_text(json.dumps(outcome))
