"""`dorefa export` and `dorefa train -o FILE.onnx`, and the verbs that read what they write."""

import sys

import numpy as np
import pytest

from dorefa.golden import logits, lower, random_images, run_integer
from dorefa.golden.network import npz
from dorefa.golden.onnx import export, importer
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample


@pytest.fixture
def digits(dorefa, tmp_path):
    path = tmp_path / "digits.onnx"
    outcome = dorefa("export", "digits-small", "--seed", 3, "-o", path, "--json", "-")
    assert outcome.status == 0, outcome
    assert outcome.report == {"network": "digits-small", "files": [str(path)]}
    return path


def test_golden_gives_the_same_files(dorefa, digits, tmp_path):
    np.save(tmp_path / "x.npy", digits_sample()[0][:20])
    results = []
    for model in ((digits,), ("digits-small", "--seed", 3)):
        outcome = dorefa(
            "golden",
            *model,
            "--input",
            tmp_path / "x.npy",
            "--output",
            tmp_path / "y.npy",
            "--logits",
            tmp_path / "l.npy",
        )
        assert outcome.status == 0, outcome
        results.append([np.load(tmp_path / name) for name in ("y.npy", "l.npy")])
    for first, second in zip(*results, strict=True):
        assert first.dtype == second.dtype and np.array_equal(first, second)


def test_simulate_gives_the_logits(dorefa, digits, tmp_path, seed):
    network = lower(catalog.load("digits-small", seed=3))
    images = random_images(network, 2, seed)
    np.save(tmp_path / "x.npy", images)
    outcome = dorefa(
        "simulate",
        digits,
        "--input",
        tmp_path / "x.npy",
        "--output",
        tmp_path / "y.npy",
        "--logits",
        tmp_path / "l.npy",
        "--lanes",
        64,
        "--rows",
        16,
        "--json",
        "-",
    )
    assert outcome.status == 0 and outcome.report["bit_exact"], outcome
    sums = run_integer(network, images)["fc1"]
    assert np.array_equal(np.load(tmp_path / "y.npy"), sums)
    assert np.array_equal(np.load(tmp_path / "l.npy"), logits(network, sums))
    assert [layer["name"] for layer in outcome.report["layers"]] == ["conv0", "conv1", "conv2", "fc1"]


def test_a_network_from_a_file(dorefa, small, tmp_path):
    model, images, network = small
    assert dorefa("export", model, "-o", tmp_path / "small.onnx").status == 0
    images = np.load(images)
    found = run_integer(importer.load(tmp_path / "small.onnx"), images)
    for name, codes in run_integer(network, images).items():
        assert np.array_equal(codes, found[name]), name


def test_train_writes_qonnx(dorefa, few_digits, tmp_path):
    for name in ("t.npz", "t.onnx"):
        outcome = dorefa(
            "train", "digits-small", "-o", tmp_path / name, "--data", few_digits, "--epochs", 1, "--batch", 32
        )
        assert outcome.status == 0, outcome
        assert f"wrote {tmp_path / name}" in outcome.out
    export.save(npz.load(tmp_path / "t.npz"), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (tmp_path / "t.onnx").read_bytes()


def test_refusals_write_nothing(dorefa, digits, few_digits, tmp_path, monkeypatch):
    before = sorted(tmp_path.iterdir())
    output = tmp_path / "again.onnx"
    error = dorefa("export", digits, "-o", output).error
    assert error == f"{digits} is a QONNX file already; accepted: a .npz network or a zoo name"
    error = dorefa("export", "digits", "-o", tmp_path / "net.pb").error
    assert error == f"--output is {tmp_path / 'net.pb'}; accepted: a name ending in .onnx"
    assert "is no folder" in dorefa("export", "digits", "-o", tmp_path / "no" / "net.onnx").error
    assert "known: digits" in dorefa("export", "lenet", "-o", output).error
    monkeypatch.setitem(sys.modules, "onnx", None)
    message = (
        f"{output}: writing it needs the package onnx, which is not installed; "
        "accepted: after `pip install dorefa[onnx]`"
    )
    assert dorefa("export", "digits", "-o", output).error == message
    assert dorefa("train", "digits", "-o", output, "--data", few_digits).error == message
    assert sorted(tmp_path.iterdir()) == before
