"""dorefa.cli.cache: what is kept is listed and removed, and nothing else."""

import json
import os

import pytest

from dorefa.golden.cache import Cache


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dorefa"


def fill(tmp_path):
    """Two entries of 1,000 bytes and their checksums."""
    content = tmp_path / "point.json"
    content.write_bytes(bytes(1000))
    return [Cache(kind).add(f"{kind}-" + 32 * "a", [content]) for kind in ("models", "explore")]


def test_without_a_cache(dorefa, home):
    for action in ("list", "clear"):
        outcome = dorefa("cache", action)
        assert outcome.status == 0 and outcome.err == "" and "0 entries, 0 bytes" in outcome.out
    assert not home.exists()


def test_list_and_clear(dorefa, home, tmp_path):
    entries = fill(tmp_path)
    outcome = dorefa("cache", "list")
    assert outcome.status == 0 and all(entry.name in outcome.out for entry in entries)
    assert "2 entries, 2.2 kB" in outcome.out
    report = dorefa("cache", "list", "--json", "-").report
    assert {entry["path"] for entry in report["entries"]} == {str(entry) for entry in entries}
    assert report["bytes"] == 2154 and report["freed_bytes"] == 0 and report["removed"] == []
    assert all(0 <= entry["seconds"] < 600 for entry in report["entries"])
    report = dorefa("cache", "clear", "--json", "-").report
    assert report["freed_bytes"] == 2154 and report["entries"] == [] and len(report["removed"]) == 2
    assert os.listdir(home) == []


def test_what_is_not_ours_stays(dorefa, home, tmp_path):
    fill(tmp_path)
    thesis = tmp_path / "thesis"
    thesis.mkdir()
    (thesis / "chapter").write_text("")
    for name in ("models/thesis", "thesis", "models/engine-1"):
        (home / name).mkdir()
    (home / "explore" / ("engine-" + 32 * "b")).symlink_to(thesis)
    (home / "models" / ".dorefa-half").mkdir()
    outcome = dorefa("cache", "clear")
    assert outcome.status == 0 and "removed 4 entries" in outcome.out
    for name in ("models/thesis", "thesis", "models/engine-1"):
        assert f"not dorefa's, left alone: {home / name}" in outcome.out and (home / name).is_dir()
    assert os.listdir(thesis) == ["chapter"] and sorted(os.listdir(home)) == ["models", "thesis"]


def test_a_file_in_its_place_is_named(dorefa, home):
    home.parent.mkdir()
    home.write_text("")
    assert dorefa("cache", "list").error == f"{home}: Not a directory; accepted: a folder that can be read"
    assert dorefa("cache", "clear").status == 1 and home.is_file()


def test_report_in_a_file(dorefa, home, tmp_path):
    assert dorefa("cache", "list", "--json", tmp_path / "report.json").status == 0
    assert json.loads((tmp_path / "report.json").read_text())["folder"] == str(home)
