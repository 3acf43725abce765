"""dorefa.cli.common.output: the names of a command's files, tables, reports, progress."""

import io
import json
import os

import numpy as np
import pytest

from dorefa.cli.common import output
from dorefa.golden.errors import InputError


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/new: no folder can be made here: Not a directory"):
        output.make_folder(tmp_path / "file" / "new")


def test_names_that_no_folder_can_have():
    for name in ("", "a\0b"):
        with pytest.raises(InputError, match="is no name of a folder; accepted: "):
            output.make_folder(name)


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


def names_of(tmp_path):
    """One file under several names, and names of it before it is there."""
    (tmp_path / "y").touch()
    os.link(tmp_path / "y", tmp_path / "hard")
    (tmp_path / "link").symlink_to("y")
    (tmp_path / "dangling").symlink_to("new")
    (tmp_path / "folder").symlink_to(tmp_path)
    return [
        ("y", "y"),
        ("y", "./y"),
        ("y", "folder/y"),
        ("y", "hard"),
        ("link", "hard"),
        ("dangling", "new"),
        ("new", "folder/new"),
    ]


def test_two_outputs_are_two_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for one, other in names_of(tmp_path):
        with pytest.raises(InputError, match=f"{other}: is both --output and --logits; accepted: a file for"):
            output.Output(outputs={"--output": one, "--logits": other})
        with pytest.raises(InputError, match=f"{other}: is both --json and --output"):
            output.Output(one, outputs={"--output": other})
        with pytest.raises(InputError, match=f"{other}: is both --dump and --dump"):
            output.Output().claim(outputs={"--dump": [one, "x", other]})
    output.Output("a", outputs={"--output": "b", "--logits": None})
    assert sorted(os.listdir(tmp_path)) == ["dangling", "folder", "hard", "link", "y"]


def test_an_output_is_no_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for one, other in names_of(tmp_path)[:5]:
        with pytest.raises(InputError, match=f"{other}: is both --input and --output"):
            output.Output(inputs={"--input": one}, outputs={"--output": other})
        with pytest.raises(InputError, match=f"{other}: is both --json and MODEL"):
            output.Output(one, inputs={"MODEL": other})
        # Read twice.
        output.Output(inputs={"--input": one, "--labels": other})
    # What is not there is the reader's to refuse.
    output.Output(inputs={"--input": "none"}, outputs={"--output": "none"})


def test_devices_that_keep_nothing_have_no_name():
    output.Output("/dev/null", outputs={"--output": "/dev/null", "--dump": ["/dev/null", "/dev/null"]})


def test_standard_output_is_one_file(tmp_path, monkeypatch, capfd):
    """Whether it is a pipe, a plain file or a terminal; what is said goes elsewhere then."""
    monkeypatch.chdir(tmp_path)
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        with pytest.raises(InputError, match="is both --json and --output"):
            output.Output("-", outputs={"--output": name})
        with pytest.raises(InputError, match="is both --output and --logits"):
            output.Output(outputs={"--output": "/dev/stdout", "--logits": name})
        capfd.readouterr()
        out = output.Output(outputs={"--output": name})
        out.say("for a person")
        assert capfd.readouterr() == ("", "for a person\n")
    os.mkfifo("fifo")
    with pytest.raises(InputError, match="is both --output and --logits"):
        output.Output(outputs={"--output": "fifo", "--logits": "fifo"})


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


def test_progress_tells_the_time_that_is_left(monkeypatch):
    monkeypatch.setattr(output.sys, "stderr", _Terminal())
    now = [100.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    shown = []
    with output.Progress("work", 5000) as progress:
        # The first 1,000 were done before; then four a second.
        for done, passed in ((1000, 7), (1001, 0.25), (1005, 1), (4000, 748.75), (4996, 249), (5000, 1)):
            now[0] += passed
            output.sys.stderr.truncate(0)
            progress.update(done)
            shown.append(output.sys.stderr.getvalue().partition("] ")[2])
    assert shown == [
        "1000/5000 ",
        "1001/5000 16:40 left ",
        "1005/5000 16:39 left ",
        "4000/5000 4:10 left ",
        "4996/5000 0:01 left ",
        "5000/5000 ",
    ]
    with output.Progress("work", 50000) as progress:
        for _ in range(2):
            now[0] += 0.25
            progress.update(1 + _)
    assert "2/50000 3:28:20 left" in output.sys.stderr.getvalue()


def test_progress_is_silent_elsewhere(monkeypatch):
    monkeypatch.setattr(output.sys, "stderr", io.StringIO())
    with output.Progress("work", 4) as progress:
        progress.update(4)
    assert output.sys.stderr.getvalue() == ""
