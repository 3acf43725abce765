"""Test bench of a pipeline that runs inside the simulator, under cocotb: images in, numbers out, and what the
wires of :mod:`dorefa.hw.pipeline.watch` show.

The bus models are cocotbext-axi's, which know nothing of the pipeline. The job comes from the file that
``DOREFA_BENCH`` names, results go to ``result`` beside it: see :mod:`dorefa.sim.pipeline.files`.
"""

from __future__ import annotations

import logging
import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import First, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from dorefa.hw.pipeline.watch import RESTARTS, SLOTS, WORDS
from dorefa.sim.cocotb.bench import pauses
from dorefa.sim.job.fields import Field, Fields, write
from dorefa.sim.pipeline.maps import MapRecord, MapSizes


class Bench:
    """The bus models around one pipeline, and the record of what it did."""

    def __init__(self, dut: Any, job: Fields) -> None:
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        self.dut, self.job = dut, job
        self.count, self.pixels = job.number("count"), job.number("pixels")
        self.numbers = job.number("numbers")
        names = ("word_bytes", "map_slots", "alone_slots")
        self.maps = MapRecord(MapSizes(*map(job.numbers, names)))
        self.stamps: list[list[int]] = []
        self.results: list[bytes] = []
        self.began: list[int] = []
        self.wrong: str | None = None

    async def reset(self) -> None:
        """Four cycles of reset, everything undefined before it, idle streams when it ends."""
        dut = self.dut
        dut.rst.value = 1
        dut.s_axis_tvalid.value = dut.m_axis_tready.value = 0
        for _ in range(4):
            await RisingEdge(dut.clk)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst)
        seed = self.job.number("seed")
        for number, (stream, chance) in enumerate(((self.source, "gaps"), (self.sink, "stalls"))):
            draws = random.Random(2 * seed + number)
            stream.set_pause_generator(pauses(draws, self.job.number(chance)))
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        await RisingEdge(dut.clk)

    async def send(self) -> None:
        """All images, one right behind the other."""
        size = self.pixels * self.job.number("pixel_bytes")
        images = self.job.contents("images")
        for at in range(0, len(images), size):
            await self.source.send(AxiStreamFrame(images[at : at + size]))

    async def receive(self) -> None:
        """The numbers of all images, packet by packet."""
        for image in range(self.count):
            frame = await self.sink.recv()
            if len(frame.tdata) != self.numbers * self.job.number("number_bytes"):
                self.wrong = f"image {image}: tlast after {len(frame.tdata)} bytes"
                return
            self.results.append(bytes(frame.tdata))

    async def watch(self) -> None:
        """Looks at the streams and at the stages in every cycle, until all has come or nothing does."""
        dut, edge, limit = self.dut, RisingEdge(self.dut.clk), self.job.number("limit")
        taken = given = cycle = quiet = 0
        while not self.wrong and not (len(self.results) == self.count and self.maps.complete(self.count)):
            await edge
            if came := dut.s_axis_tvalid.value == 1 and dut.s_axis_tready.value == 1:
                if taken % self.pixels == 0:
                    self.began.append(cycle)
                taken += 1
            if left := dut.m_axis_tvalid.value == 1 and dut.m_axis_tready.value == 1:
                given += 1
                if given % self.numbers == 0:
                    image = given // self.numbers - 1
                    self.stamps.append([self.began[image], cycle, int(dut.m_axis_tuser.value)])
            self.look()
            quiet = 0 if came or left else quiet + 1
            if quiet > limit:
                self.wrong = f"image {len(self.results)}: no beat for {limit} cycles"
                if len(self.results) == self.count:
                    self.wrong = f"a stage does not end its map for {limit} cycles"
            cycle += 1

    def look(self) -> None:
        """What leaves the stages in this cycle."""
        inside = self.dut.pipeline
        slots, restarts = (str(getattr(inside, name).value) for name in (SLOTS, RESTARTS))
        if set(slots + restarts) == {"0"}:
            return
        try:
            # A word that nobody takes may be undefined; one that leaves may not.
            words, at = str(getattr(inside, WORDS).value), 0
            for slot, size in zip(slots, reversed(self.maps.word_bytes), strict=True):
                if slot == "0":
                    words = words[:at] + "0" * 8 * size + words[at + 8 * size :]
                at += 8 * size
            self.maps.take(int(slots, 2), int(restarts, 2), int(words, 2))
        except ValueError:
            places = [len(ends) for ends in self.maps.ends]
            self.wrong = f"undefined bits leave a stage; slots {slots}, restarts {restarts}, maps {places}"

    def outcome(self) -> list[Field]:
        """The fields of the result file."""
        if self.wrong:
            return [("wrong", self.wrong)]
        self.maps.end()
        fields: list[Field] = []
        for stamps, result in zip(self.stamps, self.results, strict=True):
            fields += [("stamps", stamps), ("numbers", result)]
        for ends, words in zip(self.maps.ends, self.maps.words, strict=True):
            fields += [("map_ends", ends), ("map_words", bytes(words))]
        return fields


@cocotb.test()
async def bench(dut: Any) -> None:
    """Runs every image, writes the record; what went wrong goes into it too."""
    path = Path(os.environ["DOREFA_BENCH"])
    path.with_name("started").touch()
    Clock(dut.clk, 10, "ns", impl="gpi").start()
    own = Bench(dut, Fields.read(path, "job file"))
    await own.reset()
    cocotb.start_soon(own.send())
    cocotb.start_soon(own.receive())
    await First(cocotb.start_soon(own.watch()))
    path.with_name("result").write_bytes(write(own.outcome()))
