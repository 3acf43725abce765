"""The soak counts, asks for enough networks, and tells every fault with all that makes it again."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

PROGRAM = runpy.run_path(str(Path(__file__).parents[2] / "bench" / "soak.py"))
Tally, run = PROGRAM["Tally"], PROGRAM["run"]


def result(seed, cases=2, training=False, fault=None):
    """What an engine told: `fault` of its last case."""
    told = [
        {"draw": 1000 * seed + n, "cycles": None if training else 50, "fault": None} for n in range(cases)
    ]
    told[-1]["fault"] = fault
    return {
        "seed": seed,
        "training": training,
        "config": {"lanes": 8 + seed},
        "cases": told,
        "bins": {"columns 1": 3},
        "seconds": 1.0 * seed,
    }


def outcome(own, cached=False):
    return SimpleNamespace(result=own, cached=cached)


def test_faults_are_told_with_what_makes_them_again():
    tally = Tally()
    tally.add(outcome(result(7, fault="later")))
    tally.add(outcome(result(5, training=True), cached=True))
    tally.add(outcome(result(3, fault="stalls 30: 2 values differ")))
    lines = [*tally.lines()]
    assert lines[0] == "4 networks and 2 training layers on 3 engines, 2 faults (1 engines from the cache)"
    assert lines[1] == "15 s of processor time, 2.50 s a case"
    assert "engines that took longest: 7 (7 s), 5 (5 s), 3 (3 s)" in lines
    assert "| columns | 4 | 0 | 1 | 0 (2) |" in lines and "never hit: columns 2" in lines
    assert lines[-3:] == [
        "first fault: case 3001 of engine 3: stalls 30: 2 values differ",
        "again: python bench/soak.py --engine 3",
        "its configuration: {'lanes': 11}",
    ]


def test_pipelines_are_told_like_engines():
    tally = Tally(PROGRAM["pipelines"])
    of_pipelines = {"bins": {"structure rom": 2}}
    tally.add(outcome(result(10_003, cases=1, fault="latency 7") | of_pipelines))
    lines = [*tally.lines()]
    assert lines[0] == "1 networks on 1 pipelines, 1 faults (0 pipelines from the cache)"
    assert "| structure | 4 | 0 | 1 | 0 (constant) |" in lines and "never hit: structure planes" in lines
    assert lines[-3:-1] == [
        "first fault: case 10003000 of pipeline 10003: latency 7",
        "again: python bench/soak.py --architecture pipeline --engine 10003",
    ]


def test_engines_come_until_there_are_enough_networks(monkeypatch, capsys):
    """Some train, others find fewer networks than they ask for."""
    asked = []

    def few(work, tasks, jobs, cluster):
        asked.append(len(tasks))
        return [outcome(result(task["seed"], 10, task["training"])) for task in tasks]

    monkeypatch.setitem(run.__globals__, "run_tasks", few)
    tally = run(None, 200, 1, None, None)
    assert sum(asked) == len(tally.results) and len(asked) > 1
    assert 200 <= len(tally.cases(False)) < 220
    assert [own["seed"] for own in tally.results] == [10_000 + n for n in range(len(tally.results))]
    assert f"seed 1: engines 10000 to {10_000 + sum(asked) - 1}\n" == capsys.readouterr().out


@pytest.mark.parametrize(
    ("fault", "bins", "count", "message"),
    [
        ("differs", {"columns 1": 1}, "100", "a case or the coverage is wrong"),
        (None, {"columns 1, column_reads shared": 1}, "100", "a case or the coverage is wrong"),
        (None, {"columns 1": 1}, "5000", "not every declared bin was hit"),
    ],
)
def test_how_it_ends(monkeypatch, fault, bins, count, message, capsys):
    def told(work, tasks, jobs, cluster):
        return [outcome(result(task["seed"], 16, fault=fault) | {"bins": bins}) for task in tasks]

    main = PROGRAM["main"]
    monkeypatch.setitem(main.__globals__, "run_tasks", told)
    monkeypatch.setitem(main.__globals__, "handle_signals", lambda: None)
    monkeypatch.setattr("sys.argv", ["soak.py", "--count", count])
    with pytest.raises(SystemExit, match=message):
        main()
    assert "networks" in capsys.readouterr().out
