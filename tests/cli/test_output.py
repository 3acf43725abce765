"""dorefa.cli.output: whole files or none, tables, reports, progress."""

import io
import json
import os

import numpy as np
import pytest

from dorefa.cli import output
from dorefa.golden.errors import InputError


def test_new_file_replaces_only_when_whole(tmp_path):
    path = tmp_path / "result"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), output.new_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["result"]
    with output.new_file(path) as file:
        file.write(b"after")
    assert path.read_text() == "after"
    assert os.listdir(tmp_path) == ["result"]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none/y\.npy: cannot be written: .*none is no folder"):
        output.write_array(tmp_path / "none" / "y.npy", np.zeros(1))


def test_folder_instead_of_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="it is a folder; accepted: a file name"):
        output.require_writable(tmp_path)


def test_folder_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(output.os, "access", lambda *_: False)
    with pytest.raises(InputError, match="no permission to write in"):
        output.require_writable(tmp_path / "y.npy")


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/new: no folder can be made here: Not a directory"):
        output.make_folder(tmp_path / "file" / "new")


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt])
def test_new_folders_go_again_with_an_error(error, tmp_path):
    """The ones that it made; not what was there, nor what something was written to."""
    (tmp_path / "there").mkdir()
    for name in ("a/b", "there/c", "there"):
        with pytest.raises(error):
            with output.new_folder(tmp_path / name) as folder:
                assert folder.is_dir()
                raise error("refused")
        assert [path.name for path in tmp_path.rglob("*")] == ["there"]
    with pytest.raises(InputError, match="File name too long"):
        with output.new_folder(tmp_path / "parent" / ("x" * 300)):
            pass
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]
    with pytest.raises(error):
        with output.new_folder(tmp_path / "d" / "e") as folder:
            (folder / "file").write_text("")
            raise error("late")
    assert (tmp_path / "d" / "e" / "file").exists()
    with output.new_folder(tmp_path / "f"):
        pass
    assert (tmp_path / "f").is_dir()


def test_disk_error_while_writing_is_one_line(tmp_path):
    with pytest.raises(InputError, match="y: cannot be written: No space left"):
        with output.new_file(tmp_path / "y"):
            raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


def test_table():
    text = output.format_table(
        ["layer", "cycles", "ok", "part"],
        [["conv0", 1234, True, 0.5], ["fc", np.int64(7), False, None]],
    )
    assert text == (
        "layer  cycles  ok    part\n"
        "-----  ------  ---  -----\n"
        "conv0   1,234  yes  0.500\n"
        "fc          7  no       -"
    )


def test_report_to_standard_output_is_alone_there(capsys):
    out = output.Output("-")
    out.say("for a person")
    out.report({"count": np.int64(3), "share": np.float64(0.5)})
    written = capsys.readouterr()
    assert json.loads(written.out) == {"count": 3, "share": 0.5}
    assert written.err == "for a person\n"


def test_report_to_a_file(tmp_path, capsys):
    out = output.Output(str(tmp_path / "r.json"))
    out.say("for a person")
    out.report({"files": [tmp_path / "x"]})
    assert json.loads((tmp_path / "r.json").read_text()) == {"files": [str(tmp_path / "x")]}
    assert capsys.readouterr().out == "for a person\n"


def test_report_of_something_strange_is_a_bug(capsys):
    with pytest.raises(TypeError, match="set does not belong in a report"):
        output.Output("-").report({"x": {1}})


def test_unwritable_report_is_refused_before_the_work(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        output.Output(str(tmp_path / "none" / "r.json"))


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_drawn_on_a_terminal_and_removed(monkeypatch):
    monkeypatch.setattr(output.sys, "stderr", _Terminal())
    with output.Progress("work", 4) as progress:
        progress.update(4, note="done")
    drawn = output.sys.stderr.getvalue()
    assert f"work [{'.' * 30}] 0/4" in drawn
    assert f"work [{'#' * 30}] 4/4 done" in drawn
    assert drawn.endswith("\r\x1b[K")


def test_progress_is_silent_elsewhere(monkeypatch):
    monkeypatch.setattr(output.sys, "stderr", io.StringIO())
    with output.Progress("work", 4) as progress:
        progress.update(4)
    assert output.sys.stderr.getvalue() == ""
