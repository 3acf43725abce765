"""`dorefa golden`: its files, its report, and every way its input can be wrong."""

import json
import os

import numpy as np
import pytest

from dorefa.golden import logits, lower, random_images, random_network, run_integer
from dorefa.golden.network import npz
from dorefa.golden.zoo.datasets import digits_sample


def test_files_hold_what_the_model_computes(dorefa, small, tmp_path):
    model, images, network = small
    outcome = dorefa(
        "golden",
        model,
        "--input",
        images,
        "--output",
        tmp_path / "y.npy",
        "--dump",
        tmp_path / "dump",
        "--logits",
        tmp_path / "l.npy",
        "--json",
        "-",
    )
    assert outcome.status == 0
    expected = run_integer(network, np.load(images))
    accumulators = np.load(tmp_path / "y.npy")
    assert accumulators.dtype == np.int64 and accumulators.shape == (5, network.classes)
    for name, codes in expected.items():
        dumped = np.load(tmp_path / "dump" / f"{name}.npy")
        assert dumped.dtype == codes.dtype
        np.testing.assert_array_equal(dumped, codes)
    np.testing.assert_array_equal(accumulators, expected[network.layers[-1].name])
    np.testing.assert_array_equal(np.load(tmp_path / "l.npy"), logits(network, accumulators))
    assert outcome.report["images"] == 5
    assert len(outcome.report["files"]) == 2 + len(network.layers)
    assert "accuracy" not in outcome.report


def test_more_images_than_one_batch(dorefa, tmp_path):
    images, labels = digits_sample()
    np.save(tmp_path / "x.npy", images[:150])
    np.save(tmp_path / "l.npy", labels[:150])
    outcome = dorefa(
        "golden",
        "digits",
        "--input",
        tmp_path / "x.npy",
        "--labels",
        tmp_path / "l.npy",
        "--output",
        tmp_path / "y.npy",
        "--json",
        tmp_path / "report.json",
    )
    assert outcome.status == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["accuracy"] >= 0.97
    assert f"accuracy {report['accuracy']:.4f}" in outcome.out
    assert len(np.load(tmp_path / "y.npy")) == 150


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.astype(np.float32), "dtype float32; accepted: uint8"),
        (lambda x: x[:, :-1], "accepted: (batch, "),
        (lambda x: x[0], "accepted: (batch, "),
        (lambda x: x[:0], "batch at least 1"),
    ],
)
def test_wrong_images(dorefa, small, change, message):
    model, path, _ = small
    np.save(path, change(np.load(path)))
    error = dorefa("golden", model, "--input", path).error
    assert error.startswith(f"{path}: ") and message in error


def test_dump_of_a_graph(dorefa, tmp_path):
    network = random_network(3, residual=True, conv_layers=3)
    images = random_images(network, 2, 1)
    npz.save(network, tmp_path / "net.npz")
    np.save(tmp_path / "x.npy", images)
    arguments = ("golden", tmp_path / "net.npz", "--input", tmp_path / "x.npy")
    outcome = dorefa(*arguments, "--dump", tmp_path / "dump", "--output", tmp_path / "y.npy")
    assert outcome.status == 0
    expected = run_integer(lower(network), images)
    assert any(name.endswith(".trunk") for name in expected)
    assert {path.stem for path in (tmp_path / "dump").iterdir()} == set(expected)
    for name, values in expected.items():
        dumped = np.load(tmp_path / "dump" / f"{name}.npy")
        assert dumped.dtype == values.dtype and np.array_equal(dumped, values)
    assert np.array_equal(np.load(tmp_path / "y.npy"), values)


def test_image_files_that_are_none(dorefa, small, tmp_path):
    model, path, _ = small
    accepted = "accepted: uint8 images (batch, height, width, channels) as .npy"

    def refused(path, problem):
        assert dorefa("golden", model, "--input", path).error == f"{path}: {problem}; {accepted}"

    refused(tmp_path / "none.npy", "cannot be read (No such file or directory)")
    path.write_bytes(b"JPEG")
    refused(path, "does not begin as .npy does but with b'JPEG'")
    np.save(path, np.array([{"code": 1}], dtype=object))
    refused(path, "is object, no number")
    refused(tmp_path, "cannot be read (Is a directory)")
    refused("/dev/zero", "is a device")
    with open(path, "wb") as file:
        np.savez(file, a=np.zeros(1), b=np.zeros(1))
    refused(path, r"does not begin as .npy does but with b'PK\x03\x04-\x00\x00\x00'")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(5), "labels are float64 of shape (5,); accepted: integers of shape (5,)"),
        (np.zeros((5, 1), int), "of shape (5, 1); accepted: integers of shape (5,)"),
        (np.zeros(4, int), "4 labels; accepted: 5, one per image"),
        (np.array([0, 0, 0, -1, 0]), "label -1; accepted: 0 to "),
        (np.array([0, 0, 0, 999, 0]), "label 999; accepted: 0 to "),
    ],
)
def test_wrong_labels(dorefa, small, tmp_path, labels, message):
    model, images, _ = small
    np.save(tmp_path / "labels.npy", labels)
    error = dorefa("golden", model, "--input", images, "--labels", tmp_path / "labels.npy").error
    assert message in error and "labels.npy" in error


def test_unwritable_outputs_are_refused_before_running(dorefa, small, tmp_path):
    model, images, _ = small
    for option in ("--output", "--logits", "--json"):
        error = dorefa("golden", model, "--input", images, option, tmp_path / "no" / "file").error
        assert "no/file: cannot be written" in error
    error = dorefa("golden", model, "--input", images, "--dump", images / "dump").error
    assert "no folder can be made here" in error


def test_models_that_are_none(dorefa, small, tmp_path):
    model, images, _ = small
    assert dorefa("golden", "net.onnx", "--input", images).error == (
        "net.onnx: cannot be read (No such file or directory); accepted: a QONNX file (.onnx)"
    )
    assert "zoo; known: digits" in dorefa("golden", "digit", "--input", images).error
    assert "none.npz" in dorefa("golden", tmp_path / "none.npz", "--input", images).error
    model.write_bytes(model.read_bytes()[:200])
    assert str(model) in dorefa("golden", model, "--input", images).error


def test_widths_belong_to_zoo_names(dorefa, small):
    model, images, _ = small
    error = dorefa("golden", model, "--input", images, "--net-w", 2).error
    assert error == f"--net-w 2 is for zoo names only; {model} has its own widths"


def test_width_out_of_range(dorefa, small):
    _, images, _ = small
    error = dorefa("golden", "digits", "--net-a", 9, "--input", images).error
    assert "net_a is 9" in error


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_folder_goes_again_where_another_output_has_no_room(dorefa, small, tmp_path):
    model, images, _ = small
    command = ("golden", model, "--input", images, "--dump", tmp_path / "a" / "b", "--output", "/dev/full")
    assert dorefa(*command).error.startswith(
        "/dev/full: cannot be written: No space left on device; accepted"
    )
    assert not (tmp_path / "a").exists()
