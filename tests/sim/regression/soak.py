"""The soak: random engines, many random networks or training layers on each, as tasks of a campaign."""

import resource
import shutil
from dataclasses import replace

from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.generate.manifest import engine_files
from dorefa.hw.verilog.export import MODULE
from dorefa.sim.job.design import find_memories
from dorefa.sim.verilator import build
from dorefa.synth.campaign.work import Work

from .coverage import Coverage
from .facts import case_facts
from .runs import fault, random_runs
from .sets import random_set
from .training import jobs_facts, random_cases, run_cases, training_engine

NOUN = "engine"
WORK = Work(
    function="tests.sim.regression.soak:engine",
    name="soak",
    folders=(".",),
    sources=("tests/sim",),
    noun=NOUN,
    verb="simulated",
)
DRAWN = replace(WORK, function="tests.sim.regression.soak:drawn", name="drawn", verb="drew")
# Cases of an engine, of how many engines one trains, and networks from which on every bin has to be hit.
CASES, TRAINS, ALL_BINS = 16, 10, 5000
# Behind the draws of networks.
_RUNS = 900


def task_of(seed):
    """The task of an engine of this seed."""
    return {"seed": seed, "cases": CASES, "training": seed % TRAINS == TRAINS - 1}


def coverage():
    """Nothing counted yet."""
    return Coverage()


def engine(common, task):
    """What became of the cases of one engine: plain data.

    task: `seed` of the engine, `cases`: how many at most, `training`: whether these are training layers. The
    result has the task's fields, the engine's `config`, and per case its `draw`, predicted `cycles` (None for
    training layers), and `fault`, None where all is right; `bins`: how often each was hit; `seconds` of
    processor time of all of it, tools included.
    """
    return _result(task, simulates=True)


def drawn(common, task):
    """:func:`engine` without the simulation: what would be run, its bins, no faults."""
    return _result(task, simulates=False)


def _result(task, simulates):
    start, hit = seconds(), coverage()
    config, cases = (_train if task["training"] else _networks)(task, hit, simulates)
    result = task | {"config": config.as_dict(), "cases": cases, "bins": hit.names()}
    return result | {"seconds": round(seconds() - start, 2)}


def _networks(task, coverage, simulates):
    config, members = random_set(task["seed"], task["cases"])
    text = engine_files(config)["engine.v"] if simulates else None
    cases = []
    for member in members:
        compiled = compile_network(member.network, config)
        runs = random_runs(RawDraws(1000 * member.draw + _RUNS), compiled)
        for facts in case_facts(compiled, runs):
            coverage.add(facts)
        faults = (fault(member.network, config, run, seed=member.draw, text=text) for run in runs)
        found = next(filter(None, faults), None) if simulates else None
        cases.append({"draw": member.draw, "cycles": compiled.cycles, "fault": found})
    if simulates:
        forget(build.build(text, find_memories(text, MODULE), cycles=1))
    return config, cases


def _train(task, coverage, simulates):
    seed = task["seed"]
    config = training_engine(RawDraws(seed))
    cases = [*random_cases(seed, task["cases"])]
    for facts in jobs_facts(config, cases):
        coverage.add(facts)
    faults = [None] * len(cases)
    if simulates:
        text = engine_files(config)["engine.v"]
        faults = run_cases(config, text, cases, seed)
        forget(build.build(text, {}, cycles=1, main=build.SESSION))
    return config, [
        {"draw": 1000 * seed + number, "cycles": None, "fault": found} for number, found in enumerate(faults)
    ]


def forget(program):
    """Takes a compiled model out of the cache: thousands would fill a disk, and none is used again."""
    shutil.rmtree(program.parent, ignore_errors=True)


def seconds():
    """Processor time of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
