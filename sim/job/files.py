"""The job file that the benches outside of this process read, and the result file that they write.

Fields of the job, the same for the compiled harness and for cocotb, stand in :func:`job_file`. Those of the
results:

- `load_cycles`: of loading the network; 0 where it did not end in time;
- for every packet of images, that is several times each: `first_in`, `last_in`, `first_read`, `ends`,
  `first_out`, `last_out` (cycles), `results` (bytes as on the port), `snapshots` (bytes of every region, pass
  after pass); `undefined` (as `snapshots`, a one for every undefined bit) from simulators that know such;
  `trunks` and `trunks_bytes` where trunks stream; `cycles`, the engine's register, of a netlist;
- `status`: ``done``, ``load`` (loading did not end), ``stuck`` (the watchdog fired) or ``protocol`` (a packet
  of results ended in the wrong place), and `stopped`, (image, pass or results) of the last two.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dorefa.hw.interface.registers import REGISTERS
from dorefa.hw.interface.streams import trunk_bytes

from .beats import result_words
from .design import MemoryArray, memory_images
from .errors import SimulationError
from .fields import Fields, join_packets, write
from .job import Job, Trace, check_trunks, stuck
from .snapshot import Region, regions, values


def _copies(job: Job) -> list[list[Region]]:
    """The regions to copy after each pass whose end can be seen."""
    return [] if job.ports_only else regions(job.compiled)


def _writes(job: Job) -> list[int]:
    """Byte address and word of every write through AXI4-Lite, one after another."""
    if job.preloaded:
        return []
    compiled = job.compiled
    writes = compiled.host_writes() if job.through_port else compiled.register_writes()
    return [number for address, word in writes for number in (4 * int(address), int(word))]


def job_file(job: Job, memories: Mapping[str, MemoryArray]) -> bytes:
    """What a bench needs to know. `memories`: :func:`.design.find_memories` of its Verilog."""
    config, copies = job.compiled.config, _copies(job)
    images = {} if job.through_port or job.preloaded else memory_images(job.compiled)
    used = list(dict.fromkeys([*images, *(region.memory for own in copies for region in own)]))
    number = {name: index for index, name in enumerate(used)}
    rows = [
        int(word).to_bytes(memories[name].row_bytes, "little")
        for name, words in images.items()
        for word in words
    ]
    snapshots = [
        (index, number[region.memory], region.first, region.rows)
        for index, own in enumerate(copies)
        for region in own
    ]
    return write(
        [
            ("seed", job.seed),
            # Chance in percent that a port waits; cycles before a packet of weights or of a trunk.
            ("stalls", job.stalls),
            ("latency", job.latency),
            # Cycles of a first attempt that a reset ends, 0 for none.
            ("reset_after", job.reset_after),
            ("load_limit", job.load_limit),
            ("image_limit", job.image_limit),
            ("port_bytes", config.port_bytes),
            ("trunk_bytes", trunk_bytes(config)),
            ("result_bytes", config.result_bits // 8),
            ("results", job.result_count),
            ("passes", len(copies)),
            ("ports_only", int(job.ports_only)),
            ("cycles_address", REGISTERS["cycles"].offset),
            # Every memory that is filled or copied: its path, one a line, and the bytes of its words.
            ("memories", "\n".join(used)),
            ("memory_bytes", [memories[name].row_bytes for name in used]),
            # Memories filled directly: (memory, rows) each, and the rows of all.
            ("contents", [entry for name, words in images.items() for entry in (number[name], len(words))]),
            ("contents_rows", b"".join(rows)),
            ("writes", _writes(job)),
            # What to copy: (pass, memory, first row, rows) each.
            ("snapshots", [entry for piece in snapshots for entry in piece]),
            *join_packets("images", (np.ascontiguousarray(image).tobytes() for image in job.images)),
            *join_packets("weights", job.weight_packets),
            # Which packet of the image comes back, in order.
            ("trunk_plan", job.trunk_packets[1]),
        ]
    )


def _raise_if_stopped(results: Fields, job: Job, first: int) -> None:
    """Says what the bench ran into; `first` is the number of the job's first image."""
    status = results.text("status")
    if status == "load":
        raise SimulationError(f"loading the network did not end within {job.load_limit} cycles")
    if status != "done":
        image, place = results.numbers("stopped")
        if status == "stuck":
            raise stuck(job, first + image, place)
        raise SimulationError(
            f"image {first + image}: m_axis_tlast after {place} results; expected after {job.result_count}"
        )


def read_results(
    results: Fields, job: Job, memories: Mapping[str, MemoryArray], first: int = 0
) -> tuple[list[Trace], int]:
    """One :class:`Trace` per packet of images, and the cycles of loading.

    `first`: the number of the job's first image, for messages. Raises :class:`SimulationError` when the bench
    did not get through all images.
    """
    _raise_if_stopped(results, job, first)
    return (
        [_trace(results, number, job, memories) for number in range(len(job.images))],
        results.number("load_cycles"),
    )


def _trace(results: Fields, number: int, job: Job, memories: Mapping[str, MemoryArray]) -> Trace:
    """The trace of one image of the file."""
    stamps = ("first_in", "last_in", "first_read", "first_out", "last_out")
    words = result_words(results.contents("results", number), job.compiled.config)
    packets = results.packets("trunks", number) if "trunks" in results else []
    check_trunks(job, packets)
    return Trace(
        **{name: results.number(name, number) for name in stamps},
        ends=results.numbers("ends", number),
        results=words,
        values={} if job.ports_only else _values(results, number, job, memories, packets),
        cycles=results.number("cycles", number) if job.ports_only else None,
    )


def _values(
    results: Fields, number: int, job: Job, memories: Mapping[str, MemoryArray], packets: list[bytes]
) -> dict[str, np.ndarray]:
    """Codes and trunks of all layers; -1 where a bit is known to be undefined."""
    copied = _cut(results.contents("snapshots", number), job, memories)
    found = values(job.compiled, copied, packets)
    if "undefined" not in results:
        return found
    found = {name: array.astype(np.int64) for name, array in found.items()}
    marks = _cut(results.contents("undefined", number), job, memories)
    for name, array in values(job.compiled, marks, [bytes(len(packet)) for packet in packets]).items():
        found[name][array != 0] = -1
    return found


def _cut(data: bytes, job: Job, memories: Mapping[str, MemoryArray]) -> list[list[np.ndarray]]:
    """The rows of every region, uint8 (rows, bytes), pass after pass."""
    all_rows, at = np.frombuffer(data, np.uint8), 0
    copied: list[list[np.ndarray]] = []
    for own in _copies(job):
        copied.append([])
        for region in own:
            size = memories[region.memory].row_bytes
            copied[-1].append(all_rows[at : at + region.rows * size].reshape(region.rows, size))
            at += region.rows * size
    return copied
