"""dorefa.hw.compiler.training.step_jobs: which jobs a step has, and in which form."""

import re

import pytest

from dorefa.golden.backward.weight import BackwardWeight
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.training.cost import job_cost
from dorefa.hw.compiler.training.step_jobs import StepJobs, choose_form

from .support import CONFIG, NETWORK, shape_of


def test_jobs_of_a_step():
    step = StepJobs.of(NETWORK, 8, CONFIG)
    assert [job.kind for job in step.of_layer(NETWORK[0])] == ["forward", "weight"]
    kinds = [job.kind for job in step.of_layer(NETWORK[1])]
    # Four phases, a border where one has padding.
    assert kinds[0] == "forward" and kinds.count("input") == 4 and 1 <= kinds.count("border") <= 4
    assert {job.layer for job in step.of_layer(NETWORK[2])} == {"fc"}
    assert step.jobs == tuple(job for shape in NETWORK for job in step.of_layer(shape))
    for shape in NETWORK:
        form = step.forms[shape]
        assert {job.form for job in step.of_layer(shape) if job.kind == "weight"} == {form}


@pytest.mark.parametrize(
    ("shape", "batch", "form"),
    [
        (shape_of(in_shape=(16, 16, 4)), 8, "P"),
        (shape_of(in_shape=(2, 2, 4)), 8, "B"),
        (shape_of(in_shape=(2, 2, 4)), 1, "P"),
    ],
)
def test_the_form_of_fewer_cycles(shape, batch, form):
    cycles = {
        name: sum(
            job_cost(job, job.images(batch), CONFIG).cycles for job in BackwardWeight(shape, name, batch).jobs
        )
        for name in "PB"
    }
    assert min(cycles, key=cycles.get) == form == choose_form(shape, batch, CONFIG)


def test_the_form_that_runs():
    # A kernel of 100 gradients is 7 words of 4 planes; of form B 50 words of 8.
    shape = shape_of(in_shape=(10, 10, 1))
    assert choose_form(shape, 8, CONFIG.replace(weight_depth=64)) == "P"


def test_a_layer_that_runs_in_neither_form():
    shape = shape_of(in_shape=(10, 10, 1))
    message = (
        "job conv weight P 0: one tile of 4 channels needs 28 weight words per row (= 7 words x 4 bits), the "
        "engine has weight_depth = 20; accepted: at least 56"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        choose_form(shape, 8, CONFIG.replace(weight_depth=20))
