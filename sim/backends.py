"""The simulators, what each needs, and which one `auto` takes."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from typing import TypeVar

from dorefa.golden.errors import InputError
from dorefa.hw.generate.manifest import engine_files

from .job.errors import Unavailable
from .job.job import Job, Trace
from .verilator import build as model
from .verilator.lint import verilator_command

T = TypeVar("T")

NAMES = ("verilator", "icarus", "amaranth")


def _check_verilator() -> None:
    verilator_command()
    model.cxx_command()


def _check_icarus() -> None:
    for program in ("iverilog", "vvp"):
        if shutil.which(program) is None:
            raise Unavailable(
                f"Icarus Verilog is missing ({program} is not on PATH); accepted: the package "
                "iverilog of the system, or another simulator"
            )
    for package, install in (("cocotb", "cocotb"), ("cocotbext.axi", "cocotbext-axi")):
        if importlib.util.find_spec(package.partition(".")[0]) is None:
            raise Unavailable(f"Python package {package} is missing; accepted: `pip install {install}`")


_CHECKS = {"verilator": _check_verilator, "icarus": _check_icarus, "amaranth": lambda: None}


def with_simulator(simulator: str, work: Callable[[str, str], T]) -> T:
    """What `work` returns, called with (name, reason) of the simulator to use.

    ``auto`` takes the first that works here: one that `work` finds :class:`.Unavailable` is passed over, and
    the reason for the next one says why. Raises :class:`InputError` for an unknown name, or when what it
    needs is missing.
    """
    if simulator != "auto":
        if simulator not in NAMES:
            raise InputError(f"simulator is {simulator!r}; accepted: auto, {', '.join(NAMES)}")
        _CHECKS[simulator]()
        return work(simulator, "asked for")
    reasons: list[str] = []
    for name in NAMES:
        try:
            _CHECKS[name]()
            return work(name, "; ".join(reasons) or "the fastest, and it is installed")
        except Unavailable as error:
            reasons.append(f"not {name}: {error}")
    raise AssertionError("Amaranth's simulator needs nothing")


def needs_verilog(simulator: str) -> bool:
    """Whether this back end runs the exported Verilog; Amaranth's own runs the component."""
    return simulator != "amaranth"


def run(simulator: str, job: Job, verilog: str | None) -> tuple[list[Trace], int]:
    """(One :class:`Trace` per packet of images, cycles of loading the network through AXI4-Lite).

    verilog: what to run, None for the engine's own; Amaranth's simulator runs the component in any case.
    """
    if not needs_verilog(simulator):
        from .amaranth import run as amaranth_sim

        return amaranth_sim.run(job)
    if verilog is None:
        verilog = engine_files(job.compiled.config)["engine.v"]
    if simulator == "verilator":
        from .verilator import run as verilator

        return verilator.run(job, verilog)
    from .cocotb import runner

    if job.waveform is not None:
        raise Unavailable(f"{simulator} writes no waveform; accepted with one: verilator, amaranth")
    return runner.run(job, verilog, simulator=simulator)
