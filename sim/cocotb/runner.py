"""Runs a bench, as :mod:`dorefa.sim.cocotb.bench`, on the exported Verilog, in Icarus or Verilator."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from dorefa.golden.process.child import started
from dorefa.golden.process.scratch import check_space, scratch_folder
from dorefa.hw.verilog.export import MODULE

from ..job.design import find_memories
from ..job.errors import SimulationError, Unavailable
from ..job.fields import Fields
from ..job.files import job_file, read_results
from ..job.job import Job, Trace
from ..verilator.build import cxx_command
from ..verilator.lint import verilator_command

# Wall-clock watchdog: a simulation slower than this many cycles per second is taken for dead.
_SLOWEST = 50
_BUILD_SECONDS = 1800
_BENCH = "dorefa.sim.cocotb.bench"

# What the wheel's makefile leaves out, because it was configured without a compiler.
_MAKE_VARIABLES = {
    "PYTHON3": sys.executable,
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_CXXFLAGS_STD": "-std=gnu++20",
    "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
    "CFG_LDLIBS_THREADS": "-pthread",
    "OPT_FAST": "-O0",  # the bench, not the model, takes the time
}
# Icarus writes paths into its program, between double quotes.
_NOT_FOR_ICARUS = frozenset('"\\\r\n')
_VERILATOR_FLAGS = (
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
)


def _variables(simulator: str, folder: Path) -> dict[str, str]:
    """Variables of the child process that runs cocotb's runner."""
    variables = {"DOREFA_BENCH": str(folder / "job")}
    if simulator == "verilator":
        # cocotb looks for `verilator` on PATH; the native program is all that is needed
        command, own = verilator_command()
        tools = folder / "tools"
        tools.mkdir()
        (tools / "verilator").symlink_to(Path(command[0]).resolve())
        (cxx, *_) = cxx_command()
        flags = _MAKE_VARIABLES | {"CXX": cxx, "LINK": cxx, "AR": "ar"}
        variables |= own | {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in flags.items()),
        }
    return variables


def run(job: Job, verilog: str, *, simulator: str) -> tuple[list[Trace], int]:
    """One :class:`Trace` per image, and the cycles that loading through AXI4-Lite took.

    simulator: ``icarus`` or ``verilator``. Raises :class:`SimulationError` when a watchdog fires
    (of cycles inside the simulation, of seconds outside) or the bench fails, :class:`.Unavailable` when the
    simulator does not get as far as the bench.
    """
    # The bench knows no other way to load a network: its limit must allow for that.
    job = dataclasses.replace(job, through_port=True)
    memories = find_memories(verilog, job.module)
    cycles = job.load_limit + job.image_limit * len(job.images)
    contents = job_file(job, memories)
    found = run_bench(
        verilog,
        contents,
        simulator=simulator,
        bench=_BENCH,
        cycles=cycles,
        top=job.module,
        tick=job.tick,
    )
    return read_results(found, job, memories)


def run_bench(
    verilog: str,
    job: bytes,
    *,
    simulator: str,
    bench: str,
    cycles: int,
    top: str = MODULE,
    tick: Callable[[int], None] = lambda done: None,
) -> Fields:
    """The fields that a bench writes, a module, of a job file on Verilog of the module `top`.

    cycles: that it takes at most; tick: called with images done. Raises :class:`SimulationError` and
    :class:`.Unavailable` as :func:`run`.
    """
    with scratch_folder() as folder:
        if simulator == "icarus" and not _NOT_FOR_ICARUS.isdisjoint(str(folder)):
            raise Unavailable(
                f"{str(folder)!r} is no folder for Icarus; accepted: TMPDIR without double quotes, "
                "backslashes and newlines"
            )
        (folder / "engine.v").write_text(verilog)
        (folder / "job").write_bytes(job)
        _run_child([simulator, bench, top], folder, _BUILD_SECONDS + cycles / _SLOWEST, tick)
        result = folder / "result"
        if not (folder / "started").exists():
            raise Unavailable(
                f"{simulator} does not work with cocotb: {_last_lines(folder)}; accepted: one that does"
            )
        if not result.exists():
            raise SimulationError(f"cocotb with {simulator} failed: {_last_lines(folder)}")
        return Fields.read(result, "result file")


def _run_child(arguments: Sequence[str], folder: Path, seconds: float, tick: Callable[[int], None]) -> None:
    """Runs this module as a program until it ends, or `seconds` are over."""
    command = [sys.executable, "-m", "dorefa.sim.cocotb.runner", *arguments]
    variables = _variables(arguments[0], folder)
    with (
        (folder / "child.log").open("wb") as log,
        started(command, folder=folder, stdout=log, stderr=log, variables=variables) as process,
    ):
        progress, until = folder / "progress", time.monotonic() + seconds
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
            if time.monotonic() > until:
                raise SimulationError(f"{arguments[0]}: killed after {seconds:.0f} s")
            if progress.exists() and (text := progress.read_text()):
                tick(int(text))
    check_space(folder)


def _last_lines(folder: Path) -> str:
    """The end of what the simulator and cocotb said."""
    lines = []
    for name in ("build.log", "test.log", "child.log"):
        if folder.joinpath(name).exists():
            lines += folder.joinpath(name).read_text(errors="replace").splitlines()
    wanted = [line for line in lines if "rror" in line] or lines
    return " | ".join(line.strip() for line in wanted[-3:])


def main(simulator: str, bench: str, top: str) -> None:
    """Builds and runs a bench of the module `top` in the working folder; the program of the child process."""
    from cocotb_tools.runner import get_runner

    folder = Path.cwd()
    runner = get_runner(simulator)
    runner.build(
        sources=[folder / "engine.v"],
        hdl_toplevel=top,
        build_args=["-g2005"] if simulator == "icarus" else _VERILATOR_FLAGS,
        build_dir=folder / "build",
        always=True,
        timescale=("1ns", "1ps"),
        log_file=folder / "build.log",
    )
    runner.test(
        hdl_toplevel=top,
        test_module=bench,
        build_dir=folder / "build",
        test_dir=folder,
        timescale=("1ns", "1ps"),
        log_file=folder / "test.log",
        plusargs=["+verilator+rand+reset+2"] if simulator == "verilator" else [],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
