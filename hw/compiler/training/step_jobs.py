"""All jobs of a training step, in the forms that take the fewest cycles on an engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dorefa.golden.backward.forward import Forward
from dorefa.golden.backward.input import BackwardInput
from dorefa.golden.backward.job import Job
from dorefa.golden.backward.shape import ConvolutionShape
from dorefa.golden.backward.weight import NAMES, BackwardWeight, WeightForm
from dorefa.golden.errors import InputError

from ...config.engine import EngineConfig
from .cost import job_cost


@dataclass(frozen=True, kw_only=True)
class StepJobs:
    """The jobs of a step with `batch` samples of a network of `shapes`, of which the first one's input is the
    image and needs no gradients; `forms`: of each layer's weight gradients."""

    shapes: tuple[ConvolutionShape, ...]
    batch: int
    forms: dict[ConvolutionShape, WeightForm]

    @classmethod
    def of(cls, shapes: Sequence[ConvolutionShape], batch: int, config: EngineConfig) -> StepJobs:
        """The jobs in the forms of :func:`choose_form` for an engine of `config`."""
        forms = {shape: choose_form(shape, batch, config) for shape in shapes}
        return cls(shapes=tuple(shapes), batch=batch, forms=forms)

    def of_layer(self, shape: ConvolutionShape) -> tuple[Job, ...]:
        """The jobs of one layer: forward, input (with borders), weight."""
        inputs = BackwardInput(shape).jobs if shape != self.shapes[0] else ()
        weights = BackwardWeight(shape, self.forms[shape], self.batch).jobs
        return (*Forward(shape).jobs, *inputs, *weights)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs of all layers."""
        return tuple(job for shape in self.shapes for job in self.of_layer(shape))


def choose_form(shape: ConvolutionShape, batch: int, config: EngineConfig) -> WeightForm:
    """The form of a layer's weight gradients that takes the fewest cycles on an engine of `config`, the first
    of equals; of those of :func:`_forms` that run. InputError that says why P cannot where none can."""
    cycles, problems = {}, {}
    for form in _forms(shape, config):
        jobs = BackwardWeight(shape, form, batch).jobs
        try:
            cycles[form] = sum(job_cost(job, job.images(batch), config).cycles for job in jobs)
        except InputError as error:
            problems[form] = error
    if not cycles:
        # Of the finest split, which needs the least.
        raise problems[max(form for form in problems if form.name == "P")]
    return min(cycles, key=cycles.__getitem__)


def _forms(shape: ConvolutionShape, config: EngineConfig) -> Iterator[WeightForm]:
    """P and B, and either of them split where that takes fewer tiles times planes than a coarser split."""
    channels, rows = shape.channels // shape.groups, config.rows * config.engines
    for name in NAMES:
        least = None
        for split in range(1, rows + 1):
            form = WeightForm(name, split)
            tiles = -(-channels * split // rows)
            planes = tiles * sum(bits for _, bits in form.cuts(shape.g_bits))
            if least is None or planes < least:
                yield form
                least = planes
