"""Amaranth's own simulator on the engine itself, no Verilog involved: slow, and needs no tool."""

from __future__ import annotations

import numpy as np

from ..job.job import Job, Trace
from .bench import Bench
from .streams import Stalls


def run(job: Job) -> tuple[list[Trace], int]:
    """One :class:`Trace` per packet of images; the network is preloaded, so loading takes no cycle.

    Raises :class:`~dorefa.sim.job.errors.SimulationError` when the watchdog fires or the port of results
    breaks its protocol.
    """
    stalls = Stalls(np.random.default_rng(job.seed), source=job.stalls, sink=job.stalls)
    bench = Bench(job, stalls=stalls)
    bench.run(bench.watch, waves=job.waveform)
    return bench.traces, 0
