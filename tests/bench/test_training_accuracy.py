"""bench/training_accuracy.py on a folder of few images: every row is trained, and none twice."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from dorefa.golden.zoo.datasets import digits_sample

from ..data_support import write_idx

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """run(*arguments): the lines that are printed for two steps of training, with the results in a file."""
    images, labels = digits_sample()
    monkeypatch.syspath_prepend(str(BENCH))
    bench = importlib.import_module("training_accuracy")
    write_idx(tmp_path / "data", (images[:96, ..., 0], labels[:96], images[96:120, ..., 0], labels[96:120]))

    def printed(*arguments):
        files = ["--data", tmp_path / "data", "--results", tmp_path / "runs"]
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, files), "--epochs", "1", *arguments])
        bench.main()
        return capsys.readouterr().out.splitlines()

    return printed


@pytest.mark.parametrize(
    ("table", "rows"),
    [("scale", 6), pytest.param("widths", 11, marks=[pytest.mark.slow, pytest.mark.sample])],
)
def test_a_row_of_every_kind(table, rows, run, tmp_path):
    first = run("--table", table, "--seeds", "3")
    runs = [json.loads(line) for line in (tmp_path / "runs").read_text().splitlines()]
    assert len({entry["row"] for entry in runs}) == len(runs) == rows
    # One maximum for a batch, other scales, no noise: every row trains otherwise.
    assert len({entry["parameters_sha256"] for entry in runs}) == rows
    assert first[:rows] == [f"{entry['row']}, seed 3: {100 * entry['accuracy']:.2f} %" for entry in runs]
    again = run("--table", table, "--seeds", "3")
    assert again == first[rows:] and len((tmp_path / "runs").read_text().splitlines()) == rows
    assert [line.split(" | ")[0] for line in again[-rows:]] == [f"| {entry['row']}" for entry in runs]
