"""Fast simulation of whole networks: the Verilog compiled by Verilator, the image loop in C++.

Images and results pass through the AXI4-Stream ports, with random stalls if asked for. The network
is written into the memories directly, or through the AXI4-Lite port.
"""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np

from dorefa.hw.interface.registers import REGISTERS
from dorefa.hw.verilog.export import MODULE

from ..job import design
from ..job.job import Job, SimulationError, Trace, check_trunks, stuck
from ..job.snapshot import regions, values
from . import build as model

# Wall-clock watchdog: after a grace of so many seconds, a model slower than so many cycles per
# second is taken for dead.
_GRACE = 60
_SLOWEST = 500


def _number(value):
    return struct.pack("<Q", value)


def _piece(memory, first, rows):
    scope, name = f"TOP.{MODULE}.{memory.path}".encode(), memory.name.encode()
    return b"".join(
        (
            _number(len(scope)),
            scope,
            _number(len(name)),
            name,
            _number(memory.row_bytes),
            _number(first),
            _number(rows),
        )
    )


def _job_file(job: Job, memories) -> bytes:
    """What ``read_job`` of harness.cpp reads."""
    compiled = job.compiled
    numbers = (
        job.seed,
        job.stalls,
        job.stalls,
        job.latency,
        job.load_limit,
        job.image_limit,
        job.beats,
        0 if job.ports_only else len(compiled.schedule.passes),
        REGISTERS["cycles"].offset,
    )
    parts = [_number(value) for value in numbers]
    images = {} if job.through_port or job.preloaded else design.memory_images(compiled)
    parts.append(_number(len(images)))
    for name, words in images.items():
        memory = memories[name]
        parts.append(_piece(memory, 0, len(words)))
        parts.append(b"".join(word.to_bytes(memory.row_bytes, "little") for word in map(int, words)))
    writes = list(compiled.host_writes() if job.through_port else compiled.register_writes())
    if job.preloaded:
        writes = []
    parts.append(_number(len(writes)))
    parts += [_number(4 * address) + _number(int(data)) for address, data in writes]
    for own in _copies(job):
        parts.append(_number(len(own)))
        parts += [_piece(memories[region.memory], region.first, region.rows) for region in own]
    packets = job.weight_packets
    parts.append(_number(len(packets)))
    parts += [_number(len(packet)) + packet for packet in packets]
    plan = job.trunk_packets[1]
    parts += [_number(value) for value in (len(plan), *plan)]
    parts += [_number(len(job.images)), _number(job.image_bytes)]
    parts.append(np.ascontiguousarray(job.images).tobytes())
    return b"".join(parts)


def _copies(job):
    """The regions to copy after each pass whose end can be seen."""
    return [] if job.ports_only else regions(job.compiled)


class _Results:
    """Reads what ``run`` of harness.cpp wrote."""

    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def numbers(self, count: int) -> list[int]:
        """`count` unsigned integers."""
        values = np.frombuffer(self._data, "<u8", count, self._at).tolist()
        self._at += 8 * count
        return values

    def rows(self, rows: int, row_bytes: int) -> np.ndarray:
        """So many words of a memory: uint8 (rows, bytes)."""
        size = rows * row_bytes
        data = np.frombuffer(self._data, np.uint8, size, self._at)
        self._at += size
        return data.reshape(rows, row_bytes)

    def packet(self) -> bytes:
        """Bytes with their number before them."""
        return self.rows(*self.numbers(1), 1).tobytes()


def _signed(results, bits):
    """Results as they are on the port, `bits` wide, as int64."""
    results = np.array(results, np.uint64)
    return results.astype(np.uint32).view(np.int32).astype(np.int64) if bits == 32 else results.view(np.int64)


