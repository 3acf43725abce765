"""Random layers of all widths on the Verilog: their sums, and cycles and bytes as predicted."""

import dataclasses

import numpy as np
import pytest

from dorefa.golden.backward.forward import Forward
from dorefa.golden.backward.input import BackwardInput
from dorefa.golden.backward.weight import BackwardWeight
from dorefa.golden.errors import InputError
from dorefa.hw.compiler.training.cost import PassCost
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.generate.manifest import engine_files
from dorefa.sim.training.engine import TrainingEngine
from dorefa.sim.training.engine_runner import EngineRunner
from dorefa.sim.verilator.session import session

from ...golden.backward.direct import differing, drawn
from ..conftest import TRAINING

SOME, MORE, ALL = 40, 200, 512
SLOW = [pytest.mark.slow, pytest.mark.sample]


def runner_of(case, opened, config=TRAINING):
    """A runner with all jobs of a case, in both forms."""
    shape, batch = case.shape, len(case.scales)
    planners = [Forward(shape), BackwardInput(shape), *(BackwardWeight(shape, form, batch) for form in "PB")]
    program = JobProgram.of((job for planner in planners for job in planner.jobs), config)
    engine = TrainingEngine(session=opened, program=program)
    engine.load()
    return EngineRunner(engine=engine)


@pytest.mark.parametrize(
    "number",
    [
        *range(SOME),
        *(pytest.param(number, marks=SLOW) for number in range(SOME, MORE)),
        *(pytest.param(number, marks=pytest.mark.slow) for number in range(MORE, ALL)),
    ],
)
def test_sums_and_costs(number, seed, opened):
    case = drawn(seed, number)
    runner = runner_of(case, opened)
    assert differing(case, runner) == set(), case.shape
    assert runner.costs == runner.predicted


@pytest.mark.parametrize("number", range(SOME, SOME + 3))
def test_sums_with_ports_that_stall(number, seed, stalling):
    case = drawn(seed, number)
    runner = runner_of(case, stalling)
    assert differing(case, runner) == set(), case.shape
    found, expected = (sum(costs.values(), PassCost()) for costs in (runner.costs, runner.predicted))
    assert found.cycles > expected.cycles


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"encoding": "any"},
        {"weights": "onchip"},
        {"port_bytes": 16, "quant": 2, "fetch_bits": 16, "lanes": 24, "rows": 6},
        {"engines": 2, "fetch_bits": 16, "prefetch": 0, "quantizer": "affine"},
    ],
    ids=str,
)
def test_sums_and_costs_of_other_engines(changes, seed):
    config = TRAINING.replace(**changes)
    with session(engine_files(config)["engine.v"], config, cycles=1) as own:
        for number in range(SOME):
            case = drawn(seed, number)
            runner = runner_of(case, own, config)
            assert differing(case, runner) == set(), case.shape
            assert runner.costs == runner.predicted


def test_a_fault_is_found(monkeypatch, opened, seed):
    case = drawn(seed, 0)
    monkeypatch.setattr(JobPass, "constants", lambda self, weights: np.zeros((1, 1), np.int64))
    assert differing(case, runner_of(case, opened)) == {"forward", "input", "P", "B"}


def test_jobs_that_are_not_in_the_program(opened, seed):
    case = drawn(seed, 1)
    runner = runner_of(case, opened)
    other = dataclasses.replace(case.shape, name="other")
    message = r"^job other forward 0: it is not in the engine's program; accepted: jobs of the step$"
    with pytest.raises(InputError, match=message):
        Forward(other).sums(runner, case.activations, case.weights)
