"""What the engine's main signals do while it computes, from Amaranth's simulator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Elaboratable, Value
from amaranth.sim import SimulatorContext

from dorefa.hw.compiler.compile import CompiledNetwork
from dorefa.sim.amaranth.bench import Bench
from dorefa.sim.job.job import Job, stuck


def _signals(bench: Bench) -> list[tuple[str, Value]]:
    """(label, signal) of what a tile passes through, in order, in the first slice."""

    def part(name: str) -> Elaboratable:
        return bench.component(f"core.slice0.{name}")

    issue, array, drain = part("issue"), part("array"), part("drain")
    return [
        ("window reader: feature address", part("window_reader").r_address),
        ("window reader: patch is filled", part("window_reader").filled),
        ("issue: step", issue.step.enable),
        ("issue: activation plane", issue.plane),
        ("issue: last step of a tile", issue.tile.ends),
        ("array: accumulator, row 0", array.acc[0]),
        ("array: tile is captured", array.captured.ends),
        ("drain: group of channels", drain.valid),
        ("drain: accumulator, lane 0", drain.values[0]),
        ("quantizer: code, lane 0", part("quantizer").codes[0]),
        ("pooling: window is done", part("pool").o_valid),
        ("packer: feature write", bench.component("core.packer").w_en),
    ]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One signal: its label, width in bits, and `values` (int, one a cycle)."""

    label: str
    width: int
    values: np.ndarray


def record(compiled: CompiledNetwork, image: np.ndarray, *, first: int, cycles: int) -> list[Trace]:
    """A :class:`Trace` per main signal: `cycles` cycles of the first layer, from cycle `first`.

    `image` is uint8 (H, W, C). Cycle 0 is the image's first feature read. Raises
    :class:`~dorefa.sim.job.errors.SimulationError` when the engine does not start on the image.
    """
    bench = Bench(Job(compiled=compiled, images=image[None]))
    signals = _signals(bench)
    samples = []

    async def watch(ctx: SimulatorContext) -> None:
        for _ in range(bench.job.image_limit):
            if ctx.get(bench.engine.status.first_read):
                break
            await ctx.tick()
        else:
            raise stuck(bench.job, 0, 0)
        for _ in range(first):
            await ctx.tick()
        for _ in range(cycles):
            samples.append([int(ctx.get(signal)) for _, signal in signals])
            await ctx.tick()

    bench.run(watch)
    columns = zip(*samples, strict=True)
    return [
        Trace(label=label, width=len(signal), values=np.array(values))
        for (label, signal), values in zip(signals, columns, strict=True)
    ]
