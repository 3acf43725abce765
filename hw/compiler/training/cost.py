"""What the jobs of a training step cost: cycles, bytes at the ports, the share of the array that works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from dorefa.golden.backward.forward import Forward
from dorefa.golden.backward.job import Job
from dorefa.golden.backward.shape import ConvolutionShape

from ...config.engine import EngineConfig
from ...interface.streams import beats_per_address
from ...interface.weight_sources import weight_source
from .cut import JobPart, parts_of

if TYPE_CHECKING:
    from .step_jobs import StepJobs

# Kinds of a step's jobs in the order of its report; borders are a part of backward-input.
KINDS = ("forward", "input", "weight")


@dataclass(frozen=True, kw_only=True)
class PassCost:
    """Of one pass or several: `packets` of images; `cycles` from each one's first beat to its last result,
    `computing` of them from the first feature read on; bytes of images, weights and results at the ports."""

    packets: int = 0
    cycles: int = 0
    computing: int = 0
    image_bytes: int = 0
    weight_bytes: int = 0
    result_bytes: int = 0

    def __add__(self, other: PassCost) -> PassCost:
        names = self.__dataclass_fields__
        return PassCost(**{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """What one `kind` of a `layer`'s jobs costs in a step: `forward`, `input` or `weight`; `form`: P or B of
    ``weight``; `operations`: the binary operations that the convolution itself has, one AND and one count of
    a bit as one; `utilization`: their share of what the array can do while it computes."""

    layer: str
    kind: str
    form: str
    cost: PassCost
    operations: int
    utilization: float


def has_own_weights(job: Job) -> bool:
    """Whether every image of a job comes with weights of its own: gradients, where others are held."""
    return job.kind == "weight"


def part_cost(part: JobPart, images: int) -> PassCost:
    """Prediction for a part of a job with so many images."""
    computed = part.computed
    config, cost = computed.config, computed.cost
    with_weights = images if has_own_weights(part.job) else min(images, 1)
    computing = with_weights * cost.cycles + (images - with_weights) * cost.computing
    transfers = computed.geometry.weight_words * beats_per_address(config) * config.port_bytes
    return PassCost(
        packets=images,
        cycles=images * computed.lead + computing,
        computing=computing,
        image_bytes=images * computed.image_bytes,
        weight_bytes=with_weights * transfers if weight_source(config).streams else 0,
        result_bytes=images * computed.result_bytes,
    )


def job_cost(job: Job, images: int, config: EngineConfig) -> PassCost:
    """Prediction for a job with so many images; InputError where it cannot run on an engine of `config`."""
    return sum((part_cost(part, images) for part in parts_of(job, config)), PassCost())


def step_costs(step: StepJobs, config: EngineConfig) -> list[LayerCost]:
    """Prediction for a training step, layer by layer, for every kind of job that a layer has."""
    costs: dict[Job, PassCost] = {
        job: job_cost(job, job.images(step.batch), config) for job in step.jobs
    }
    return [cost for shape in step.shapes for cost in layer_costs(shape, step, costs, config)]


def layer_costs(
    shape: ConvolutionShape, step: StepJobs, costs: Mapping[Job, PassCost], config: EngineConfig
) -> list[LayerCost]:
    """The costs of a layer's jobs by kind, of the costs of all jobs of a step."""
    result = []
    macs = step.batch * Forward(shape).jobs[0].macs
    pairs = (shape.w_bits * shape.a_bits, shape.w_bits * shape.g_bits, shape.g_bits * shape.a_bits)
    for kind, planes in zip(KINDS, pairs, strict=True):
        kinds = (kind, "border") if kind == "input" else (kind,)
        own = sum((cost for job, cost in costs.items() if job.layer == shape.name and job.kind in kinds), PassCost())
        if not own.packets:
            continue
        count = macs * planes
        result.append(
            LayerCost(
                layer=shape.name,
                kind=kind,
                form=step.forms[shape] if kind == "weight" else "",
                cost=own,
                operations=count,
                utilization=float(Fraction(count, own.computing * config.binary_ops_per_cycle)),
            )
        )
    return result
