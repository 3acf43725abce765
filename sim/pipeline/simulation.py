"""A pipeline against golden, in the fastest simulator that works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.golden.run.integer import real_arrays, result_arrays, run_integer, unsigned_images
from dorefa.hw.pipeline.plan import PipelinePlan
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.hw.verilog.export import MODULE, export

from ..job.errors import Unavailable
from . import amaranth, verilator
from .streams import StreamRun

NAMES = ("verilator", "amaranth")
# Images and labels, for the simulator that runs them.
Images = Callable[[str], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True, kw_only=True)
class PipelineReport:
    """Outcome of :func:`simulate_plan`: `bit_exact`, every number equals golden's; `mismatch_count`; `images`
    in `simulator`, chosen because of `why`; `latency` of the first image and the greatest `interval` between
    last numbers, in cycles, None of one image; `accuracy`, None without labels; `results` and `real`, as of
    golden, which are no part of the JSON report."""

    bit_exact: bool
    mismatch_count: int
    images: int
    simulator: str
    why: str
    latency: int
    interval: int | None
    accuracy: float | None
    results: dict[str, np.ndarray] = field(repr=False, compare=False)
    real: dict[str, np.ndarray] = field(repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        names = ("bit_exact", "mismatch_count", "images", "simulator", "why", "accuracy")
        measured = {"measured_latency_cycles": self.latency, "measured_interval_cycles": self.interval}
        return {name: getattr(self, name) for name in names} | measured


def simulate_plan(
    network: IntegerNetwork,
    plan: PipelinePlan,
    images: Images,
    *,
    simulator: str = "auto",
    stalls: int = 0,
    seed: int = 1,
) -> PipelineReport:
    """Runs images through the pipeline of a plan and compares its numbers with golden's.

    stalls: chance in percent that a beat waits, on either side. Raises :class:`InputError` for a simulator
    that runs no pipeline or is missing, and :class:`SimulationError` where the pipeline stands still.
    """
    if simulator not in ("auto", *NAMES):
        raise InputError(f"simulator is {simulator!r}; accepted for a pipeline: auto, {', '.join(NAMES)}")
    why = "asked for"
    if simulator in ("auto", "verilator"):
        given, labels = images("verilator")
        try:
            found = _compiled(plan, unsigned_images(network, given), stalls, seed)
            why = why if simulator != "auto" else "the fastest, and it is installed"
            return _compared(network, given, labels, found, "verilator", why)
        except Unavailable as error:
            if simulator != "auto":
                raise
            why = f"not verilator: {error}"
    given, labels = images("amaranth")
    packets = map(amaranth.packet, unsigned_images(network, given))
    found = amaranth.run_streams(plan, packets, gaps=stalls, stalls=stalls, seed=seed)
    return _compared(network, given, labels, found, "amaranth", why)


def _compiled(plan: PipelinePlan, images: np.ndarray, stalls: int, seed: int) -> StreamRun:
    top = PipelineTop(plan)
    return verilator.simulate_streams(
        top, export(top, name=MODULE), images, gaps=stalls, stalls=stalls, seed=seed
    )


def _compared(
    network: IntegerNetwork,
    images: np.ndarray,
    labels: np.ndarray | None,
    found: StreamRun,
    simulator: str,
    why: str,
) -> PipelineReport:
    last = network.layers[-1]
    expected = run_integer(network, unsigned_images(network, images), outputs=[last.name])[last.name]
    numbers = found.results.reshape(expected.shape)
    wrong = int((numbers != expected).sum() + found.marked.sum())
    values = {last.name: numbers}
    real = real_arrays(network, values)
    accuracy = None
    if labels is not None:
        (scores,) = real.values()
        accuracy = float((scores.reshape(len(images), -1).argmax(axis=1) == labels[: len(images)]).mean())
    between = np.diff(found.last_out)
    return PipelineReport(
        bit_exact=not wrong,
        mismatch_count=wrong,
        images=len(images),
        simulator=simulator,
        why=why,
        latency=int(found.last_out[0] - found.began[0]),
        interval=int(between.max()) if len(between) else None,
        accuracy=accuracy,
        results=result_arrays(network, values),
        real=real,
    )
