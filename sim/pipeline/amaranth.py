"""A pipeline in Amaranth's simulator, at its streams."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from amaranth.lib import data
from amaranth.sim import Simulator, SimulatorContext

from dorefa.hw.pipeline.pipeline import Pipeline

from ..amaranth.streams import Stalls, send
from ..job.beats import Beat
from ..job.errors import SimulationError
from .maps import MapRecord, cut_maps, map_sizes
from .streams import StreamRun, quiet_limit


def packet(image: np.ndarray) -> list[Beat]:
    """The beats of an image, uint8 (H, W, C)."""
    pixels = np.ascontiguousarray(image, np.uint8).reshape(-1, image.shape[-1])
    words = [int.from_bytes(pixel.tobytes(), "little") for pixel in pixels]
    return [Beat(data=word, keep=0, last=at == len(words) - 1) for at, word in enumerate(words)]


class _Watch:
    """What passes at the ports of a pipeline, cycle by cycle."""

    def __init__(self, pipeline: Any, limit: int) -> None:
        self._pipeline, self._limit = pipeline, limit
        self._numbers = int(np.prod(pipeline.plan.result_shape))
        self.began: list[int] = []
        self.stamps: list[tuple[int, bool]] = []
        self.results: list[list[int]] = []
        self.maps = MapRecord(map_sizes(pipeline.plan))
        self._row: list[int] = []
        self._cycle = self._quiet = 0
        self._inside = False

    def cycle(self, taken: int, last: int, given: int, beat: data.Const) -> None:
        """One cycle: whether a pixel was taken, the last one of an image, and whether a number left."""
        self._quiet = 0 if taken or given else self._quiet + 1
        if self._quiet > self._limit:
            raise SimulationError(f"image {len(self.results)}: no beat for {self._limit} cycles")
        if taken:
            if not self._inside:
                self.began.append(self._cycle)
            self._inside = not last
        if given:
            self._number(beat)
        self._cycle += 1

    def _number(self, beat: data.Const) -> None:
        bits = self._pipeline.result_bits
        self._row.append(beat.data - (beat.data >> (bits - 1) << bits))
        if beat.last != (len(self._row) == self._numbers):
            raise SimulationError(f"image {len(self.results)}: `last` after {len(self._row)} numbers")
        if beat.last:
            self.results.append(self._row)
            self.stamps.append((self._cycle, bool(beat.error)))
            self._row = []


def run_streams(
    plan: Any,
    packets: Iterable[list[Beat]],
    *,
    make_core: Callable[..., Any] = Pipeline,
    gaps: int = 0,
    stalls: int = 0,
    seed: int = 1,
) -> StreamRun:
    """Runs packets of images through the pipeline of a plan, which `make_core` makes.

    gaps, stalls: chances in percent that a pixel comes late and that a number waits, drawn from `seed`.
    Raises :class:`SimulationError` where the pipeline breaks its framing or stands still.
    """
    pipeline, packets = make_core(plan, watched=True), list(packets)
    seen = pipeline.watch
    waits = Stalls(np.random.default_rng(seed), source=gaps, sink=stalls)
    told = _Watch(pipeline, quiet_limit(plan.latency, plan.interval, max(gaps, stalls)))

    async def images(ctx: SimulatorContext) -> None:
        for beats in packets:
            await send(ctx, pipeline.i, beats, waits)

    async def watch(ctx: SimulatorContext) -> None:
        i, o = pipeline.i, pipeline.o
        ctx.set(o.ready, not waits.sink())
        ports = (i.valid & i.ready, i.payload.last, o.valid & o.ready, o.payload)
        async for _, _, taken, last, given, beat in ctx.tick().sample(*ports):
            told.cycle(taken, last, given, beat)
            # Of the cycle that begins: registers drive what leaves the stages.
            slots, restarts = (0, 0) if seen is None else (ctx.get(seen.slots), ctx.get(seen.restarts))
            if slots or restarts:
                told.maps.take(slots, restarts, ctx.get(seen.words))
            if len(told.results) == len(packets) and told.maps.complete(len(packets)):
                return
            ctx.set(o.ready, not waits.sink())

    simulator = Simulator(pipeline)
    simulator.add_clock(1e-6)
    simulator.add_testbench(images, background=True)
    simulator.add_testbench(watch)
    simulator.run()
    told.maps.end()
    last_out, marked = np.array(told.stamps, np.int64).reshape(-1, 2).T
    shape = plan.result_shape
    return StreamRun(
        results=np.array(told.results, np.int64).reshape(-1, *shape),
        began=np.array(told.began[: len(told.results)], np.int64),
        last_out=last_out,
        marked=marked.astype(bool),
        maps=cut_maps(plan, told.maps.ends, told.maps.words, len(packets)),
    )
