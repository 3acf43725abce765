"""bench/fuzz: a minute of it on every reader, and that it finds what it is for."""

import re
import resource
import runpy
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dorefa.golden import InputError

FUZZ = Path(__file__).parents[2] / "bench" / "fuzz"
TARGETS = (
    "npy",
    "idx",
    "idx-packed",
    "svhn",
    "svhn-packed",
    "cifar",
    "npz",
    "npz-members",
    "checkpoint-members",
    "onnx",
    "toml",
    "architecture",
    "json",
    "settings",
    "liberty",
)
LINE = r"{} +([\d,]+) inputs +([\d,]+) accepted +([\d,]+) refused .* 0 faults"

atheris = pytest.importorskip("atheris", reason="atheris has wheels for Linux on x86-64 only")


@pytest.fixture
def bench(monkeypatch):
    """Names of bench/fuzz/worker.py."""
    monkeypatch.syspath_prepend(FUZZ)
    return runpy.run_path(str(FUZZ / "worker.py"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(target, marks=[pytest.mark.sample] * (number % 3 == 0))
        for number, target in enumerate(TARGETS)
    ],
)
def test_readers_accept_or_refuse(target, seed, tmp_path):
    command = [sys.executable, FUZZ, target, "--seconds", "6", "--seed", str(seed), "--found", tmp_path]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    found = re.search(LINE.format(target), done.stdout)
    assert done.returncode == 0 and found, done.stdout
    inputs, accepted, refused = (int(number.replace(",", "")) for number in found.groups())
    assert inputs == accepted + refused and accepted > 0 and refused > 0


def test_every_reader_is_fuzzed(bench):
    assert tuple(bench["TARGETS"]) == TARGETS


def test_valid_files_to_begin_with_are_accepted(bench, tmp_path):
    for name, target in bench["TARGETS"].items():
        path = tmp_path / f"input{target.suffix}"
        accepted = 0
        for content in target.seeds():
            path.write_bytes(target.file(content))
            try:
                target.read(str(path))
            except InputError:
                continue
            accepted += 1
        assert accepted > 0, name


def refuse(text):
    raise InputError(text)


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (lambda path: {}[path], "KeyError in test_fuzz.py"),
        (lambda path: refuse("a\nb; accepted: c"), "message: 'a\\nb; accepted: c'"),
        (lambda path: refuse("wrong"), "message: 'wrong'"),
        (lambda path: refuse("x" * 3000 + "; accepted: c"), "message: 'xxxx"),
        (lambda path: time.sleep(0.02), "takes 0.0 s"),
    ],
)
def test_planted_faults_are_found(read, fault, bench, tmp_path, monkeypatch):
    monkeypatch.setitem(bench["Worker"].one.__globals__, "SECONDS", 0.02)
    target = replace(bench["TARGETS"]["npy"], read=read)
    worker = bench["Worker"]("planted", target, 60, tmp_path, tmp_path)
    worker.one(b"long")
    worker.one(b"s")
    ((text, path),) = worker.faults.values()
    assert text.startswith(fault)
    assert Path(path).read_bytes() == b"s"


@pytest.mark.slow
def test_planted_use_of_memory_is_found(bench, tmp_path):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    target = replace(bench["TARGETS"]["npy"], read=lambda path: (b"x" * (peak + (300 << 20))).count(b"y"))
    worker = bench["Worker"]("planted", target, 60, tmp_path, tmp_path)
    worker.one(b"long")
    assert [text[-4:] for text, _ in worker.faults.values()] == [" MiB"]
