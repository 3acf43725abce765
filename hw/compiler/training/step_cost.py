"""What a training step costs, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dorefa.golden.backward.forward import Forward
from dorefa.golden.backward.job import Job
from dorefa.golden.backward.shape import ConvolutionShape

from ...config.engine import EngineConfig
from ..cycles import PassCycles
from .cost import QUANTIZERS, PassCost, job_cost, quantizer_cost
from .cut import parts_of
from .step_jobs import StepJobs

# Kinds of a step's jobs in the order of its reports; borders are a part of backward-input.
_KINDS = {"forward": ("forward",), "input": ("input", "border"), "weight": ("weight",)}


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """What one kind of work for one `layer` costs. `kind`: ``forward``, ``input`` or ``weight``, or a
    quantizer; `form`: P or B of ``weight``; `operations`: the binary operations that the convolutions
    themselves have, one AND and one count of a bit as one; `utilization`: their share of what the array can
    do while it computes, 0 of quantizers and where no cycles were counted."""

    layer: str
    kind: str
    form: str
    cost: PassCost
    operations: int
    utilization: float


def step_costs(step: StepJobs, config: EngineConfig) -> list[LayerCost]:
    """Prediction for a training step. InputError where a job cannot run on an engine of `config`."""
    jobs = {job: job_cost(job, job.images(step.batch), config) for job in step.jobs}
    quantized = {
        (shape.name, kind): quantizer_cost(kind, *counts, config)
        for shape in step.shapes
        for kind, counts in zip(
            QUANTIZERS,
            (
                (shape.w_bits, 1, math.prod(shape.weights_shape)),
                (shape.g_bits, step.batch, math.prod(shape.out_shape)),
            ),
            strict=True,
        )
    }
    return layer_costs(step, config, jobs, quantized)


def bounds(step: StepJobs, config: EngineConfig) -> dict[tuple[str, str], str]:
    """What binds the longest pass of every layer and kind: array, window reader, drain or transfer."""
    longest: dict[tuple[str, str], PassCycles] = {}
    for job in step.jobs:
        kind = next(kind for kind, kinds in _KINDS.items() if job.kind in kinds)
        for part in parts_of(job, config):
            found, known = part.computed.cost, longest.get((job.layer, kind))
            if known is None or found.cycles > known.cycles:
                longest[job.layer, kind] = found
    return {key: cycles.bound_by for key, cycles in longest.items()}


def layer_costs(
    step: StepJobs,
    config: EngineConfig,
    jobs: Mapping[Job, PassCost],
    quantized: Mapping[tuple[str, str], PassCost],
    steps: int = 1,
) -> list[LayerCost]:
    """The costs of so many `steps`, layer by layer, by kind: those of `jobs`, and by layer and kind those of
    what was `quantized`."""
    return [cost for shape in step.shapes for cost in _of_layer(shape, step, config, jobs, quantized, steps)]


def _of_layer(
    shape: ConvolutionShape,
    step: StepJobs,
    config: EngineConfig,
    jobs: Mapping[Job, PassCost],
    quantized: Mapping[tuple[str, str], PassCost],
    steps: int,
) -> Iterator[LayerCost]:
    macs = steps * step.batch * Forward(shape).jobs[0].macs
    pairs = (shape.w_bits * shape.a_bits, shape.w_bits * shape.g_bits, shape.g_bits * shape.a_bits)
    for (kind, kinds), planes in zip(_KINDS.items(), pairs, strict=True):
        own = [cost for job, cost in jobs.items() if job.layer == shape.name and job.kind in kinds]
        if not own:
            continue
        cost, operations = sum(own, PassCost()), macs * planes
        slots = cost.computing * config.binary_ops_per_cycle
        yield LayerCost(
            layer=shape.name,
            kind=kind,
            form=step.forms[shape].name if kind == "weight" else "",
            cost=cost,
            operations=operations,
            utilization=operations / slots if slots else 0.0,
        )
    for kind in QUANTIZERS:
        if (shape.name, kind) in quantized:
            cost = quantized[shape.name, kind]
            yield LayerCost(layer=shape.name, kind=kind, form="", cost=cost, operations=0, utilization=0.0)
