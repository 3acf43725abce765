"""Runs :mod:`dorefa.sim.cocotb.bench` on the exported Verilog, in Icarus or Verilator."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from dorefa.hw.verilog.export import MODULE

from ..job import design
from ..job.job import Job, SimulationError, Trace, check_trunks, stuck
from ..job.snapshot import regions, values
from ..verilator.build import cxx_command
from ..verilator.lint import verilator_command

# Wall-clock watchdog: a simulation slower than this many cycles per second is taken for dead.
_SLOWEST = 50
_BUILD_SECONDS = 1800

# What the wheel's makefile leaves out, because it was configured without a compiler.
_MAKE_VARIABLES = {
    "PYTHON3": sys.executable,
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_CXXFLAGS_STD": "-std=gnu++20",
    "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
    "CFG_LDLIBS_THREADS": "-pthread",
    "OPT_FAST": "-O0",  # the bench, not the model, takes the time
}


def _environment(simulator, directory):
    """Environment of the child process that runs cocotb's runner."""
    environment = dict(os.environ)
    if simulator == "verilator":
        # cocotb looks for `verilator` on PATH; the native program is all that is needed
        command, environment = verilator_command()
        tools = Path(directory, "tools")
        tools.mkdir()
        (tools / "verilator").symlink_to(Path(command[0]).resolve())
        environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
        (cxx, *_) = cxx_command()
        variables = _MAKE_VARIABLES | {"CXX": cxx, "LINK": cxx, "AR": "ar"}
        environment["MAKEFLAGS"] = " ".join(f"{name}={value}" for name, value in variables.items())
    environment["DOREFA_BENCH"] = str(Path(directory, "job.json"))
    return environment


def _job_file(job: Job) -> dict:
    """What the bench reads: plain data."""
    return {
        "seed": job.seed,
        "stalls": job.stalls,
        "latency": job.latency,
        "load_limit": job.load_limit,
        "image_limit": job.image_limit,
        "passes": len(job.compiled.schedule.passes),
        "writes": [(int(address), int(word)) for address, word in job.compiled.host_writes()],
        "images": [np.ascontiguousarray(image).tobytes().hex() for image in job.images],
        "weights": [packet.hex() for packet in job.weight_packets],
        "trunks": job.trunk_packets[1],
        "snapshots": [
            [{"memory": region.memory, "first": region.first, "rows": region.rows} for region in own]
            for own in regions(job.compiled)
        ],
    }


def _rows(strings, row_bytes):
    """Words as 0, 1, x to bytes: (values, undefined bits), uint8 (rows, bytes)."""
    result = []
    for ones in ("1", "xXzZuUwW-"):
        table = str.maketrans({char: "1" if char in ones else "0" for char in "01xXzZuUwW-"})
        data = [int(row.translate(table), 2).to_bytes(row_bytes, "little") for row in strings]
        result.append(np.frombuffer(b"".join(data), np.uint8).reshape(-1, row_bytes))
    return result


def _values(copied, compiled, memories, trunk_packets):
    """Codes and trunks of all layers; -1 where a bit of a code is undefined."""
    known, undefined = [], []
    for own, named in zip(copied, regions(compiled), strict=True):
        pairs = [
            _rows(strings, memories[region.memory].row_bytes)
            for strings, region in zip(own, named, strict=True)
        ]
        known.append([pair[0] for pair in pairs])
        undefined.append([pair[1] for pair in pairs])
    found = values(compiled, known, trunk_packets)
    result = {name: array.astype(np.int64) for name, array in found.items()}
    for name, array in values(compiled, undefined, [bytes(len(own)) for own in trunk_packets]).items():
        result[name][array != 0] = -1
    return result


