"""dorefa.golden.cache: entries are whole, checked, replaced when damaged, and all that is ever removed."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from dorefa.golden import cache
from dorefa.golden.errors import MachineError

NAME = "engine-" + 32 * "0"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dorefa"


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "engine"
    path.write_text("#!/bin/sh\n")
    return path


@pytest.fixture
def models(home):
    return cache.Cache("models", programs=True)


def test_an_entry_is_found_again_with_its_checksums(models, home, program):
    assert models.find(NAME) is None
    entry = models.add(NAME, [program])
    assert entry == home / "models" / NAME == models.find(NAME)
    assert (entry / "engine").read_bytes() == program.read_bytes()
    assert os.access(entry / "engine", os.X_OK)
    assert os.listdir(home / "models") == [NAME]
    checksum = "a8076d3d28d21e02012b20eaf7dbf75409a6277134439025f282e368e3305abf"
    assert (entry / "SHA256SUMS").read_text() == f"{checksum}  engine\n"


def truncated(entry):
    (entry / "engine").write_bytes(b"#!/bin")


def other_bits(entry):
    (entry / "engine").write_bytes(b"#!/bin/so\n")


def empty(entry):
    (entry / "engine").write_bytes(b"")


def not_executable(entry):
    (entry / "engine").chmod(0o644)


def missing(entry):
    (entry / "engine").unlink()


def no_checksums(entry):
    (entry / "SHA256SUMS").unlink()


def strange_checksums(entry):
    (entry / "SHA256SUMS").write_bytes(b"\xff\n\n")


def more(entry):
    (entry / "another").write_text("")


def folder_for_file(entry):
    (entry / "engine").unlink()
    (entry / "engine").mkdir()


def file_for_entry(entry):
    shutil.rmtree(entry)
    entry.write_text("")


def link_to_nowhere(entry):
    shutil.rmtree(entry)
    entry.symlink_to("nowhere")


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        other_bits,
        empty,
        not_executable,
        missing,
        no_checksums,
        strange_checksums,
        more,
        folder_for_file,
        file_for_entry,
        link_to_nowhere,
    ],
)
def test_a_damaged_entry_is_told_and_made_again(models, program, damage, capsys):
    entry = models.add(NAME, [program])
    damage(entry)
    assert models.find(NAME) is None
    said = capsys.readouterr().err
    assert said.startswith(f"dorefa: {entry} was damaged") and said.count("\n") == 1
    assert models.find(NAME) is None and capsys.readouterr().err == ""
    models.add(NAME, [program])
    damage(entry)
    assert models.add(NAME, [program]) == entry == models.find(NAME)
    assert os.listdir(models.folder) == [NAME]


def test_writers_at_once_leave_one_whole_entry(models, program, tmp_path, capsys):
    def write(number):
        own = tmp_path / str(number) / "engine"
        own.parent.mkdir()
        own.write_text(f"#!/bin/sh\n{number}\n")
        return models.add(NAME, [own])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, range(40))) == {models.folder / NAME}
    assert models.find(NAME) is not None and os.listdir(models.folder) == [NAME]
    assert capsys.readouterr().err == ""


def test_an_entry_that_cannot_be_copied_leaves_nothing(models, tmp_path):
    with pytest.raises(MachineError, match="models: No such file or directory; accepted: XDG_CACHE_HOME"):
        models.add(NAME, [tmp_path / "nothing"])
    assert os.listdir(models.folder) == []


def test_where_caches_are(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_directory() == tmp_path / "dorefa"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_directory() == tmp_path / ".cache" / "dorefa"
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    with pytest.raises(
        MachineError, match="XDG_CACHE_HOME is 'here'; accepted: an absolute path, or no such"
    ):
        cache.cache_directory()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "here")
    with pytest.raises(MachineError, match="the home folder is 'here'; accepted: HOME or XDG_CACHE_HOME"):
        cache.cache_directory()


def test_a_cache_that_cannot_be_written_is_told_before_work(models, monkeypatch):
    models.check_writable(1)
    assert os.listdir(models.folder) == []
    monkeypatch.setattr(cache.os, "access", lambda path, mode: False)
    with pytest.raises(MachineError, match="programs cannot be run there"):
        models.check_writable(1)
    shutil.rmtree(models.folder)
    models.folder.write_text("")
    with pytest.raises(MachineError, match="models: Not a directory; accepted: XDG_CACHE_HOME"):
        models.check_writable(1)
    with pytest.raises(MachineError, match="models: File exists; accepted: XDG_CACHE_HOME"):
        cache.Cache("models")
