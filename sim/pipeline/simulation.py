"""A pipeline against golden, in the fastest simulator that works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dorefa.golden import checks
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.golden.run.graph import result_values
from dorefa.golden.run.integer import real_arrays, result_arrays, run_integer, unsigned_images
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.hw.pipeline.watch import outputs
from dorefa.hw.verilog.export import MODULE, export

from ..backends import NAMES, with_simulator
from ..compare import Comparison, Mismatch
from ..job.errors import SimulationError, Unavailable
from ..job.inputs import check_stalls, first_images
from . import amaranth, icarus, verilator
from .maps import values_of
from .streams import StreamRun

FASTEST = NAMES[0]
# Images and labels, for the simulator that runs them.
Images = Callable[[str], tuple[np.ndarray, np.ndarray | None]]


@dataclass(frozen=True, kw_only=True)
class PipelineReport:
    """Outcome of :func:`simulate_plan`: `bit_exact`, every value of the layers in `compared`, all of them,
    equals golden's; `mismatch_count`, and the first 20 `mismatches`; `images` in `simulator`, chosen because
    of `why`; `latency` of the first image and the greatest `interval` between last numbers, in cycles, None
    of one image; `accuracy`, None without labels; `results` and `real`, as of golden, which are no part of
    the JSON report."""

    bit_exact: bool
    compared: list[str]
    mismatch_count: int
    mismatches: list[Mismatch]
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
        names = ("bit_exact", "compared", "mismatch_count", "images", "simulator", "why", "accuracy")
        return {name: getattr(self, name) for name in names} | {
            "mismatches": [mismatch.as_dict() for mismatch in self.mismatches],
            "measured_latency_cycles": self.latency,
            "measured_interval_cycles": self.interval,
        }


def simulate_plan(
    network: IntegerNetwork,
    plan: Any,
    make_core: Callable[..., Any],
    images: Images,
    *,
    simulator: str = "auto",
    limit: int | None = None,
    stalls: int = 0,
    seed: int = 1,
) -> PipelineReport:
    """Runs images through the pipeline or hybrid of a plan, as `make_core` makes it, and compares what leaves
    every layer with golden; of a hybrid what leaves the last one.

    limit: run only the first images; stalls: chance in percent, 0 to 90, that a beat waits, on either side,
    drawn from `seed`. Raises :class:`InputError` for input that cannot work, an unknown simulator or
    one that is missing, and :class:`SimulationError` where the pipeline stands still.
    """
    check_stalls(stalls)
    checks.integer(seed, "seed", 0)

    def run(name: str, why: str) -> PipelineReport:
        given, labels = first_images(network, *images(name), limit)
        codes = unsigned_images(network, given)
        found = _run(name, plan, make_core, codes, gaps=stalls, stalls=stalls, seed=seed)
        return _report(plan, given, labels, found, name, why)

    return with_simulator(simulator, run)


def _run(
    simulator: str,
    plan: Any,
    make_core: Callable[..., Any],
    images: np.ndarray,
    **waits: int,
) -> StreamRun:
    if simulator == "amaranth":
        packets = map(amaranth.packet, images)
        return amaranth.run_streams(plan, packets, make_core=make_core, **waits)
    runs = {"verilator": verilator.simulate_streams, "icarus": icarus.simulate_streams}
    top = PipelineTop(plan, make_core=make_core, watched=True)
    text = export(top, name=MODULE, preloaded=top.preloaded)
    if top.pipeline.watch is not None:
        return runs[simulator](top, text, images, **waits)
    if simulator == "icarus":
        raise Unavailable("Icarus runs no hybrid; accepted: verilator, amaranth")
    return verilator.simulate_streams(top, text, images, ports_only=True, **waits)


def compared(plan: Any, images: np.ndarray, found: StreamRun) -> Comparison:
    """What left every layer, compared with golden: the codes of those that were seen inside, and the numbers
    of the last one at the port.

    images: as they were handed in. Codes that never come, because nothing reads them and no image follows,
    count as right. Raises :class:`SimulationError` for an image that the pipeline takes for one of a wrong
    length.
    """
    if found.marked.any():
        raise SimulationError(f"image {int(found.marked.argmax())}: marked as of a wrong length")
    network, comparison = plan.network, Comparison()
    expected = run_integer(network, unsigned_images(network, images))
    last = network.layers[-1].name
    for image, numbers in enumerate(found.results):
        for output, maps in zip(list(outputs(plan))[:-1], found.maps, strict=False):
            want = expected[output.name][image].astype(np.int64)
            got = want.copy()
            came = values_of(output, maps[image])
            got.reshape(-1, output.shape[2])[: len(came)] = came
            comparison.add(output.name, image, want, got)
        want = expected[last][image]
        comparison.add(last, image, want, numbers.reshape(want.shape))
    return comparison


def _report(
    plan: Any,
    images: np.ndarray,
    labels: np.ndarray | None,
    found: StreamRun,
    simulator: str,
    why: str,
) -> PipelineReport:
    """The report of a run."""
    network, comparison = plan.network, compared(plan, images, found)
    last = network.layers[-1]
    numbers = {last.name: result_values(found.results)}
    real = real_arrays(network, numbers)
    accuracy = None
    if labels is not None:
        (scores,) = real.values()
        accuracy = float(np.mean(np.argmax(scores, axis=1) == labels))
    between = np.diff(found.last_out)
    return PipelineReport(
        bit_exact=comparison.count == 0,
        compared=[output.name for output in outputs(plan)] or [last.name],
        mismatch_count=comparison.count,
        mismatches=comparison.mismatches,
        images=len(images),
        simulator=simulator,
        why=why,
        latency=int(found.last_out[0] - found.began[0]),
        interval=int(between.max()) if len(between) else None,
        accuracy=accuracy,
        results=result_arrays(network, numbers),
        real=real,
    )
