"""dorefa.hw.compiler.training.step_jobs: which jobs a step has, and in which form."""

import re

import pytest

from dorefa.golden.backward.weight import BackwardWeight, WeightForm
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
        form = step.forms[shape].name
        assert {job.form for job in step.of_layer(shape) if job.kind == "weight"} == {form}


def planes(shape, form):
    """Planes of all tiles of a kernel, of the codes."""
    jobs = [job for job in BackwardWeight(shape, form, 2).jobs if form.name == "P" or job.part]
    return sum(-(-job.weights_shape[0] // CONFIG.rows) * job.w_bits for job in jobs)


def coarser(form):
    return [WeightForm(form.name, split) for split in range(1, form.split)]


@pytest.mark.parametrize(
    ("shape", "batch", "form"),
    [
        (shape_of(in_shape=(16, 16, 4)), 8, "P"),
        (shape_of(in_shape=(2, 2, 4)), 8, "B"),
        (shape_of(in_shape=(2, 2, 4)), 1, "P"),
        (shape_of(in_shape=(16, 16, 4), channels=2), 8, "P"),
        (shape_of(in_shape=(2, 2, 4), channels=1), 8, "B"),
    ],
)
def test_the_form_of_fewer_cycles(shape, batch, form):
    forms = [WeightForm(name, split) for name in "PB" for split in range(1, 9)]
    cycles = {
        form: sum(
            job_cost(job, job.images(batch), CONFIG).cycles for job in BackwardWeight(shape, form, batch).jobs
        )
        for form in forms
    }
    # A split that takes no fewer planes than a coarser one is not tried.
    tried = [one for one in forms if all(planes(shape, one) < planes(shape, c) for c in coarser(one))]
    found = choose_form(shape, batch, CONFIG)
    assert found.name == form and cycles[found] == min(cycles[one] for one in tried)
    # What that leaves out are fewer cycles around as many planes.
    assert min(cycles.values()) > 0.99 * cycles[found]


def test_few_channels_are_split():
    """4 rows: 2 channels of 4 bits take 4 planes, or 4 parts of 2 bits; 6 channels 8 planes in two tiles, or
    12 parts 6 planes in three; 4 channels fill a tile."""
    for channels, split in ((1, 4), (2, 2), (6, 2), (4, 1), (8, 1)):
        shape = shape_of(in_shape=(16, 16, 4), channels=channels)
        assert choose_form(shape, 8, CONFIG) == WeightForm("P", split)


def test_the_form_that_runs():
    # A kernel of 100 gradients is 7 words of 4 planes, or of 2; of form B 50 words of 2 and more.
    shape = shape_of(in_shape=(10, 10, 1))
    assert choose_form(shape, 8, CONFIG.replace(weight_depth=64)) == WeightForm("P", 2)


def test_a_layer_that_runs_in_no_form():
    shape = shape_of(in_shape=(10, 10, 1))
    message = (
        "job conv weight P 0: one tile of 4 channels needs 14 weight words per row (= 7 words x 2 bits), the "
        "engine has weight_depth = 20; accepted: at least 28"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        choose_form(shape, 8, CONFIG.replace(weight_depth=20))
