"""dorefa.synth.campaign: tasks in processes and on a cluster, results kept, goings on, ends of all kinds."""

import os
from dataclasses import replace

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.campaign import makers
from dorefa.synth.campaign.run import Outcome, run_tasks
from dorefa.synth.campaign.work import Work

FOLDER = "tests/synth/campaign/tasks"
SQUARE = Work(function="planted_work:square", name="square", common=1000, folders=(FOLDER,))
END = replace(SQUARE, function="planted_work:end", name="end", noun="network", verb="simulated")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of results, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dorefa" / "campaigns"


def tasks(folder, numbers):
    return [{"number": number, "folder": str(folder)} for number in numbers]


def runs(folder):
    """How often each task ran, by number."""
    return {int(path.name): len(path.read_text()) for path in folder.iterdir() if path.name.isdigit()}


def test_every_task_has_its_result_and_runs_once(cache, tmp_path):
    outcomes = sorted(run_tasks(SQUARE, tasks(tmp_path, [3, 1, 2]), jobs=2), key=lambda o: o.number)
    assert [outcome.result for outcome in outcomes] == [{"square": 1000 + n * n} for n in (3, 1, 2)]
    assert not any(outcome.cached for outcome in outcomes)
    assert (
        all(path.name.startswith("square-") for path in cache.iterdir()) and len(list(cache.iterdir())) == 3
    )

    # Some known, others not: the known ones first, in their order.
    again = list(run_tasks(SQUARE, tasks(tmp_path, [4, 2, 3]), jobs=1))
    assert [(outcome.number, outcome.cached) for outcome in again] == [(1, True), (2, True), (0, False)]
    assert again[0] == Outcome(number=1, result={"square": 1004}, cached=True)
    assert runs(tmp_path) == {1: 1, 2: 1, 3: 1, 4: 1}


def test_who_stops_early_goes_on_there(cache, tmp_path):
    first = run_tasks(SQUARE, tasks(tmp_path, range(4)), jobs=1)
    assert next(first).cached is False
    first.close()
    kept = len(list(cache.iterdir()))
    assert 1 <= kept < 4
    rest = list(run_tasks(SQUARE, tasks(tmp_path, range(4)), jobs=1))
    assert sum(outcome.cached for outcome in rest) == kept and len(rest) == 4


def test_another_work_or_source_or_tool_has_its_own_results(cache, tmp_path, monkeypatch):
    list(run_tasks(SQUARE, tasks(tmp_path, [5])))
    others = [
        replace(SQUARE, common=2000),
        replace(SQUARE, packages=("numpy",)),
        replace(SQUARE, name="other"),
    ]
    assert not any(next(run_tasks(work, tasks(tmp_path, [5]))).cached for work in others)
    monkeypatch.setattr(makers, "source_digest", lambda _: "another")
    assert not next(run_tasks(SQUARE, tasks(tmp_path, [5]))).cached


def test_digest_sees_every_file_of_rooms_and_folders(tmp_path, monkeypatch):
    (tmp_path / "dorefa").mkdir()
    for room in ("golden", "hw", "sim", "synth", "own"):
        (tmp_path / room / "deep").mkdir(parents=True)
    folder_of = {"dorefa": tmp_path / "dorefa"}
    folder_of |= {f"dorefa.{room}": tmp_path / room for room in ("golden", "hw", "sim", "synth")}
    monkeypatch.setattr(makers, "package_folder", folder_of.get)
    monkeypatch.setattr(makers, "checkout_paths", lambda names: [tmp_path / name for name in names])
    seen = [makers.source_digest(("own",))]
    for name in ("hw/a.py", "own/deep/a.py", "sim/deep/a.cpp", "sim/a.h", "synth/a.lib"):
        (tmp_path / name).write_text("")
        seen.append(makers.source_digest(("own",)))
    (tmp_path / "golden" / "table.txt").write_text("")
    assert makers.source_digest(("own",)) == seen[-1] and len({*seen}) == len(seen)
    assert makers.source_digest() != seen[-1]


def test_sources_count_instead_of_folders(tmp_path, monkeypatch):
    """A file of them alone, where they are named."""
    kept, other = tmp_path / "kept.py", tmp_path / "other.py"
    monkeypatch.setattr(makers, "checkout_paths", lambda names: [tmp_path / name for name in names])
    seen = []
    for text in ("1", "2"):
        other.write_text(text)
        kept.write_text("1")
        seen.append(
            [makers.makers(replace(SQUARE, folders=(".",), sources=own)) for own in (None, ("kept.py",))]
        )
    assert seen[0][0] != seen[1][0] and seen[0][1] == seen[1][1]
    kept.write_text("2")
    assert makers.makers(replace(SQUARE, sources=("kept.py",))) != seen[0][1]


def test_an_open_result_is_told_but_not_kept(cache):
    for _ in range(2):
        (outcome,) = run_tasks(END, [{"how": "open"}])
        assert outcome == Outcome(number=0, result={"luts": None}, cached=False)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("refused", InputError, "^number is 7; accepted: 8$"),
        ("failed", RuntimeError, r"(?s)^the process of network \{'how': 'failed'\} failed: .*planted$"),
        (
            "killed",
            InputError,
            "^a process that simulated a network was killed, perhaps for lack of memory; accepted: the same "
            r"command again, with fewer --jobs \(finished networks are kept\)$",
        ),
    ],
)
def test_how_a_task_ends(cache, how, kind, message):
    with pytest.raises(kind, match=message):
        list(run_tasks(END, [{"how": how}]))
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"function": "planted_work:nothing"}, "function 'planted_work:nothing': .* accepted: module:name"),
        ({"function": "no_such:square"}, "function 'no_such:square': No module .* accepted: module:name"),
        ({"folders": ("pyproject.toml",)}, "pyproject.toml is no folder; accepted: folders of the checkout"),
        ({"folders": ("tests/nowhere",)}, "tests/nowhere is missing; accepted: dorefa run from a checkout"),
    ],
)
def test_work_that_is_not_there(cache, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        list(run_tasks(replace(SQUARE, **change), tasks(tmp_path, [1])))


def test_cache_in_a_file_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(
        InputError, match="Not a directory; accepted: XDG_CACHE_HOME naming a writable folder"
    ):
        list(run_tasks(SQUARE, tasks(tmp_path, [1])))
    assert runs(tmp_path) == {}


def test_a_cluster_finds_the_same(cache, tmp_path):
    """Workers find the function in the folders of their own checkout."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        outcomes = list(run_tasks(SQUARE, tasks(tmp_path, [6, 7]), cluster=address))
        assert {outcome.number: outcome.result["square"] for outcome in outcomes} == {0: 1036, 1: 1049}
        assert len(os.listdir(cache)) == 2
        with pytest.raises(InputError, match="number is 7; accepted: 8"):
            list(run_tasks(END, [{"how": "refused"}], cluster=address))
