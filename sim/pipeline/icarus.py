"""A pipeline's Verilog in Icarus, under cocotb."""

from __future__ import annotations

import numpy as np

from dorefa.hw.pipeline.top import PipelineTop

from ..cocotb.runner import run_bench
from ..job.errors import SimulationError
from .files import job_file, read_run
from .streams import StreamRun, quiet_limit

_BENCH = "dorefa.sim.pipeline.bench"


def simulate_streams(
    top: PipelineTop, verilog: str, images: np.ndarray, *, gaps: int = 0, stalls: int = 0, seed: int = 1
) -> StreamRun:
    """Runs the Verilog of a watched `top`, named :data:`dorefa.hw.verilog.export.MODULE`, on images.

    images: uint8 (batch, H, W, C), codes of input_bits. gaps, stalls: chances in percent that a pixel comes
    late and that a number waits, drawn from `seed`. What nothing has written is X. Raises
    :class:`SimulationError` where the pipeline breaks its framing, stands still, loses a slot or sends an
    undefined bit, and what :func:`dorefa.sim.cocotb.runner.run_bench` raises.
    """
    plan = top.pipeline.plan
    job = job_file(top, images, gaps=gaps, stalls=stalls, seed=seed, ports_only=False)
    cycles = len(images) * quiet_limit(plan.latency, plan.interval, max(gaps, stalls))
    found = run_bench(verilog, job, simulator="icarus", bench=_BENCH, cycles=cycles)
    if "wrong" in found:
        raise SimulationError(f"icarus: {found.text('wrong')}")
    return read_run(found, plan, result_bits=top.pipeline.result_bits, ports_only=False)
