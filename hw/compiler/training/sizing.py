"""An engine sized for the training steps of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dorefa.golden.backward.forward import Forward
from dorefa.golden.backward.job import Job
from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.errors import InputError

from ...config.engine import EngineConfig
from ...config.ranges import RANGES
from ...interface.weight_sources import weight_source
from ..needs import Need
from ..problems import beyond_range
from ..sizing import LARGE_NETWORK
from .cost import job_cost
from .job_pass import JobPass
from .job_program import JobProgram
from .step_jobs import StepJobs

# Words per row beyond which a larger weight memory would only save the second transfer of a map.
_WEIGHT_WORDS = 512
# What a narrower window reader, and fewer sums a beat, may cost of a step's cycles.
_SLOWER = 1.01
# What fewer bits of codes that the engine could make may cost of its memories.
_LARGER = 1.1
_LARGEST_QUANT = 64
_LARGEST_PORT = 16


def fit_training(shapes: Sequence[ConvolutionShape], batch: int, **overrides: Any) -> EngineConfig:
    """The :class:`EngineConfig` that runs the training steps of a network of `shapes` with `batch` samples;
    every parameter in `overrides` is kept.

    `lanes` x `rows` default to 32 x 16, or 64 x 32 as for :func:`dorefa.hw.compiler.sizing.fit`, `port_bytes`
    to 16, or the most that other parameters have room for: operands change with every job. Depths and widths
    are the least that the step's jobs need, in the forms that take the fewest cycles. `weight_depth` holds
    the weights of every job (twice where they stream), but at most 512 words per row where a tile of each
    fits these: larger jobs are cut. `quant`, and then `fetch_bits`, are the least with which the step takes
    at most 1 % more cycles than with the best, and `out_bits` the least with which the memories are at most
    10 % larger. Raises :class:`InputError` where no engine has what the step needs.
    """
    if not shapes:
        raise InputError("the network has no layers to train; accepted: at least one")
    # The message about an unknown name is the configuration's.
    unknown = overrides.keys() - EngineConfig().as_dict().keys()
    EngineConfig().replace(**dict.fromkeys(unknown))
    draft = _draft(shapes, overrides)
    for name, choices in (("quant", _quant_choices), ("fetch_bits", _fetch_choices)):
        if name not in overrides:
            draft = _narrowest(shapes, batch, [draft.replace(**{name: value}) for value in choices(draft)])
    jobs = others = dict.fromkeys(StepJobs.of(shapes, batch, draft).jobs)
    while others:
        # Where jobs are cut, other forms may be the faster ones.
        jobs = jobs | others
        config = _sized([*jobs], draft, overrides)
        others = {job: None for job in StepJobs.of(shapes, batch, config).jobs if job not in jobs}
    return config


def _draft(shapes: Sequence[ConvolutionShape], overrides: Mapping[str, Any]) -> EngineConfig:
    """An engine of the array that is asked for, large enough for whatever there is: its depths are not yet
    known."""
    macs = {shape: Forward(shape).jobs[0].macs for shape in shapes}
    large = sum(macs[shape] * shape.w_bits * shape.a_bits for shape in shapes) > LARGE_NETWORK
    depths = ("weight_depth", "feature_depth", "image_depth", "patch_depth", "image_patch_depth")
    sizes = {name: RANGES[name][1] for name in (*depths, "acc_bits", "layer_depth")}
    array: dict[str, Any] = {"training": 1, "results": "wide", "weights": "stream"}
    array |= {"lanes": 64 if large else 32, "rows": 32 if large else 16, "w_bits": 8, "out_bits": 1}
    array |= overrides
    array.setdefault("port_bytes", _port_bytes(array))
    # The most that is chosen from.
    array.setdefault("quant", _powers(array["rows"], _LARGEST_QUANT)[-1])
    array.setdefault("fetch_bits", _powers(array["lanes"])[-1])
    engines = array.get("engines", 1)
    if "quant" not in overrides:
        array["quant"] = _powers(array["quant"], array["fetch_bits"] // engines)[-1]
    return EngineConfig(**(sizes | array))


def _port_bytes(array: Mapping[str, Any]) -> int:
    """The widest port whose beats fit a word of the feature memory, and their codes a beat of sums."""
    limits = [_LARGEST_PORT, array["lanes"], array.get("fetch_bits", _LARGEST_PORT)]
    if "quant" in array:
        limits.append(8 * array["quant"] * array.get("engines", 1))
    return max(4, _powers(*limits)[-1])


def _powers(*limits: int) -> list[int]:
    """Powers of two up to the least of the limits, 1 or more of them."""
    return [1 << bit for bit in range(max(1, min(limits)).bit_length())]


def _fetch_choices(draft: EngineConfig) -> list[int]:
    """Widths of the window reader, ascending."""
    least = max(RANGES["fetch_bits"][0], draft.port_bytes, draft.total_quant)
    return [power for power in _powers(draft.lanes) if power >= least]


def _quant_choices(draft: EngineConfig) -> list[int]:
    """Sums a beat, ascending: the codes of a beat of words fit one."""
    least = -(-8 * draft.gradient_lanes // 32)
    several = draft.engines > 1
    return [
        power
        for power in _powers(draft.quant)
        if power * draft.engines >= least and not (several and draft.rows % power)
    ]


def _narrowest(
    shapes: Sequence[ConvolutionShape], batch: int, drafts: Sequence[EngineConfig]
) -> EngineConfig:
    """The first of the drafts that is about as fast as the fastest."""
    cycles = [_cycles(StepJobs.of(shapes, batch, draft), draft) for draft in drafts]
    return next(draft for draft, count in zip(drafts, cycles, strict=True) if count <= _SLOWER * min(cycles))


def _cycles(step: StepJobs, config: EngineConfig) -> int:
    """Predicted cycles of a step."""
    return sum(job_cost(job, job.images(step.batch), config).cycles for job in step.jobs)


def _sized(jobs: Sequence[Job], draft: EngineConfig, overrides: Mapping[str, Any]) -> EngineConfig:
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
    config = draft.replace(**{**sizes, **overrides})
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
    unused = {"param_depth": 1, "pool_depth": 1, "line_depth": 1}
    return draft.replace(**{**unused, **sizes, **overrides})


def _least_memory(jobs: Iterable[JobPass], draft: EngineConfig, *, a_bits: int, acc_bits: int) -> int:
    """The least `out_bits` with about the fewest bits of memory: so many planes of the feature memory are as
    deep as the largest map of all, the others as the largest one of more bits; and so many bits have codes
    that the engine could make, whose thresholds have a place."""
    maps = [(job.part.a_bits, job.source.words(draft.fetch_bits)) for job in jobs]
    deepest = max(words for _, words in maps)

    def bits(planes: int) -> int:
        others = max((words for own, words in maps if own > planes), default=0)
        feature = draft.fetch_bits * (planes * deepest + (a_bits - planes) * others)
        return feature + draft.total_quant * ((1 << planes) - 1) * acc_bits

    choices = range(1, a_bits + 1)
    least = min(map(bits, choices))
    return next(planes for planes in choices if bits(planes) <= _LARGER * least)
