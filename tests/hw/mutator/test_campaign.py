"""Campaigns of mutants: a sample of the real one, and that nothing is called killed which is not."""

from dataclasses import replace

import pytest

from dorefa.golden.cache import cache_base
from dorefa.golden.errors import InputError

from . import campaign
from .campaign import GOAL, Report, check_equivalent, run_campaign, run_chunk
from .components import COMPONENTS
from .equivalent import EQUIVALENT
from .mutants import drawn


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache of results; tools keep theirs."""
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(cache_base() / "YoWASP"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def results_of(component, tests, *texts):
    """The results of the mutants whose names begin so."""
    part = COMPONENTS[component]
    names = [mutant.name for mutant in drawn(part.source, part.functions, 1)]
    numbers = [next(n for n, name in enumerate(names) if name.startswith(text)) for text in texts]
    task = {"component": component, "tests": tests, "seed": 1, "numbers": numbers, "seconds": {}}
    return run_chunk(None, task)


def test_outcomes():
    """A mutant of each kind: found, the same hardware (a port enabled by itself), no hardware."""
    memory = "WeightMemory.elaborate: "
    killed, equal, unbuilt = results_of(
        "weight_memory",
        COMPONENTS["weight_memory"].tests,
        f"{memory}read.addr.eq(self.address) dropped",
        f"{memory}read.en.eq(1) dropped",
        f"{memory}memory = Memory(",
    )
    assert killed["outcome"] == "killed" and "test_words_of_rows" in killed["by"]
    assert equal["outcome"] == "equal" and equal["configurations"] > 0
    assert unbuilt["outcome"] == "unbuilt"


def test_what_no_test_elaborates_is_no_equivalent():
    text = "Issue.elaborate: negative ^= "
    (result,) = results_of("issue", [f"{COMPONENTS['issue'].tests[0]}::test_one_step_per_cycle"], text)
    assert result["outcome"] == "unreached"


def test_what_the_tests_cannot_see_is_a_survivor(monkeypatch):
    """Tests of the order of steps without signs: those of the signs alone survive."""
    part = COMPONENTS["issue"]
    monkeypatch.setitem(
        COMPONENTS, "issue", replace(part, tests=(f"{part.tests[0]}::test_one_step_per_cycle",))
    )
    (report,) = run_campaign(["issue"], 10, 1, jobs=1)
    assert report.survivors and report.killed and report.score < GOAL
    assert len(report.tested) >= 10


def test_a_mutant_of_which_nothing_is_known_is_a_survivor():
    """As where the process that tested it failed."""
    part = COMPONENTS["dot"]
    first, second, *_ = drawn(part.source, part.functions, 1)
    report = Report("dot", {first: {"outcome": "error"}, second: {"outcome": "killed"}})
    assert (report.survivors, report.score) == ([first], 0.5)


def test_a_name_that_is_gone_is_refused(monkeypatch):
    monkeypatch.setitem(EQUIVALENT, "dot", {"DotUnit.elaborate: nothing -> all": "a planted reason"})
    with pytest.raises(InputError, match="dot has no mutant 'DotUnit.elaborate: nothing -> all'; accepted: "):
        check_equivalent()


def test_a_name_that_is_killed_is_refused(monkeypatch):
    name = "WeightMemory.elaborate: self.w.eq(Cat(words)) dropped"
    monkeypatch.setitem(EQUIVALENT, "weight_memory", {name: "a planted reason"})
    with pytest.raises(InputError, match="weight_memory: .*test_weight_memory.* finds 'WeightMemory.ela"):
        run_campaign(["weight_memory"], 100, 1, jobs=1)


def test_who_stops_goes_on_and_a_cluster_finds_the_same():
    """Results that are there are not made again; workers of Dask make the others."""
    distributed = pytest.importorskip("distributed")
    (first,) = run_campaign(["weight_memory"], 5, 1, jobs=1)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        (more,) = run_campaign(["weight_memory"], 20, 1, cluster=cluster.scheduler_address)
    assert list(first.results.items()) == list(more.results.items())[: len(first.results)]
    assert len(first.tested) < len(more.tested)


def test_unknown_components_and_failing_tests_are_refused(monkeypatch):
    with pytest.raises(InputError, match="component 'adder'; accepted: popcount, dot, "):
        run_campaign(["adder"], 1, 1)
    failed = [{"number": campaign.BASELINE, "outcome": "killed", "by": "test_a", "error": "E"}]
    monkeypatch.setattr(campaign, "run_tasks", lambda work, tasks, **_: [campaign_outcome(failed)])
    with pytest.raises(InputError, match=r"dot: test_a fails without a mutant \(E\); accepted: tests that "):
        run_campaign(["dot"], 1, 1)


def campaign_outcome(result):
    from dorefa.synth.campaign.run import Outcome

    return Outcome(number=0, result=result, cached=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "component",
    [
        "issue",
        "drain",
        *(pytest.param(name, marks=pytest.mark.sample) for name in ("weight_memory", "threshold_quantizer")),
    ],
)
def test_a_sample_is_killed(component, seed):
    """Each component's whole campaign: bench/mutation.py."""
    (report,) = run_campaign([component], 6, seed, jobs=1)
    print(*(f"{report.outcome(mutant)}: {mutant.name}" for mutant in report.results), sep="\n")
    assert not report.survivors and report.killed
