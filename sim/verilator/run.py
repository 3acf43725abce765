"""Fast simulation of whole networks: the Verilog compiled by Verilator, the image loop in C++.

Images and results pass through the AXI4-Stream ports, with random stalls if asked for. The network
is written into the memories directly, or through the AXI4-Lite port.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from dorefa.golden.process.child import started
from dorefa.golden.process.scratch import check_space, scratch_folder

from ..job.design import MemoryArray, find_memories
from ..job.errors import SimulationError
from ..job.fields import Fields
from ..job.files import job_file, read_results
from ..job.job import Job, Trace
from . import build as model

# Wall-clock watchdog: after a grace of so many seconds, a model slower than so many cycles per
# second is taken for dead.
_GRACE = 60
_SLOWEST = 500


def _execute(command: list[str], folder: Path, job: Job) -> None:
    """Runs the model, which prints the number of images done; kills it when it hangs."""
    limit = _GRACE + (job.load_limit + job.image_limit * len(job.images)) / _SLOWEST
    with (
        (folder / "errors").open("w+") as errors,
        started(command, folder=folder, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        watchdog = threading.Timer(limit, process.kill)
        watchdog.start()
        try:
            for line in process.stdout or ():  # a pipe, never None
                job.tick(int(line))
            status = process.wait()
        finally:
            fired = watchdog.finished.is_set()
            watchdog.cancel()
        errors.seek(0)
        message = errors.read().strip()
    check_space(folder)
    if status:
        reason = f"killed after {limit:.0f} s" if fired else message or f"status {status}"
        raise SimulationError(f"compiled model: {reason}")


def run(job: Job, verilog: str) -> tuple[list[Trace], int]:
    """One :class:`Trace` per packet of images, and the cycles that loading through AXI4-Lite took.

    A long job runs as several processes of the model, each with its part of the packets. Raises
    :class:`SimulationError` when the watchdog fires or a port breaks its protocol.
    """
    memories = {} if job.ports_only else find_memories(verilog, job.module)
    cycles = len(job.images) * job.compiled.cycles
    executable = model.build(
        verilog,
        memories,
        cycles=cycles,
        ports_only=job.ports_only,
        top=job.module,
        trace=job.waveform is not None,
    )
    together = job.waveform is None and model.is_long(cycles)
    parts = _parts(job, (os.cpu_count() or 1) if together else 1)
    with ThreadPoolExecutor(len(parts)) as pool:
        outcomes = list(pool.map(lambda part: _run_part(executable, memories, *part), parts))
    return [trace for traces, _ in outcomes for trace in traces], outcomes[0][1]


def _parts(job: Job, most: int) -> list[tuple[Job, int]]:
    """At most so many jobs with part of the images each, and the number of their first packet; every one
    has other stalls."""
    parts = np.array_split(job.images, min(most, len(job.images)))
    lock, done = threading.Lock(), [0] * len(parts)

    def progress(number: int) -> Callable[[int, int], None]:
        def count(_: int, __: int) -> None:
            with lock:
                done[number] += 1
                job.tick(sum(done))

        return count

    firsts = np.cumsum([0, *map(len, parts)]).tolist()
    return [
        (replace(job, images=part, seed=job.seed + number, progress=progress(number)), firsts[number])
        for number, part in enumerate(parts)
    ]


def _run_part(
    executable: Path, memories: dict[str, MemoryArray], job: Job, first: int
) -> tuple[list[Trace], int]:
    """What :func:`run` returns, of one process of the model; `first` is the number of its first packet."""
    with scratch_folder() as folder:
        (folder / "job").write_bytes(job_file(job, memories))
        # Verilator takes its seed as a positive 31-bit number
        seed = 1 + job.seed % 0x7FFFFFFE
        waveform = [] if job.waveform is None else [str(job.waveform)]
        _execute([str(executable), "job", "result", str(seed), *waveform], folder, job)
        return read_results(Fields.read(folder / "result", "result file"), job, memories, first)