def _trace(results: _Results, job: Job, memories) -> Trace:
    compiled = job.compiled
    first_in, last_in, first_read = results.numbers(3)
    ends = results.numbers(len(_copies(job)))
    first_out, last_out = results.numbers(2)
    outputs = _signed(results.numbers(job.beats), compiled.config.result_bits)
    copied = [
        [results.rows(region.rows, memories[region.memory].row_bytes) for region in own]
        for own in _copies(job)
    ]
    packets = []
    if compiled.config.trunks == "stream":
        packets = [results.packet() for _ in range(*results.numbers(1))]
    check_trunks(job, packets)
    return Trace(
        first_in=first_in,
        last_in=last_in,
        first_read=first_read,
        ends=ends,
        first_out=first_out,
        last_out=last_out,
        results=outputs,
        values={} if job.ports_only else values(compiled, copied, packets),
        cycles=results.numbers(1)[0] if job.ports_only else None,
    )


def _execute(command, job: Job) -> None:
    """Runs the model, which prints the number of images done; kills it when it hangs."""
    limit = _GRACE + (job.load_limit + job.image_limit * len(job.images)) / _SLOWEST
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=pipe, stderr=errors, text=True) as process,
    ):
        watchdog = threading.Timer(limit, process.kill)
        watchdog.start()
        try:
            for line in process.stdout:
                job.tick(int(line))
            status = process.wait()
        finally:
            process.kill()
            fired = watchdog.finished.is_set()
            watchdog.cancel()
        errors.seek(0)
        message = errors.read().strip()
    if status:
        reason = f"killed after {limit:.0f} s" if fired else message or f"status {status}"
        raise SimulationError(f"compiled model: {reason}")


def run(job: Job, verilog: str) -> tuple[list[Trace], int]:
    """One :class:`Trace` per packet of images, and the cycles that loading through AXI4-Lite took.

    A long job runs as several processes of the model, each with its part of the packets. Raises
    :class:`SimulationError` when the watchdog fires or a port breaks its protocol.
    """
    memories = {} if job.ports_only else design.find_memories(verilog, MODULE)
    cycles = len(job.images) * job.compiled.cycles
    executable = model.build(
        verilog,
        memories,
        config=job.compiled.config,
        cycles=cycles,
        ports_only=job.ports_only,
    )
    parts = _parts(job, (os.cpu_count() or 1) if model.is_long(cycles) else 1)
    with ThreadPoolExecutor(len(parts)) as pool:
        outcomes = list(pool.map(lambda part: _run_part(executable, memories, *part), parts))
    return [trace for traces, _ in outcomes for trace in traces], outcomes[0][1]


def _parts(job: Job, most: int) -> list[tuple[Job, int]]:
    """At most so many jobs with part of the images each, and the number of their first packet; every one
    has other stalls."""
    parts = np.array_split(job.images, min(most, len(job.images)))
    lock, done = threading.Lock(), [0] * len(parts)

    def progress(number):
        def count(_, __):
            with lock:
                done[number] += 1
                job.tick(sum(done))

        return count

    firsts = np.cumsum([0, *map(len, parts)]).tolist()
    return [
        (replace(job, images=part, seed=job.seed + number, progress=progress(number)), firsts[number])
        for number, part in enumerate(parts)
    ]


def _run_part(executable, memories, job: Job, first: int):
    """What :func:`run` returns, of one process of the model; `first` is the number of its first packet."""
    with tempfile.TemporaryDirectory(prefix="dorefa_") as directory:
        job_path, result_path = Path(directory, "job"), Path(directory, "result")
        job_path.write_bytes(_job_file(job, memories))
        # Verilator takes its seed as a positive 31-bit number
        seed = 1 + job.seed % 0x7FFFFFFE
        _execute([str(executable), str(job_path), str(result_path), str(seed)], job)
        data = result_path.read_bytes()
    status = struct.unpack("<Q", data[-8:])[0]
    results = _Results(data)
    (load_cycles,) = results.numbers(1)
    if status == 0:
        return [_trace(results, job, memories) for _ in job.images], load_cycles
    if not load_cycles:
        raise SimulationError(f"loading the network did not end within {job.load_limit} cycles")
    image, place = struct.unpack("<QQ", data[-24:-8])
    if status == 1:
        raise stuck(job, first + image, place)
    raise SimulationError(
        f"image {first + image}: m_axis_tlast after {place} results; expected after {job.beats}"
    )
