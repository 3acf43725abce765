"""A pipeline's Verilog, compiled by Verilator, at its streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dorefa.golden.process.child import run
from dorefa.golden.process.python_tool import why_ended
from dorefa.golden.process.scratch import scratch_folder
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.hw.pipeline.watch import RESTARTS, SLOTS, WORDS
from dorefa.hw.verilog.export import MODULE

from ..job.errors import SimulationError
from ..job.fields import Fields
from ..verilator import build as model
from .files import job_file, read_run
from .streams import StreamRun

_STREAMS = Path(__file__).with_name("streams.cpp")
_WIRES = tuple((f"{MODULE}_pipeline", name) for name in (SLOTS, RESTARTS, WORDS))


def build_streams(verilog: str, *, cycles: int, ports_only: bool = False) -> Path:
    """The executable of a pipeline's Verilog, as of :func:`dorefa.sim.verilator.build.build`; ports_only:
    whether it has no wires of a :class:`dorefa.hw.pipeline.watch.Watch`."""
    wires = () if ports_only else _WIRES
    return model.build(verilog, {}, cycles=cycles, ports_only=True, wires=wires, main=_STREAMS)


def simulate_streams(
    top: PipelineTop,
    verilog: str,
    images: np.ndarray,
    *,
    gaps: int = 0,
    stalls: int = 0,
    seed: int = 1,
    ports_only: bool = False,
) -> StreamRun:
    """Runs the Verilog of `top`, named :data:`dorefa.hw.verilog.export.MODULE`, on images.

    images: uint8 (batch, H, W, C), codes of input_bits. gaps, stalls: chances in percent that a pixel comes
    late and that a number waits; seed: of these and of what nothing has written; ports_only: whether it has
    no wires of a :class:`dorefa.hw.pipeline.watch.Watch`, so that no maps are seen. Raises
    :class:`SimulationError` where the pipeline breaks its framing, stands still or loses a slot, and what
    :func:`dorefa.sim.verilator.build.build` raises.
    """
    pipeline, plan = top.pipeline, top.pipeline.plan
    numbers = int(np.prod(plan.result_shape))
    cycles = len(images) * max(plan.interval, numbers) * 100 // (100 - max(gaps, stalls))
    executable = build_streams(verilog, cycles=cycles, ports_only=ports_only)
    with scratch_folder() as folder:
        (folder / "job").write_bytes(
            job_file(top, images, gaps=gaps, stalls=stalls, seed=seed, ports_only=ports_only)
        )
        # Verilator takes its seed as a positive 31-bit number.
        command = [str(executable), "job", "result", str(1 + seed % 0x7FFFFFFE)]
        status, _, errors = run(command, folder=folder)
        if status:
            raise SimulationError(f"compiled pipeline: {why_ended(status, errors)}")
        found = Fields.read(folder / "result", "result file")
    return read_run(found, plan, result_bits=pipeline.result_bits, ports_only=ports_only)
