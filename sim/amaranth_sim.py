"""Amaranth's own simulator on the engine itself, no Verilog involved: slow, and needs no tool."""

from __future__ import annotations

import math

import numpy as np
from amaranth.hdl import Fragment
from amaranth.hdl._mem import MemoryInstance
from amaranth.sim import Simulator

from dorefa.hw.engine import Engine

from .compare import decode
from .design import layer_rows
from .job import Job, SimulationError, Trace, stuck


def _feature_banks(fragment):
    """Contents (`MemoryData`) of ``feature.bank0`` and ``feature.bank1``."""
    for child, name, _ in fragment.subfragments:
        if name == "feature":
            banks = {inner: memory for memory, inner, _ in child.subfragments}
            return [_memory_data(banks[f"bank{bank}"]) for bank in range(2)]
    raise LookupError("the engine has no submodule `feature`")


def _memory_data(fragment):
    if isinstance(fragment, MemoryInstance):
        return fragment._data
    return next(_memory_data(child) for child, _, _ in fragment.subfragments)


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
        self.ends, self.results, self.codes = [], [], []

    def stamp(self, event, cycle):
        """Notes the first and the last cycle of an event."""
        self._stamps.setdefault(f"first_{event}", cycle)
        self._stamps[f"last_{event}"] = cycle

    @property
    def reading(self):
        """Whether the first layer has begun."""
        return "first_read" in self._stamps

    def trace(self):
        """The finished record."""
        self._stamps.pop("last_read")
        results = np.array(self.results, np.int64)
        return Trace(**self._stamps, ends=self.ends, results=results, codes=self.codes)


def run(job: Job) -> tuple[list[Trace], int]:
    """One :class:`Trace` per image; the network is preloaded, so loading takes no cycle."""
    compiled = job.compiled
    config = compiled.config
    engine = Engine(config, memories=compiled.memories)
    fragment = Fragment.get(engine, None)
    banks = _feature_banks(fragment)
    simulator = Simulator(fragment)
    simulator.add_clock(1e-6)
    draws = np.random.default_rng(job.seed)
    traces, failure = [], []

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

    def read_layer(ctx, layer):
        rows = layer_rows(layer, config)
        size = math.ceil(config.out_bits * config.fetch_bits / 8)
        codes = [
            np.frombuffer(
                b"".join(
                    ctx.get(bank[row]).to_bytes(size, "little")
                    for row in range(first, first + number)
                ),
                np.uint8,
            ).reshape(number, size)
            for bank, (first, number) in zip(banks, rows, strict=True)
        ]
        return decode(codes, layer, config)

    async def check(ctx):
        layers, number, record = compiled.layers, 0, _Record()
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
                # no later layer writes its map before it has read its program
                if len(record.ends) < len(layers) - 1:
                    record.codes.append(read_layer(ctx, layers[len(record.ends)]))
                record.ends.append(cycle)
            if given:
                record.stamp("out", cycle)
                record.results.append(value)
                if last != (len(record.results) == job.beats):
                    reason = f"image {number}: `last` after {len(record.results)} results"
                    failure.append(SimulationError(reason))
                    return
            if len(record.ends) == len(layers) and len(record.results) == job.beats:
                traces.append(record.trace())
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
    simulator.add_testbench(check)
    simulator.run()
    if failure:
        raise failure[0]
    return traces, 0
