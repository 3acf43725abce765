"""The commands of docs/guide.md, run as they stand there; the training of it on request."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dorefa.golden.onnx import importer

GUIDE = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
# What the guide's script wrote, without the exporter's notes on its machine.
FILES = Path(__file__).parent / "guide"


def blocks(language):
    """The code blocks of the guide in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def commands():
    return [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of the files, as the working directory."""
    for path in FILES.iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_verbs_of_the_guide():
    assert [command[:2] for command in commands()] == [
        ["dorefa", verb] for verb in ("golden", "check", "simulate", "generate", "build")
    ]


def test_commands(dorefa, folder):
    """All but the bitstream, which takes a minute."""
    outputs = {}
    for _, verb, *arguments in commands():
        if verb != "build":
            outcome = dorefa(verb, *arguments)
            assert outcome.status == 0, outcome
            outputs[verb] = outcome.out
    accuracy = re.search(r"This prints `(accuracy [0-9.]+)` on (\d+) images", GUIDE)
    assert accuracy[1] in outputs["golden"] and f"{accuracy[2]} images" in outputs["golden"]
    assert float(accuracy[1].split()[1]) > 0.9
    scores = np.load("scores.npy")
    assert scores.dtype == np.float64 and scores.shape == (int(accuracy[2]), 10)
    names = [layer.name for layer in importer.load("digits8.onnx").layers]
    assert all(f"\n{name} " in outputs["check"] for name in names)
    assert "50 images in " in outputs["simulate"] and "bit-exact: yes" in outputs["simulate"]
    assert "module dorefa_engine(" in (folder / "engine" / "engine.v").read_text()


@pytest.mark.slow
def test_bitstream(dorefa, folder):
    (build,) = [command[1:] for command in commands() if command[1] == "build"]
    outcome = dorefa(*build)
    assert outcome.status == 0, outcome
    assert (folder / "ulx3s" / "ulx3s_25f.bit").stat().st_size > 10_000
    # The guide's figures are those that are printed.
    cells, clock = re.search(
        r"([\d,]+ logic cells, \d+ block RAMs), at most ([\d.]+) MHz", outcome.out
    ).groups()
    rate = re.search(r"([\d,.]+) images a second at the fastest clock", outcome.out)[1]
    line = re.search(r"baud carries ([\d,.]+) images a second", outcome.out)[1]
    said = " ".join(GUIDE.split())
    assert f"takes {cells.replace(', ', ' and ')} and reaches {clock} MHz: {rate} images a second" in said
    assert f"{line} through the serial line" in said


@pytest.mark.slow
def test_training(dorefa, tmp_path, monkeypatch):
    """The script as it is, then the guide's first command on what it wrote."""
    for package in ("torch", "brevitas", "onnxoptimizer", "onnxscript", "sklearn"):
        pytest.importorskip(package, reason=f"{package} is not installed (1.1 GB, not in the lock)")
    monkeypatch.chdir(tmp_path)
    (script,) = blocks("python")
    assert len(script.splitlines()) <= 32
    Path("train.py").write_text(script)
    subprocess.run([sys.executable, "train.py"], check=True, timeout=1800)
    Path("digits8.onnx.data").unlink(missing_ok=True)
    outcome = dorefa(*commands()[0][1:])
    assert outcome.status == 0, outcome
    assert float(re.search(r"accuracy ([0-9.]+)", outcome.out)[1]) > 0.85
