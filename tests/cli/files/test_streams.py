"""dorefa.cli.common.streams: full, closed and abandoned standard streams, of every verb."""

import io
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from dorefa.cli import main
from dorefa.cli.common import streams

FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")


class Stream(io.TextIOWrapper):
    """A text stream into the descriptor of `file`, as the interpreter makes it."""

    def __init__(self, file):
        super().__init__(file, encoding="utf-8")


@contextmanager
def streams_of(monkeypatch, stdout):
    """Standard output goes to the binary file `stdout`; yields what standard error gets. Not a fixture:
    between those and the test pytest has streams of its own."""
    errors = io.StringIO()
    with Stream(stdout) as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "stderr", errors)
        yield errors
        # The interpreter closes the stream too, and would fail to write what is left.


def full(monkeypatch):
    return streams_of(monkeypatch, open("/dev/full", "wb"))


def command(*arguments):
    return streams.guarded(lambda: main.main([str(argument) for argument in arguments]))


FULL_LINE = (
    "dorefa: standard output: cannot be written: No space left on device; "
    "accepted: a file or pipe with room\n"
)


@FULL
@pytest.mark.parametrize("verb", main.VERBS)
def test_help_of_a_verb_does_not_fit(verb, monkeypatch):
    with full(monkeypatch) as errors:
        assert command(verb, "--help") == 1
    assert errors.getvalue() == FULL_LINE


@FULL
@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("zoo",), ("zoo", "--json", "-"), ("check", "digits-small", "--json", "-")],
)
def test_standard_output_is_full(arguments, monkeypatch):
    with full(monkeypatch) as errors:
        assert command(*arguments) == 1
    lines = errors.getvalue().splitlines(keepends=True)
    assert lines[-1] == FULL_LINE and len([line for line in lines if line.startswith("dorefa: ")]) == 1


@FULL
def test_files_are_there_when_standard_output_is_full(monkeypatch, small, tmp_path):
    model, images, _ = small
    with full(monkeypatch) as errors:
        assert command("golden", model, "--input", images, "--output", tmp_path / "y.npy") == 1
    assert errors.getvalue() == FULL_LINE and (tmp_path / "y.npy").exists()


@FULL
def test_another_status_stays(monkeypatch):
    with full(monkeypatch) as errors:
        assert command("fly") == 2
    assert "usage: dorefa" in errors.getvalue()
    with full(monkeypatch) as errors:
        assert command("zoo", "nothing") == 1
    assert errors.getvalue().count("\n") == 1 and "nothing" in errors.getvalue()


def test_closed_standard_output_is_said_before_the_work(monkeypatch):
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", errors)
    assert streams.guarded(lambda: pytest.fail("the work began")) == 1
    assert errors.getvalue() == "dorefa: standard output is closed; accepted: an open one, as >/dev/null\n"


def test_a_descriptor_for_reading(monkeypatch, tmp_path):
    with streams_of(monkeypatch, open(tmp_path / "y", "wb")) as errors:
        read_only = os.open(os.devnull, os.O_RDONLY)
        os.dup2(read_only, sys.stdout.fileno())
        os.close(read_only)
        assert command("--version") == 1
    assert errors.getvalue().startswith("dorefa: standard output: cannot be written: Bad file descriptor;")


@pytest.mark.parametrize("arguments", [("--help",), ("zoo", "--table"), ("zoo", "--json", "-")])
def test_a_reader_that_left_is_no_error(arguments, monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with streams_of(monkeypatch, open(write, "wb")) as errors:
        assert command(*arguments) == 0
    assert "dorefa: " not in errors.getvalue()


@pytest.mark.parametrize("stream", [None, pytest.param("/dev/full", marks=FULL)])
@pytest.mark.parametrize(
    ("arguments", "status"), [(("zoo", "digits", "--json", "-"), 0), (("zoo", "nothing"), 1), (("fly",), 2)]
)
def test_standard_error_that_takes_nothing(arguments, status, stream, monkeypatch, capsys):
    """Text for a person is dropped, the report and the status are as ever."""
    with Stream(open(stream or os.devnull, "wb")) as errors, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", errors if stream else None)
        assert command(*arguments) == status
    assert capsys.readouterr().out.startswith("{" if status == 0 else "")


def test_names_that_are_no_text(monkeypatch, small, tmp_path):
    model, images, _ = small
    name = os.fsencode(tmp_path) + b"/\xff.npy"
    with streams_of(monkeypatch, open(tmp_path / "out", "wb")):
        assert command("golden", model, "--input", images, "--output", os.fsdecode(name)) == 0
    assert rb"\udcff.npy" in (tmp_path / "out").read_bytes() and os.path.exists(name)


def shell(line):
    """The outcome of a line of shell, with the real streams of a process: (status, output, errors)."""
    command = f'dorefa() {{ "{sys.executable}" -m dorefa.cli "$@"; }}\n{line}'
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@FULL
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dorefa --version >/dev/full", (1, "", FULL_LINE)),
        (
            "dorefa --version >&-",
            (1, "", "dorefa: standard output is closed; accepted: an open one, as >/dev/null\n"),
        ),
        ("dorefa fly 2>&-", (2, "", "")),
        ("dorefa zoo nothing 2>/dev/full", (1, "", "")),
        ("dorefa zoo nothing <&- >&- 2>&-", (1, "", "")),
    ],
)
def test_a_process_ends_without_another_word(line, expected):
    """Not even when the interpreter closes its streams."""
    assert shell(line) == expected
