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
    traces, cycle, failure = [], 0, []

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

    async def count(ctx):
        nonlocal cycle
        async for _ in ctx.tick():
            cycle += 1

    def read_layer(ctx, layer):
        rows = layer_rows(layer, config)
        size = math.ceil(config.out_bits * config.fetch_bits / 8)
        codes = [
            np.frombuffer(
                b"".join(
                    ctx.get(bank[row]).to_bytes(size, "little") for row in range(first, first + number)
                ),
                np.uint8,
            ).reshape(number, size)
            for bank, (first, number) in zip(banks, rows, strict=True)
        ]
        return decode(codes, layer, config)

    async def check(ctx):
        layers = compiled.layers
        for number in range(len(job.images)):
            ends, results, codes, stamps, start = [], [], [], {}, cycle
            while len(ends) < len(layers) or len(results) < job.beats:
                if cycle - start > job.image_limit:
                    failure.append(stuck(job, number, len(ends) + 1 if "first_read" in stamps else 0))
                    return
                ready = not waits()
                ctx.set(engine.o.ready, ready)
                await ctx.delay(0)
                if ctx.get(engine.i.valid & engine.i.ready):
                    stamps.setdefault("first_in", cycle)
                    stamps["last_in"] = cycle
                if ctx.get(engine.status.first_read):
                    stamps.setdefault("first_read", cycle)
                if ctx.get(engine.status.layer_done):
                    if len(ends) < len(layers) - 1:
                        codes.append(read_layer(ctx, layers[len(ends)]))
                    ends.append(cycle)
                if ready and ctx.get(engine.o.valid):
                    stamps.setdefault("first_out", cycle)
                    stamps["last_out"] = cycle
                    results.append(ctx.get(engine.o.payload.data))
                    if ctx.get(engine.o.payload.last) != (len(results) == job.beats):
                        failure.append(
                            SimulationError(f"image {number}: `last` after {len(results)} results")
                        )
                        return
                await ctx.tick()
            traces.append(
                Trace(**stamps, ends=ends, results=np.array(results, np.int64), codes=codes)
            )
            job.tick(number + 1)

    simulator.add_testbench(source, background=True)
    simulator.add_testbench(count, background=True)
    simulator.add_testbench(check)
    simulator.run()
    if failure:
        raise failure[0]
    return traces, 0
