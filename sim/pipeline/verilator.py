"""A pipeline's Verilog, compiled by Verilator, at its streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dorefa.golden.process.child import run
from dorefa.golden.process.python_tool import why_ended
from dorefa.golden.process.scratch import scratch_folder
from dorefa.hw.pipeline.top import PipelineTop

from ..job.errors import SimulationError
from ..verilator import build as model
from .streams import StreamRun, quiet_limit

_STREAMS = Path(__file__).with_name("streams.cpp")
_HEAD = 3  # numbers in front of each result


def simulate_streams(
    top: PipelineTop, verilog: str, images: np.ndarray, *, gaps: int = 0, stalls: int = 0, seed: int = 1
) -> StreamRun:
    """Runs the Verilog of `top`, named :data:`dorefa.hw.verilog.export.MODULE`, on images.

    images: uint8 (batch, H, W, C), codes of input_bits. gaps, stalls: chances in percent that a pixel comes
    late and that a number waits; seed: of these and of what nothing has written. Raises
    :class:`SimulationError` where the pipeline breaks its framing or stands still, and what
    :func:`dorefa.sim.verilator.build.build` raises.
    """
    pipeline, plan = top.pipeline, top.pipeline.plan
    count, rows, columns, channels = images.shape
    shape = plan.stages[-1].layer.out_shape
    numbers, size = int(np.prod(shape)), pipeline.result_bits // 8
    cycles = count * plan.interval * 100 // (100 - max(gaps, stalls))
    limit = quiet_limit(plan.latency, plan.interval, max(gaps, stalls))
    executable = model.build(verilog, {}, cycles=cycles, ports_only=True, main=_STREAMS)
    with scratch_folder() as folder:
        (folder / "images").write_bytes(np.ascontiguousarray(images, np.uint8).tobytes())
        # Verilator takes its seed as a positive 31-bit number.
        arguments = (
            1 + seed % 0x7FFFFFFE,
            gaps,
            stalls,
            count,
            rows * columns,
            channels,
            numbers,
            size,
            limit,
        )
        command = [str(executable), "images", "results", *map(str, arguments)]
        status, _, errors = run(command, folder=folder)
        if status:
            raise SimulationError(f"compiled pipeline: {why_ended(status, errors)}")
        raw = (folder / "results").read_bytes()
    record = np.dtype([("head", "<u8", _HEAD), ("numbers", f"<i{size}", numbers)])
    found = np.frombuffer(raw, record)
    began, last_out, marked = found["head"].astype(np.int64).T
    return StreamRun(
        results=found["numbers"].astype(np.int64).reshape(count, *shape),
        began=began,
        last_out=last_out,
        marked=marked.astype(bool),
    )
