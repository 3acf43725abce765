"""Random training jobs on random engines that train, as tasks of the soak."""

import numpy as np

from dorefa.golden.backward.forward import Forward
from dorefa.golden.backward.input import BackwardInput
from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.backward.weight import BackwardWeight, WeightForm
from dorefa.golden.errors import InputError
from dorefa.golden.quantizers.gradient import SCALE_BITS
from dorefa.golden.random.backward import random_convolution, widths_of
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.config.engine import EngineConfig
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.training.engine import TrainingEngine
from dorefa.sim.training.engine_runner import EngineRunner
from dorefa.sim.verilator.session import session

from .facts import job_facts

# Chances in percent.
STALLS = (0, 30)
# With room for every random convolution.
_ROOM = {
    "w_bits": 8,
    "a_bits": 8,
    "out_bits": 1,
    "acc_bits": 28,
    "weight_depth": 4096,
    "feature_depth": 4096,
    "image_depth": 4096,
    "patch_depth": 256,
    "image_patch_depth": 256,
    "param_depth": 1,
    "pool_depth": 1,
    "line_depth": 1,
    "layer_depth": 512,
    "results": "wide",
    "training": 1,
}


def training_engine(draws):
    """The configuration of a random engine that trains: the first one drawn that can be."""
    while True:
        try:
            return EngineConfig(
                lanes=draws.pick((16, 16, 24, 32)),
                rows=draws.pick((2, 4, 6)),
                engines=draws.pick((1, 1, 2)),
                quant=draws.pick((1, 2)),
                fetch_bits=draws.pick((8, 16)),
                port_bytes=draws.pick((4, 8, 16)),
                weights=draws.pick(("onchip", "stream")),
                encoding=draws.pick(("bipolar", "any")),
                quantizer=draws.pick(("thresholds", "affine")),
                prefetch=draws.pick((0, 1)),
                pipeline=draws.pick(("none", "level")),
                structure=draws.pick(("compress", "sum")),
                **_ROOM,
            )
        except InputError as error:
            print(f"not an engine that trains: {error}")


def random_cases(seed, count):
    """`count` random convolutions of training steps, of all widths in turn."""
    for number in range(count):
        draws = RawDraws(1000 * seed + number)
        yield random_convolution(draws, widths_of(count * seed + number), 1 << SCALE_BITS)


def planners(case, number):
    """{kind of job: (planner, its operands)} of a case; weight gradients are split in 1 to 4 parts."""
    shape, parts = case.shape, 1 + number % 4
    weight = {form: BackwardWeight(shape, WeightForm(form, parts), len(case.scales)) for form in ("P", "B")}
    operands = case.gradients, case.scales, case.activations
    return {
        "forward": (Forward(shape), (case.activations, case.weights)),
        "input": (BackwardInput(shape), (case.gradients, case.weights)),
        **{form: (planner, operands) for form, planner in weight.items()},
    }


def job_fault(case, number, config, opened, stalls):
    """What is wrong with the jobs of a case on the engine behind a session, in one line, or None."""
    made = planners(case, number)
    program = JobProgram.of((job for planner, _ in made.values() for job in planner.jobs), config)
    engine = TrainingEngine(session=opened, program=program)
    engine.load()
    runner = EngineRunner(engine=engine)
    for kind, (planner, operands) in made.items():
        try:
            found = planner.sums(runner, *operands)
        except SimulationError as error:
            return f"stalls {stalls}, {kind}: {error}"
        expected = planner.sums(run_matrix, *operands)
        if not np.array_equal(found, expected):
            return f"stalls {stalls}, {kind}: {np.sum(found != expected)} sums differ"
    if not stalls and runner.costs != runner.predicted:
        return "cycles or bytes are not those predicted"
    return None


def jobs_facts(config, cases):
    """The facts of every job of the cases, with and without stalls."""
    for number, case in enumerate(cases):
        for kind in planners(case, number):
            yield from (job_facts(case, config, kind, stalls) for stalls in STALLS)


def run_cases(config, text, cases, seed):
    """The fault, or None, of every case with and without stalls, up to the first one."""
    faults = [None] * len(cases)
    for stalls in STALLS:
        with session(text, config, cycles=1, stalls=stalls, seed=seed) as opened:
            for number, case in enumerate(cases):
                if faults[number] is None:
                    faults[number] = job_fault(case, number, config, opened, stalls)
                if faults[number] is not None:
                    # What a session whose engine is stuck says of the next case tells nothing.
                    return faults
    return faults
