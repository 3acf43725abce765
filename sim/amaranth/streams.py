"""Sending beats to a stream in Amaranth's simulator, and when ports wait."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from amaranth.lib import stream
from amaranth.sim import SimulatorContext

from ..job.beats import Beat


class Stalls:
    """Random waiting: `source` and `sink` are the chances in percent that a port which sends or takes waits
    in a cycle, `draws` the generator. The order in which ports ask decides what each is told."""

    def __init__(self, draws: np.random.Generator, *, source: int = 0, sink: int = 0) -> None:
        self._draws, self._source, self._sink = draws, source, sink

    def source(self) -> bool:
        """Whether a port that sends waits now."""
        return bool(self._source and self._draws.integers(100) < self._source)

    def sink(self) -> bool:
        """Whether a port that takes waits now."""
        return bool(self._sink and self._draws.integers(100) < self._sink)


async def send(ctx: SimulatorContext, port: stream.Interface, beats: Iterable[Beat], stalls: Stalls) -> None:
    """Sends beats to a stream whose payload has `data`, `last` and, where bytes may be left out, `keep`."""
    names = [name for name, _ in port.payload.shape()]
    for beat in beats:
        while stalls.source():
            await ctx.tick()
        ctx.set(port.payload, {name: getattr(beat, name) for name in names})
        ctx.set(port.valid, 1)
        taken = False
        # Not until(): its generator warns when the simulation ends while it waits.
        while not taken:
            _, _, taken = await ctx.tick().sample(port.ready)
        ctx.set(port.valid, 0)
