"""Whole training steps on the engine: losses and parameters as golden has them, cycles as predicted."""

import dataclasses

import numpy as np
import pytest

from dorefa.golden.backward.planes import run_planes
from dorefa.golden.train.job_backend import JobBackend
from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.train.network import TrainNetwork
from dorefa.golden.train.optimizer import Adam
from dorefa.golden.train.train import train, train_step
from dorefa.golden.zoo.architectures import find
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.golden.zoo.random_architecture import random_architecture
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.compiler.training.sizing import fit_training
from dorefa.hw.compiler.training.step_cost import step_costs
from dorefa.hw.compiler.training.step_jobs import StepJobs
from dorefa.sim.training.engine import TrainingEngine, training_engine
from dorefa.sim.training.engine_backend import EngineBackend

from ...golden.train.support import TINY, random_set, recipe_of
from ..conftest import TRAINING

RATE = 1e-3
SLOW = [pytest.mark.slow, pytest.mark.sample]


def steps(architecture, recipe, backend, batches):
    """(losses, SHA-256 of the parameters) after a step with each of the batches of images and labels."""
    network = TrainNetwork(architecture, recipe, backend)
    optimizer = Adam(network.parameters)
    losses = [train_step(network, optimizer, *batch, RATE, step)[0] for step, batch in enumerate(batches)]
    return losses, network.parameters_sha256


def shapes_of(architecture, recipe):
    return [layer.shape for layer in TrainNetwork(architecture, recipe, MatrixBackend(None)).layers]


def check_costs(backend, step, config, count):
    """What `count` steps cost is what is predicted for each."""
    for found, expected in zip(backend.costs(count), step_costs(step, config), strict=True):
        costs = dataclasses.astuple(expected.cost)
        assert dataclasses.astuple(found.cost) == tuple(count * cost for cost in costs)
        assert dataclasses.replace(expected, cost=found.cost, operations=found.operations) == found


def backend_of(opened, shapes, batch, noise_seed):
    """(back end on the small engine, what its program was made for)."""
    step = StepJobs.of(shapes, batch, TRAINING)
    engine = TrainingEngine(session=opened, program=JobProgram.of(step.jobs, TRAINING))
    engine.load()
    return EngineBackend(engine, step, noise_seed), step


@pytest.mark.parametrize("noise_seed", [5, None])
def test_steps_of_a_small_network(noise_seed, opened, rng):
    recipe, batch, count = recipe_of(w_bits=2), 4, 2
    batches = [
        (rng.integers(0, 256, (batch, *TINY.input_shape), np.uint8), rng.integers(0, 3, batch))
        for _ in range(count)
    ]
    backend, step = backend_of(opened, shapes_of(TINY, recipe), batch, noise_seed)
    assert {form.name for form in step.forms.values()} == {"P", "B"}
    found = steps(TINY, recipe, backend, batches)
    assert found == steps(TINY, recipe, MatrixBackend(noise_seed), batches)
    assert found == steps(TINY, recipe, JobBackend(run_planes, noise_seed), batches)
    check_costs(backend, step, TRAINING, count)


@pytest.mark.parametrize(
    "number", [*range(3), *(pytest.param(number, marks=SLOW) for number in range(3, 20))]
)
def test_random_networks_train_to_the_same_bits(number, seed, opened, rng):
    """Residual ones, strides, channel groups, every pooling; the last batch is not full."""
    architecture = random_architecture(seed + number)
    images, labels = random_set(rng, architecture, 7)
    recipe = recipe_of(
        w_bits=1 + number % 3, a_bits=1 + number % 4, g_bits=1 + number % 8, batch=4, seed=seed
    )
    backend, step = backend_of(opened, shapes_of(architecture, recipe), 4, recipe.stream_seed)
    runs = [train(architecture, recipe, images, labels, backend=own) for own in (None, backend)]
    assert len(runs[0].losses) == 2
    assert runs[0].losses == runs[1].losses
    assert runs[0].parameters_sha256 == runs[1].parameters_sha256
    assert backend.runner.costs == backend.runner.predicted
    assert backend.runner.costs.keys() == {*step.jobs}


@pytest.mark.slow
def test_twenty_steps_of_digits():
    digits, recipe, batch, count = find("digits"), recipe_of(), 8, 20
    images, labels = digits_sample()
    batches = [
        (images[first : first + batch], labels[first : first + batch])
        for first in range(0, batch * count, batch)
    ]
    shapes = shapes_of(digits, recipe)
    config = fit_training(shapes, batch, lanes=64, rows=32)
    step = StepJobs.of(shapes, batch, config)
    with training_engine(JobProgram.of(step.jobs, config), cycles=count * 10**6) as engine:
        backend = EngineBackend(engine, step, 1)
        assert steps(digits, recipe, backend, batches) == steps(digits, recipe, MatrixBackend(1), batches)
    check_costs(backend, step, config, count)
    assert sum(cost.cost.cycles for cost in step_costs(step, config)) <= 600_000
