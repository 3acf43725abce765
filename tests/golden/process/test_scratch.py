"""dorefa.golden.process.scratch: temporary folders go with their block, their process, or a later one."""

import errno
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dorefa.golden import leftovers
from dorefa.golden.errors import MachineError
from dorefa.golden.process import child, scratch


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """A process without a temporary folder yet, which is going to be below this one."""
    monkeypatch.setattr(scratch, "_root", None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(leftovers, "unfinished", set())
    monkeypatch.setattr(scratch, "unfinished", leftovers.unfinished)
    return tmp_path


def test_a_folder_is_gone_after_its_block(fresh):
    with scratch.scratch_folder() as folder:
        (folder / "file").write_text("")
        assert folder.parent == scratch.scratch_root() and folder.parent.parent == fresh
    assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), scratch.scratch_folder() as folder:
        raise KeyboardInterrupt
    assert not folder.exists()


def test_a_relative_folder_is_found_from_elsewhere(fresh, monkeypatch):
    """Workers are told TMPDIR=., and run programs that they make in other folders."""
    monkeypatch.chdir(fresh)
    monkeypatch.setattr(tempfile, "tempdir", ".")
    with scratch.scratch_folder() as folder:
        program = folder / "program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        assert child.run([str(program)], folder=folder)[0] == 0


@pytest.mark.parametrize(
    "number, accepted",
    [
        (errno.ENOSPC, "TMPDIR naming a writable folder with space"),
        (errno.EFBIG, r"larger files \(ulimit -f\)"),
    ],
)
def test_a_full_disk_is_one_line(fresh, number, accepted):
    with pytest.raises(MachineError, match=f"; accepted: {accepted}$"):
        with scratch.scratch_folder():
            raise OSError(number, "full")
    with pytest.raises(PermissionError), scratch.scratch_folder():
        raise PermissionError(errno.EACCES, "something else")


def test_no_place_at_all_is_one_line(fresh, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(fresh / "nothing"))
    with pytest.raises(
        MachineError, match="no temporary folder: No such file or directory; accepted: TMPDIR"
    ):
        scratch.scratch_root()


def test_a_disk_without_space_is_told(fresh, monkeypatch):
    scratch.check_space(fresh)
    monkeypatch.setattr(scratch.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 0}))
    with pytest.raises(MachineError, match=f"{fresh}: no space left on its disk; accepted: TMPDIR"):
        scratch.check_space(fresh)


def _process(folder, end):
    program = f"from dorefa.golden.process import scratch\nprint(scratch.scratch_root(), flush=True)\n{end}"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={"TMPDIR": str(folder)}
        | {name: value for name, value in scratch.os.environ.items() if name != "TMPDIR"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, Path(process.stdout.readline().strip())


def test_the_folder_goes_with_the_process_or_after_it(fresh):
    process, killed = _process(fresh, "input()")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process, ended = _process(fresh, "")
    process.communicate()
    assert not ended.exists() and not killed.exists(), "the second process removes what the first one left"
    process, working = _process(fresh, "input()")
    other = fresh / "dorefa-other"
    other.mkdir()
    own = scratch.scratch_root()
    assert own.is_dir() and working.is_dir() and other.is_dir()
    process.communicate("\n")


def test_what_is_registered_goes_when_the_process_is_ended(fresh):
    with scratch.scratch_folder() as folder:
        (folder / "deep").mkdir()
        unfinished, inner = fresh / "file", fresh / "made" / "inner"
        unfinished.write_text("")
        inner.mkdir(parents=True)
        kept = fresh / "kept"
        kept.mkdir()
        (kept / "output").write_text("")
        leftovers.unfinished.update({unfinished, fresh / "never made"})
        leftovers.made_folders.update({inner, inner.parent, kept})
        leftovers.remove_leftovers()
    leftovers.made_folders.difference_update({inner, inner.parent, kept})
    assert [path.name for path in fresh.iterdir()] == ["kept"]
