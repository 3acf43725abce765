"""Random layers of all widths on the Verilog: their sums, and cycles and bytes as predicted."""

import dataclasses

import numpy as np
import pytest

from dorefa.golden.backward.forward import Forward
from dorefa.golden.backward.input import BackwardInput
from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.backward.weight import BackwardWeight, WeightForm
from dorefa.golden.errors import InputError
from dorefa.golden.random.backward import ConvolutionCase
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.training.cost import PassCost
from dorefa.hw.compiler.training.cut import parts_of
from dorefa.hw.compiler.training.job_pass import JobPass
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.compiler.training.sizing import fit_training
from dorefa.hw.generate.manifest import engine_files
from dorefa.hw.interface import program
from dorefa.sim.training.engine import TrainingEngine, training_engine
from dorefa.sim.training.engine_runner import EngineRunner
from dorefa.sim.verilator.session import session

from ...golden.backward.direct import differing, drawn, forms_of
from ...hw.compiler.training.support import LARGE, shape_of
from ..conftest import TRAINING

SOME, MORE, ALL = 40, 80, 512
SLOW = [pytest.mark.slow, pytest.mark.sample]


def runner_of(case, opened, config=TRAINING):
    """A runner with all jobs of a case, in both forms."""
    shape, batch = case.shape, len(case.scales)
    planners = [
        Forward(shape),
        BackwardInput(shape),
        *(BackwardWeight(shape, form, batch) for form in forms_of(shape)),
    ]
    made = JobProgram.of((job for planner in planners for job in planner.jobs), config)
    engine = TrainingEngine(session=opened, program=made)
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


@pytest.fixture
def plain(seed):
    """A case in which every fault shows: several channels, gradients and taps, padding."""
    draws = RawDraws(seed)
    shape = shape_of(in_shape=(6, 5, 3), channels=5, kernel=(3, 2), w_bits=2, g_bits=3)
    return ConvolutionCase(
        shape,
        activations=draws.codes((2, *shape.in_shape), shape.a_bits),
        weights=draws.codes(shape.weights_shape, shape.w_bits),
        gradients=draws.codes((2, *shape.out_shape), shape.g_bits),
        scales=np.array([16, 7]),
    )


@pytest.fixture
def fresh_parts():
    parts_of.cache_clear()
    yield
    parts_of.cache_clear()


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("shared_weights", {"P", "B"}), ("bare_sums", {"forward", "input", "P", "B"})],
)
@pytest.mark.usefixtures("fresh_parts")
def test_faults_of_the_program_are_found(field, wrong, monkeypatch, opened, plain):
    encode = program.encode
    monkeypatch.setattr(
        program, "encode", lambda config, name, values: encode(config, name, values | {field: 0})
    )
    assert differing(plain, runner_of(plain, opened)) == wrong


def test_constants_left_out_are_found(monkeypatch, opened, plain):
    monkeypatch.setattr(JobPass, "constants", lambda self, weights: np.zeros((1, 1), np.int64))
    assert differing(plain, runner_of(plain, opened)) == {"forward", "input", "P", "B"}


@pytest.mark.slow
def test_a_large_layer_keeps_the_array_busy(rng):
    """64 lanes x 32 rows, and a batch of 8, of which two samples are run."""
    shape = LARGE
    config = fit_training(
        [dataclasses.replace(shape, name="conv1"), shape], 8, lanes=64, rows=32, port_bytes=8
    )
    planners = BackwardInput(shape), BackwardWeight(shape, WeightForm("P"), 2)
    made = JobProgram.of((job for planner in planners for job in planner.jobs), config)
    weights, activations, gradients = (
        rng.integers(0, 1 << bits, size, np.uint8)
        for bits, size in ((1, shape.weights_shape), (2, (2, *shape.in_shape)), (6, (2, *shape.out_shape)))
    )
    with training_engine(made, cycles=10**6) as engine:
        runner = EngineRunner(engine=engine)
        for planner, own in zip(
            planners, ((gradients, weights), (gradients, np.array([3, 15]), activations)), strict=True
        ):
            assert np.array_equal(planner.sums(runner, *own), planner.sums(run_matrix, *own))
    assert runner.costs == runner.predicted
    # Cycles of a whole step: the border once, everything else for every sample.
    cycles = dict.fromkeys(("input", "border", "weight"), 0)
    for job, cost in runner.costs.items():
        cycles[job.kind] += cost.computing * job.images(8) // cost.packets
    operations = 8 * 18 * 18 * 64 * 9 * 64 * 6
    assert operations / (64 * 32) / (cycles["input"] + cycles["border"]) >= 0.95
    assert 2 * operations / (64 * 32) / cycles["weight"] >= 0.80


def test_jobs_that_are_not_in_the_program(opened, seed):
    case = drawn(seed, 1)
    runner = runner_of(case, opened)
    other = dataclasses.replace(case.shape, name="other")
    message = r"^job other forward 0: it is not in the engine's program; accepted: jobs of the step$"
    with pytest.raises(InputError, match=message):
        Forward(other).sums(runner, case.activations, case.weights)
