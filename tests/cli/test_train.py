"""`dorefa train`: options, reports, refusals, checkpoints and backends."""

import numpy as np
import pytest

from dorefa.golden.network import npz
from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.zoo.datasets import digits_sample

from ..data_support import random_arrays, write_arrays


def test_train_writes_a_network_that_golden_runs(dorefa, few_digits, tmp_path):
    trained = tmp_path / "trained.npz"
    outcome = dorefa(
        "train",
        "digits",
        "-o",
        trained,
        "--net-w",
        1,
        "--net-a",
        3,
        "--net-g",
        4,
        "--epochs",
        1,
        "--data",
        few_digits,
        "--json",
        "-",
    )
    assert outcome.status == 0
    assert len(outcome.report["history"]) == 1
    network = npz.load(trained)
    assert [layer.a_bits for layer in network.layers[:-1]] == [3] * 5
    images, labels = digits_sample()
    np.save(tmp_path / "x.npy", images[128:192])
    np.save(tmp_path / "l.npy", labels[128:192])
    again = dorefa(
        "golden",
        trained,
        "--input",
        tmp_path / "x.npy",
        "--labels",
        tmp_path / "l.npy",
        "--json",
        "-",
    )
    assert again.report["accuracy"] == outcome.report["accuracy"]


def test_train_refusals(dorefa, few_digits, tmp_path):
    output = tmp_path / "t.npz"
    assert "--data is missing" in dorefa("train", "digits", "-o", output).error
    assert "No such file or directory" in dorefa("train", "digits", "-o", output, "--data", "nowhere").error
    assert "known: digits" in dorefa("train", "lenet", "-o", output, "--data", few_digits).error
    error = dorefa("train", "digits", "-o", tmp_path / "t.pt", "--data", few_digits).error
    assert error == f"--output is {tmp_path / 't.pt'}; accepted: a name ending in .npz or .onnx"
    error = dorefa("train", "digits", "-o", output, "--data", few_digits, "--net-g", 0).error
    assert "g_bits" in error
    error = dorefa("train", "digits", "-o", tmp_path / "no" / "t.npz", "--data", few_digits).error
    assert "cannot be written" in error
    (few_digits / "t10k-labels-idx1-ubyte.gz").unlink()
    error = dorefa("train", "digits", "-o", output, "--data", few_digits).error
    assert "t10k-labels-idx1-ubyte" in error
    assert not output.exists()


@pytest.fixture
def short(dorefa, few_digits):
    """Runs some steps of digits-small on batches of 32, four to an epoch; further options may follow."""

    def run(*options):
        return dorefa(
            "train",
            "digits-small",
            "--data",
            few_digits,
            "--batch",
            32,
            "--epochs",
            2,
            *options,
            "--json",
            "-",
        )

    return run


