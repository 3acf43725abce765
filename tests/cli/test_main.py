"""dorefa.cli.main: exit statuses, help, and what happens to errors of every kind."""

import os
import subprocess
import sys

import pytest

from dorefa.cli import main, zoo


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_has_help_with_an_example(dorefa, verb):
    outcome = dorefa(verb, "--help")
    assert outcome.status == 0 and outcome.err == ""
    assert f"example:\n  dorefa {verb}" in outcome.out
    assert "--json" in outcome.out


def test_help_lists_the_verbs(dorefa):
    outcome = dorefa("--help")
    assert outcome.status == 0
    for verb, module in main.VERBS.items():
        assert verb in outcome.out and module.SUMMARY in " ".join(outcome.out.split())


def test_version(dorefa):
    assert dorefa("--version").out.startswith("dorefa 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("golden",),
        ("golden", "digits"),
        ("generate",),
        ("synth", "--target", "pdp11"),
        ("check", "digits", "--lanes", "many"),
        ("check", "digits", "--net-size", "28"),
        ("train",),
        ("zoo", "--tab"),
    ],
)
def test_wrong_usage_is_status_2(dorefa, arguments):
    outcome = dorefa(*arguments)
    assert outcome.status == 2
    assert outcome.err.startswith("usage: dorefa") and outcome.out == ""


def _raising(error):
    def run(args):
        raise error

    return run


def test_bug_is_status_3_with_traceback(dorefa, monkeypatch):
    monkeypatch.setattr(zoo, "run", _raising(KeyError("surprise")))
    outcome = dorefa("zoo")
    assert outcome.status == 3
    assert "Traceback" in outcome.err and "KeyError: 'surprise'" in outcome.err
    assert "please report it" in outcome.err


def test_interruption_is_status_130_without_traceback(dorefa, monkeypatch):
    monkeypatch.setattr(zoo, "run", _raising(KeyboardInterrupt()))
    outcome = dorefa("zoo")
    assert (outcome.status, outcome.err) == (130, "dorefa: interrupted\n")


def test_system_error_with_a_file_is_one_line(dorefa, monkeypatch):
    monkeypatch.setattr(zoo, "run", _raising(OSError(28, "No space left on device", "/x/y")))
    assert dorefa("zoo").error == "/x/y: No space left on device"


def test_system_error_without_a_file_is_a_bug(dorefa, monkeypatch):
    monkeypatch.setattr(zoo, "run", _raising(OSError("strange")))
    assert dorefa("zoo").status == 3


def test_message_of_several_lines_becomes_one(dorefa, monkeypatch):
    monkeypatch.setattr(zoo, "run", _raising(main.InputError("first\n  second")))
    assert dorefa("zoo").error == "first second"


def _process(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "dorefa.cli", *arguments], capture_output=True, text=True, **options
    )


def test_module_runs_and_passes_the_status_on():
    assert _process("zoo").returncode == 0
    refused = _process("zoo", "nothing")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1 and "nothing" in refused.stderr
    assert _process("fly").returncode == 2


def test_installed_script_exists():
    script = os.path.join(os.path.dirname(sys.executable), "dorefa")
    done = subprocess.run([script, "zoo"], capture_output=True, text=True)
    assert done.returncode == 0 and "digits" in done.stdout


def test_reader_that_leaves_early_is_no_error():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "dorefa.cli", "zoo", "--table"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr) == (0, "")
