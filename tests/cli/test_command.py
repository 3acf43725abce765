"""dorefa.cli.command: what becomes of the process when it is interrupted."""

import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "interrupts.py"


def interrupted(folder, program, number=signal.SIGINT, times=1):
    """(status, standard error) of the command whose verb `zoo` is `program`, interrupted when it says so."""
    program = f"import time\nfrom dorefa.cli import command, zoo\n{program}\nzoo.run = run\ncommand.command()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "zoo"],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # As from a terminal, wherever the tests run; under nohup SIGHUP is ignored.
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in {signal.SIGINT, number}],
    )
    process.stdout.readline()
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.001)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


WAIT = """
def run(args):
    print(flush=True)
    time.sleep(60)
"""
SWALLOW = """
def run(args):
    print(flush=True)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
"""
WORK = """
import subprocess
from pathlib import Path
from dorefa.cli.common.output import make_folder
from dorefa.golden import files
from dorefa.golden.process import child, scratch
def run(args):
    folder = make_folder("made/here")
    with files._beside(str(folder / "output")) as (_, file), scratch.scratch_folder() as place:
        file.write(b"half")
        with child.started(["sh", "-c", "echo; sleep 600"], folder=place, stdout=subprocess.PIPE) as process:
            print(process.stdout.readline(), flush=True)
            process.wait()
"""


@pytest.mark.parametrize("program", [WAIT, SWALLOW, WORK], ids=["waits", "swallows", "works"])
def test_an_interruption_is_status_130_one_line_and_leaves_nothing(tmp_path, program):
    assert interrupted(tmp_path, program) == (130, "dorefa: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_interrupted_twice(tmp_path):
    assert interrupted(tmp_path, WORK, times=2) == (130, "dorefa: interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_ends_are_tidy_too(tmp_path, number):
    assert interrupted(tmp_path, WORK, number) == (128 + number, "dorefa: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_what_the_caller_ignores_is_ignored(tmp_path):
    program = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ndef run(args):\n"
    program += "    print(flush=True)\n    time.sleep(0.5)\n    return 0\n"
    assert interrupted(tmp_path, program) == (0, "")


def test_the_demo_is_a_command_like_the_verbs(tmp_path):
    command = [sys.executable, "-m", "dorefa.cli.demo", "--output"]
    refused = subprocess.run(
        [*command, tmp_path / "a\nb" / "\x7f" / ("n" * 256)], capture_output=True, text=True
    )
    assert refused.returncode == 1 and len(refused.stderr.splitlines()) == 1
    assert refused.stderr.startswith("dorefa: ") and "no folder can be made here" in refused.stderr
    assert list(tmp_path.iterdir()) == []
    process = subprocess.Popen(
        [*command, tmp_path / "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "dorefa: interrupted\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.sample
def test_a_sample_of_the_campaign(capsys, monkeypatch, seed):
    monkeypatch.setattr(
        sys, "argv", [str(BENCH), "--count", "6", "--seed", str(seed), "--verbs", "generate,synth,train"]
    )
    handler = signal.getsignal(signal.SIGINT)
    try:
        status = runpy.run_path(str(BENCH))["main"]()
    finally:
        signal.signal(signal.SIGINT, handler)
    assert status == 0, capsys.readouterr().out
