"""Amaranth's own simulator on the engine itself, no Verilog involved: slow, and needs no tool."""

from __future__ import annotations

import numpy as np
from amaranth import Shape
from amaranth.hdl import Fragment
from amaranth.sim import Simulator

from dorefa.hw.engine.engine import Engine
from dorefa.hw.lib.amaranth_private import find_memories

from ..job.design import CORE
from ..job.errors import SimulationError
from ..job.job import Job, Trace, check_trunks, stuck
from ..job.snapshot import regions, values
from .trunk_memory import TrunkMemory


def _word_bytes(memory):
    return -(-Shape.cast(memory.shape).width // 8)


def _beats(image, port_bytes):
    """(data, keep, last) of every beat of an image."""
    data = np.ascontiguousarray(image).tobytes()
    for start in range(0, len(data), port_bytes):
        part = data[start : start + port_bytes]
        yield int.from_bytes(part, "little"), (1 << len(part)) - 1, start + port_bytes >= len(data)


class _Record:
    """What is known of the image that is running."""

    def __init__(self):
        self._stamps = {}
        self.ends, self.results, self.copied = [], [], []

    def stamp(self, event, cycle):
        """Notes the first and the last cycle of an event."""
        self._stamps.setdefault(f"first_{event}", cycle)
        self._stamps[f"last_{event}"] = cycle

    @property
    def reading(self):
        """Whether the first layer has begun."""
        return "first_read" in self._stamps

    def trace(self, compiled, trunk_packets):
        """The finished record."""
        self._stamps.pop("last_read")
        results = np.array(self.results, np.int64)
        found = values(compiled, self.copied, trunk_packets)
        return Trace(**self._stamps, ends=self.ends, results=results, values=found)


def run(job: Job) -> tuple[list[Trace], int]:
    """One :class:`Trace` per image; the network is preloaded, so loading takes no cycle."""
    compiled = job.compiled
    config = compiled.config
    engine = Engine(config, memories=compiled.memories)
    fragment = Fragment.get(engine, None)
    memories, copies = find_memories(fragment, f"{CORE}."), regions(compiled)
    simulator = Simulator(fragment)
    simulator.add_clock(1e-6)
    draws = np.random.default_rng(job.seed)
    traces, failure = [], []
    sizes, plan = job.trunk_packets

    def waits():
        return job.stalls and draws.integers(100) < job.stalls

    async def source(ctx):
        for image in job.images:
            for data, keep, last in _beats(image, config.port_bytes):
                while waits():
                    await ctx.tick()
                ctx.set(engine.i.payload, {"data": data, "keep": keep, "last": last})
                ctx.set(engine.i.valid, 1)
                await ctx.tick().until(engine.i.ready)
                ctx.set(engine.i.valid, 0)

    async def memory(ctx):
        while True:
            for packet in job.weight_packets:
                for _ in range(job.latency):
                    await ctx.tick()
                for data, _, last in _beats(np.frombuffer(packet, np.uint8), config.port_bytes):
                    while waits():
                        await ctx.tick()
                    ctx.set(engine.weights.payload, {"data": data, "last": last})
                    ctx.set(engine.weights.valid, 1)
                    taken = False
                    while not taken:
                        _, _, taken = await ctx.tick().sample(engine.weights.ready)
                    ctx.set(engine.weights.valid, 0)

    def copy(ctx, region):
        data, size = memories[region.memory], _word_bytes(memories[region.memory])
        rows = range(region.first, region.first + region.rows)
        words = b"".join(ctx.get(data[row]).to_bytes(size, "little") for row in rows)
        return np.frombuffer(words, np.uint8).reshape(region.rows, size)

    async def check(ctx):
        passes, number, record = len(copies), 0, _Record()
        started = cycle = 0
        ctx.set(engine.o.ready, not waits())
        async for _, _, taken, given, last, value, first_read, layer_done in ctx.tick().sample(
            engine.i.valid & engine.i.ready,
            engine.o.valid & engine.o.ready,
            engine.o.payload.last,
            engine.o.payload.data,
            engine.status.first_read,
            engine.status.layer_done,
        ):
            if taken:
                record.stamp("in", cycle)
            if first_read:
                record.stamp("read", cycle)
            if layer_done:
                # no later pass writes its map before it has read its program
                if len(record.ends) < passes:
                    record.copied.append([copy(ctx, region) for region in copies[len(record.ends)]])
                record.ends.append(cycle)
            if given:
                record.stamp("out", cycle)
                record.results.append(value)
                if last != (len(record.results) == job.beats):
                    reason = f"image {number}: `last` after {len(record.results)} results"
                    failure.append(SimulationError(reason))
                    return
            if len(record.ends) == passes and len(record.results) == job.beats:
                packets = trunks.kept[len(sizes) * number :] if sizes else []
                check_trunks(job, packets)
                traces.append(record.trace(compiled, packets))
                number, record, started = number + 1, _Record(), cycle
                job.tick(number)
                if number == len(job.images):
                    return
            cycle += 1
            if cycle - started > job.image_limit:
                failure.append(stuck(job, number, len(record.ends) + 1 if record.reading else 0))
                return
            if job.stalls:
                ctx.set(engine.o.ready, not waits())

    simulator.add_testbench(source, background=True)
    if config.weights == "stream":
        simulator.add_testbench(memory, background=True)
    if sizes:
        trunks = TrunkMemory(engine, plan, len(sizes), waits=waits, latency=job.latency)
        simulator.add_testbench(trunks.take, background=True)
        simulator.add_testbench(trunks.give, background=True)
    simulator.add_testbench(check)
    simulator.run()
    if failure:
        raise failure[0]
    return traces, 0
