# amaranth: UnusedElaboratable=no
"""The soak of pipelines: random networks with every structure of layers, as tasks of a campaign."""

from dataclasses import replace

from dorefa.golden.random.draws import RawDraws
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.hw.verilog.export import export
from dorefa.sim.pipeline.verilator import build_streams
from dorefa.synth.campaign.work import Work

from .bins import declared
from .coverage import Coverage
from .pipeline_cases import CROSSES, POINTS, fault, pipeline_facts, random_pipeline, random_waits
from .soak import forget, seconds

NOUN = "pipeline"
WORK = Work(
    function="tests.sim.regression.pipelines:pipeline",
    name="pipelines",
    folders=(".",),
    sources=("tests/sim/regression", "tests/hw/pipeline/bench.py", "tests/hw/signed_codes.py"),
    noun=NOUN,
    verb="simulated",
)
DRAWN = replace(WORK, function="tests.sim.regression.pipelines:drawn", name="drawn_pipelines", verb="drew")
# Networks of a pipeline, and from how many on every bin has to be hit.
CASES, ALL_BINS = 1, 200


def task_of(seed):
    """The task of a pipeline of this seed."""
    return {"seed": seed, "training": False}


def coverage():
    """Nothing counted yet."""
    return Coverage([*declared(POINTS, CROSSES)], waivers=(), crosses=CROSSES)


def pipeline(common, task):
    """What became of a network as a pipeline: plain data, as of :func:`.soak.engine`; its `config` has the
    plan's choices, its only case the interval as `cycles`."""
    return _result(task, simulates=True)


def drawn(common, task):
    """:func:`pipeline` without the simulation: what would be run, its bins, no faults."""
    return _result(task, simulates=False)


def _result(task, simulates):
    start, hit, seed = seconds(), coverage(), task["seed"]
    draws = RawDraws(seed)
    network, plan = random_pipeline(seed, draws)
    runs = random_waits(draws)
    for facts in pipeline_facts(plan, runs):
        hit.add(facts)
    case = {"draw": seed, "cycles": plan.interval, "fault": None}
    if simulates:
        case["fault"] = _simulated(plan, runs, seed)
    structures = [stage.structure for stage in plan.stages]
    config = {"input": network.input_shape, "pace": plan.pace, "structures": structures}
    result = task | {"config": config, "cases": [case], "bins": hit.names()}
    return result | {"seconds": round(seconds() - start, 2)}


def _simulated(plan, runs, seed):
    top = PipelineTop(plan, watched=True)
    text = export(top)
    found = next(filter(None, (fault(plan, top, text, run, seed=seed) for run in runs)), None)
    forget(build_streams(text, cycles=1))
    return found
