"""What the engine's main signals do while it computes, from Amaranth's simulator."""

from dataclasses import dataclass

import numpy as np
from amaranth.sim import Simulator

from dorefa.hw.engine.engine import Engine


class _OpenEngine(Engine):
    """An engine whose parts, and those of its first slice, can be watched."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        self.parts = m.submodules
        lead = m.submodules.slice0
        inner = lead.elaborate(platform)
        # Elaborating once more would make other signals.
        lead.elaborate = lambda platform: inner
        self.slice_parts = inner.submodules
        return m


def _signals(engine):
    """(label, signal) of what a tile passes through, in order."""
    parts = engine.slice_parts
    return [
        ("window reader: feature address", parts.window_reader.r_address),
        ("window reader: patch is filled", parts.window_reader.filled),
        ("issue: step", parts.issue.step.enable),
        ("issue: activation plane", parts.issue.plane),
        ("issue: last step of a tile", parts.issue.tile.ends),
        ("array: accumulator, row 0", parts.array.acc[0]),
        ("array: tile is captured", parts.array.captured.ends),
        ("drain: group of channels", parts.drain.valid),
        ("drain: accumulator, lane 0", parts.drain.values[0]),
        ("quantizer: code, lane 0", parts.quantizer.codes[0]),
        ("pooling: window is done", parts.pool.o_valid),
        ("packer: feature write", engine.parts.packer.w_en),
    ]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One signal: its label, width in bits, and `values` (int, one a cycle)."""

    label: str
    width: int
    values: np.ndarray


# Cycles after which an engine that has not started on its image is taken for dead.
_PATIENCE = 100_000


def record(compiled, image, *, first, cycles):
    """A :class:`Trace` per main signal: `cycles` cycles of the first layer, from cycle `first`.

    `compiled` is a :class:`CompiledNetwork`, `image` uint8 (H, W, C). Cycle 0 is the image's first
    feature read.
    """
    engine = _OpenEngine(compiled.config, memories=compiled.memories)
    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    signals = _signals(engine)
    samples = []

    async def feed(ctx):
        width = compiled.config.port_bytes
        codes = image.tobytes()
        for place in range(0, len(codes), width):
            beat = codes[place : place + width]
            ctx.set(engine.i.payload.data, int.from_bytes(beat, "little"))
            ctx.set(engine.i.payload.keep, (1 << len(beat)) - 1)
            ctx.set(engine.i.payload.last, int(place + width >= len(codes)))
            ctx.set(engine.i.valid, 1)
            await ctx.tick().until(engine.i.ready)
        ctx.set(engine.i.valid, 0)

    async def watch(ctx):
        for _ in range(_PATIENCE):
            if ctx.get(engine.status.first_read):
                break
            await ctx.tick()
        else:
            raise RuntimeError(f"the engine did not start within {_PATIENCE} cycles")
        if first:
            await ctx.tick().repeat(first)
        for _ in range(cycles):
            samples.append([int(ctx.get(signal)) for _, signal in signals])
            await ctx.tick()

    simulator.add_testbench(feed, background=True)
    simulator.add_testbench(watch)
    simulator.run()
    columns = zip(*samples, strict=True)
    return [
        Trace(label=label, width=len(signal), values=np.array(values))
        for (label, signal), values in zip(signals, columns, strict=True)
    ]