def test_a_resumed_training_is_the_uninterrupted_one(short, tmp_path):
    whole = short("-o", tmp_path / "whole.npz").report
    assert len(whole["losses"]) == 8 and whole["backend"] == "golden"
    checkpoint = tmp_path / "c"
    part = short("--steps", 3, "--checkpoint", checkpoint).report
    assert part["files"] == [str(checkpoint)] and part["losses"] == whole["losses"][:3]
    outcome = short("--resume", checkpoint, "--checkpoint", checkpoint, "-o", tmp_path / "rest.npz")
    for name in ("losses", "parameters_sha256", "history", "accuracy"):
        assert outcome.report[name] == whole[name]
    assert (tmp_path / "rest.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    error = short("--resume", checkpoint, "--net-g", 4).error
    assert error == f"{checkpoint}: g_bits was 6 and is 4; accepted: the same training"
    error = short("--resume", checkpoint, "--steps", 2).error
    assert error == "train: steps is 2; accepted: an integer >= 8"


def test_backends_agree_and_are_compared(short):
    options = "--steps", 1, "--batch", 4
    golden = short(*options).report
    planes = short(*options, "--backend", "planes", "--trace").report
    assert planes["backend"] == "planes" and golden["sums_compared"] == 0
    assert planes["parameters_sha256"] == golden["parameters_sha256"]
    assert planes["sums_compared"] > 10_000 and planes["codes_compared"] > 10_000
    assert planes["mismatch_count"] == 0 and planes["mismatches"] == []


def test_a_difference_is_told(short, monkeypatch):
    forward = MatrixBackend.forward

    def wrong(self, shape, *operands):
        sums = forward(self, shape, *operands)
        if shape.name == "conv1" and self.noise_seed is not None:
            sums[0, 1, 2, 3] += 2
        return sums

    monkeypatch.setattr(MatrixBackend, "forward", wrong)
    outcome = short("--steps", 1, "--batch", 4, "--trace")
    assert outcome.status == 1
    assert outcome.report["mismatch_count"] == 1
    (first,) = outcome.report["mismatches"]
    assert first["got"] == first["expected"] + 2
    assert [first[name] for name in ("step", "layer", "operand", "sample", "element")] == [
        0,
        "conv1",
        "forward sums",
        0,
        [1, 2, 3],
    ]
    assert (
        "first difference: step 0, layer conv1, forward sums, sample 0, element (1, 2, 3): exp" in outcome.err
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--first", "float", "--last", "float"),
        ("--net-w", 32, "--net-a", 32, "--net-g", 32),
        ("--net-g", 12, "--noise", "off"),
        ("--optimizer", "sgd", "--momentum", 0.5, "--weight-decay", 0.01),
        ("--noise-seed", 9),
    ],
)
def test_options_change_the_training(short, options):
    usual, other = (short("--steps", 1, *chosen).report for chosen in ((), options))
    assert other["parameters_sha256"] != usual["parameters_sha256"]
    assert 0 <= other["accuracy"] <= 1 and other["files"] == []


def test_a_network_of_the_zoo_at_another_size(dorefa, rng, tmp_path):
    write_arrays(tmp_path / "data", random_arrays(rng, (44, 48, 3), train=6, test=3))
    outcome = dorefa(
        "train",
        "svhn-d",
        "--net-size",
        "44x48",
        "--data",
        tmp_path / "data",
        "--batch",
        4,
        "--steps",
        2,
        "-o",
        tmp_path / "svhn.npz",
        "--json",
        "-",
    )
    assert len(outcome.report["losses"]) == 2
    network = npz.load(tmp_path / "svhn.npz")
    assert network.input_shape == (44, 48, 3) and network.classes == 10
    error = dorefa("train", "svhn-d", "--data", tmp_path / "data").error
    assert error.endswith("images are 44x48x3; accepted by this network: 40x40x3")
    error = dorefa("train", "svhn-d", "--net-size", "20x20", "--data", tmp_path / "data").error
    assert error == (
        "svhn-d on 20x20 images: layer conv5: kernel covers 3 rows (= 1 x (3 - 1) + 1); "
        "accepted: at most 2 (= 0 + 2 + 0, padded input)"
    )


@pytest.mark.parametrize(
    "options, message",
    [
        (
            ("--last", "float", "-o", "x.npz"),
            "train: layer conv2 has float activations, which no network file holds; "
            "accepted: 1 to 8 bits, or a training without one",
        ),
        (
            ("--first", "float", "--backend", "planes"),
            "train: layer conv0: weights have 32 bits; accepted by the backend planes: 1 to 8",
        ),
        (
            ("--net-g", 9, "--backend", "planes"),
            "train: layer conv0: gradients have 9 bits; accepted by the backend planes: 1 to 8",
        ),
        (("--momentum", 0.5), "--momentum is 0.5 with adam; accepted: with sgd"),
        (("--net-a", 9), "train: a_bits is 9; accepted: 1 to 8, or 32 for float"),
    ],
)
def test_refused_before_training(short, options, message):
    assert short(*options).error == message