def _trace(record, job: Job, memories) -> Trace:
    config = job.compiled.config
    results = np.frombuffer(bytes.fromhex(record["results"]), f"<i{config.result_bits // 8}")
    if len(results) != job.beats:
        raise SimulationError(f"m_axis_tlast after {len(results)} results; expected after {job.beats}")
    packets = [bytes.fromhex(packet) for packet in record["trunks"]]
    check_trunks(job, packets)
    stamps = {name: record[name] for name in ("first_in", "last_in", "first_read", "first_out", "last_out")}
    return Trace(
        **stamps,
        ends=record["ends"],
        results=results.astype(np.int64),
        values=_values(record["copied"], job.compiled, memories, packets),
    )


def run(job: Job, verilog: str, *, simulator: str) -> tuple[list[Trace], int]:
    """One :class:`Trace` per image, and the cycles that loading through AXI4-Lite took.

    simulator: ``icarus`` or ``verilator``. Raises :class:`SimulationError` when a watchdog fires
    (of cycles inside the simulation, of seconds outside) or the bench fails.
    """
    # The bench knows no other way to load a network: its limit must allow for that.
    job = dataclasses.replace(job, through_port=True)
    memories = design.find_memories(verilog, MODULE)
    with tempfile.TemporaryDirectory(prefix="dorefa_") as directory:
        folder = Path(directory)
        folder.joinpath("engine.v").write_text(verilog)
        folder.joinpath("job.json").write_text(json.dumps(_job_file(job)))
        cycles = job.load_limit + job.image_limit * len(job.images)
        seconds = _BUILD_SECONDS + cycles / _SLOWEST
        _run_child(simulator, directory, _environment(simulator, directory), seconds, job)
        result = folder / "result.json"
        if not result.exists():
            raise SimulationError(f"cocotb with {simulator} failed: {_last_lines(folder)}")
        outcome = json.loads(result.read_text())
    if outcome["status"] == "load":
        raise SimulationError(f"loading the network did not end within {job.load_limit} cycles")
    if outcome["status"] == "stuck":
        raise stuck(job, outcome["image"], outcome["pass"])
    return [_trace(record, job, memories) for record in outcome["records"]], outcome["load_cycles"]


def _run_child(simulator, directory, environment, seconds, job):
    """Runs this module as a program, in a process group of its own that can be killed whole."""
    with open(Path(directory, "child.log"), "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dorefa.sim.cocotb.runner", simulator, directory],
            env=environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        progress, waited = Path(directory, "progress"), 0.0
        try:
            while process.poll() is None:
                try:
                    process.wait(0.5)
                except subprocess.TimeoutExpired:
                    waited += 0.5
                if waited > seconds:
                    raise SimulationError(f"{simulator}: killed after {seconds:.0f} s")
                if progress.exists() and (text := progress.read_text()):
                    job.tick(int(text))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _last_lines(folder):
    """The end of what the simulator and cocotb said."""
    lines = []
    for name in ("build.log", "test.log", "child.log"):
        if folder.joinpath(name).exists():
            lines += folder.joinpath(name).read_text(errors="replace").splitlines()
    wanted = [line for line in lines if "rror" in line] or lines
    return " | ".join(line.strip() for line in wanted[-3:])


def main(simulator, directory):
    """Builds and runs in `directory`; the program of the child process."""
    from cocotb_tools.runner import get_runner

    folder = Path(directory)
    runner = get_runner(simulator)
    arguments = (
        ["-g2005"]
        if simulator == "icarus"
        else [
            "-Wno-fatal",
            "-Wno-lint",
            "-Wno-UNOPTFLAT",
            "-O3",
            "--x-initial",
            "unique",
            "--x-assign",
            "unique",
            "--default-language",
            "1364-2005",
        ]
    )
    runner.build(
        sources=[folder / "engine.v"],
        hdl_toplevel=MODULE,
        build_args=arguments,
        build_dir=folder / "build",
        always=True,
        timescale=("1ns", "1ps"),
        log_file=folder / "build.log",
    )
    runner.test(
        hdl_toplevel=MODULE,
        test_module="dorefa.sim.cocotb.bench",
        build_dir=folder / "build",
        test_dir=folder,
        timescale=("1ns", "1ps"),
        log_file=folder / "test.log",
        plusargs=["+verilator+rand+reset+2"] if simulator == "verilator" else [],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
