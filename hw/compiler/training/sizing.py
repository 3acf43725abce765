"""An engine sized for the training steps of a network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dorefa.golden.backward.job import Job
from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.errors import InputError

from ...config.engine import EngineConfig
from ...config.ranges import RANGES
from ...interface.weight_sources import weight_source
from ..needs import Need
from ..problems import beyond_range
from .cost import job_cost
from .job_pass import JobPass
from .job_program import JobProgram
from .step_jobs import StepJobs

# Words per row beyond which a larger weight memory would only save the second transfer of a map.
_WEIGHT_WORDS = 512
# What a narrower window reader may cost of a step's cycles.
_SLOWER = 1.01


def fit_training(
    shapes: Sequence[ConvolutionShape],
    batch: int,
    *,
    lanes: int = 32,
    rows: int = 16,
    quant: int = 4,
    port_bytes: int = 4,
    **overrides: Any,
) -> EngineConfig:
    """The :class:`EngineConfig` that runs the training steps of a network of `shapes` with `batch` samples;
    every parameter in `overrides` is kept.

    Depths and widths are the least that the step's jobs need, in the forms that take the fewest cycles.
    `weight_depth` holds the weights of every job (twice where they stream), but at most 512 words per row
    where a tile of each fits these: larger jobs are cut. `fetch_bits` is the least with which the step takes
    at most 1 % more cycles than with the best. `out_bits` makes the memories the smallest. Raises
    :class:`InputError` where no engine has what the step needs.
    """
    if not shapes:
        raise InputError("the network has no layers to train; accepted: at least one")
    array: dict[str, Any] = {"lanes": lanes, "rows": rows, "quant": quant, "port_bytes": port_bytes}
    array |= {"training": 1, "results": "wide", "weights": "stream"}
    array |= {"w_bits": 8, "a_bits": 8, "out_bits": 1} | overrides
    # Large enough for whatever there is: its depths are not yet known.
    large: dict[str, Any] = {
        name: RANGES[name][1]
        for name in ("weight_depth", "feature_depth", "image_depth", "acc_bits", "layer_depth")
    }
    large |= {"patch_depth": RANGES["patch_depth"][1], "image_patch_depth": RANGES["image_patch_depth"][1]}
    drafts = [
        EngineConfig(**(large | array | {"fetch_bits": fetch}))
        for fetch in _fetch_choices(array, lanes, quant, port_bytes)
    ]
    steps = [StepJobs.of(shapes, batch, draft) for draft in drafts]
    cycles = [_cycles(step, draft) for step, draft in zip(steps, drafts, strict=True)]
    chosen = next(n for n, count in enumerate(cycles) if count <= _SLOWER * min(cycles))
    jobs, others = dict.fromkeys(steps[chosen].jobs), dict.fromkeys(steps[chosen].jobs)
    while others:
        # Where jobs are cut, other forms may be the faster ones.
        jobs |= others
        config = _sized([*jobs], drafts[chosen], overrides)
        others = {job: None for job in StepJobs.of(shapes, batch, config).jobs if job not in jobs}
    return config


def _fetch_choices(array: dict[str, Any], lanes: int, quant: int, port_bytes: int) -> list[int]:
    """Widths of the window reader, ascending."""
    if "fetch_bits" in array:
        return [array["fetch_bits"]]
    least = max(RANGES["fetch_bits"][0], quant * array.get("engines", 1), port_bytes)
    powers = [1 << bit for bit in range(lanes.bit_length())]
    return [power for power in powers if least <= power <= lanes] or [least]


def _cycles(step: StepJobs, config: EngineConfig) -> int:
    """Predicted cycles of a step."""
    return sum(job_cost(job, job.images(step.batch), config).cycles for job in step.jobs)


def _sized(jobs: Sequence[Job], draft: EngineConfig, overrides: dict[str, Any]) -> EngineConfig:
    """`draft` with the least depths and widths for all of the jobs."""
    sizes: dict[str, Any] = {}
    whole = [JobPass(part=job, config=draft) for job in jobs]
    for name in ("w_bits", "a_bits"):
        sizes[name] = max(getattr(job, name) for job in jobs)
    sizes["acc_bits"] = max(job.needs["acc_bits"].least for job in whole)
    sizes["out_bits"] = _least_memory(whole, draft, a_bits=sizes["a_bits"], acc_bits=sizes["acc_bits"])
    tile = max(job.part.w_bits * job.geometry.words for job in whole)
    all_words = max(job.geometry.weight_words for job in whole)
    sizes["weight_depth"] = weight_source(draft).least_depth([max(tile, min(all_words, _WEIGHT_WORDS))])
    config = draft.replace(**(sizes | overrides))
    program = JobProgram.of(jobs, config)
    found: dict[str, Need] = {"layer_depth": Need(len(program.starts), jobs[0].layer)}
    for part in (part for parts in program.parts.values() for part in parts):
        for name, need in part.computed.needs.items():
            if name not in found or need.least > found[name].least:
                found[name] = need
    for name, need in found.items():
        if name in sizes or name in overrides:
            continue
        if problem := beyond_range(name, need):
            raise InputError(problem)
        sizes[name] = max(need.least, RANGES[name][0])
    return draft.replace(**({"param_depth": 1, "pool_depth": 1, "line_depth": 1} | sizes | overrides))


def _least_memory(jobs: Iterable[JobPass], draft: EngineConfig, *, a_bits: int, acc_bits: int) -> int:
    """`out_bits` with the fewest bits of memory: so many planes of the feature memory are as deep as the
    largest map of all, the others as the largest one of more bits; and so many bits have codes that the
    engine could make, whose thresholds have a place."""
    maps = [(job.part.a_bits, job.source.words(draft.fetch_bits)) for job in jobs]
    deepest = max(words for _, words in maps)

    def bits(planes: int) -> int:
        others = max((words for own, words in maps if own > planes), default=0)
        feature = draft.fetch_bits * (planes * deepest + (a_bits - planes) * others)
        return feature + draft.total_quant * ((1 << planes) - 1) * acc_bits

    return min(range(1, a_bits + 1), key=bits)
