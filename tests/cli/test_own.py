"""Images and architectures of a user's own, through the command."""

import numpy as np
import pytest

from dorefa.golden.data.svhn import enlarge
from dorefa.golden.network import npz
from dorefa.golden.zoo.architectures import find

from ..data_support import (
    random_arrays,
    write_arrays,
    write_cifar,
    write_idx,
    write_png,
    write_svhn,
)

# A network that trains in no time.
OWN = """
input_shape = {shape}
input_bits = 8
last_w = 8
[[layers]]
name = "conv"
kind = "conv"
channels = 4
kernel = 3
stride = 2
pool = {{kind = "max", kernel = 2, stride = 2}}
[[layers]]
name = "fc"
kind = "fc"
channels = 10
norm = false
"""


def own(tmp_path, shape):
    path = tmp_path / "own.toml"
    path.write_text(OWN.format(shape=list(shape)))
    return path


@pytest.mark.parametrize(
    "write, shape, input_shape",
    [
        (write_idx, (12, 10), (12, 10, 1)),
        (write_arrays, (9, 8, 5), (9, 8, 5)),
        (write_svhn, (32, 32, 3), (32, 32, 3)),
        (write_svhn, (32, 32, 3), (40, 40, 3)),
        (write_cifar, (32, 32, 3), (32, 32, 3)),
        (write_png, (8, 8, 3), (8, 8, 3)),
    ],
)
def test_an_own_network_trains_on_own_images(dorefa, tmp_path, rng, write, shape, input_shape):
    if write is write_png:
        pytest.importorskip("PIL", reason="Pillow is not installed")
    images, labels, test_images, test_labels = arrays = random_arrays(rng, shape, train=20)
    write(tmp_path / "data", arrays)
    trained = tmp_path / "own.npz"
    command = ["train", own(tmp_path, input_shape), "-o", trained, "--data", tmp_path / "data"]
    outcome = dorefa(*command, "--epochs", 1, "--batch", 10, "--json", "-")
    assert outcome.status == 0, outcome
    network = npz.load(trained)
    assert network.name == "own" and network.input_shape == input_shape
    # The accuracy is that of the images in the files.
    test_images = test_images.reshape(-1, *shape, *[1] * (3 - len(shape)))
    np.save(tmp_path / "x.npy", enlarge(test_images) if input_shape[0] == 40 else test_images)
    np.save(tmp_path / "l.npy", test_labels)
    inputs = "--input", tmp_path / "x.npy", "--labels", tmp_path / "l.npy"
    again = dorefa("golden", trained, *inputs, "--json", "-")
    assert again.report["accuracy"] == outcome.report["accuracy"]


def test_svhn_d_trains_on_its_digits(dorefa, tmp_path, rng):
    write_svhn(tmp_path / "data", random_arrays(rng, (32, 32, 3)))
    trained = tmp_path / "d.npz"
    command = ["train", "svhn-d", "-o", trained, "--data", tmp_path / "data"]
    assert dorefa(*command, "--epochs", 1, "--batch", 10).status == 0
    assert npz.load(trained).input_shape == (40, 40, 3)


def test_data_that_cannot_be_is_refused(dorefa, tmp_path, rng):
    train = "train", own(tmp_path, (32, 32, 3)), "-o", tmp_path / "t.npz"
    for arguments in ((), ("--data", tmp_path / "no"), ("--data", "x" * 300), ("--data", tmp_path)):
        error = dorefa(*train, *arguments).error
        assert "one data set: IDX (train-images-idx3-ubyte, " in error
        assert error.endswith("or PNG folders (train, test, in each CLASS/*.png)")
    write_cifar(tmp_path / "data", random_arrays(rng, (32, 32, 3)))
    error = dorefa(*train[:1], "digits", *train[2:], "--data", tmp_path / "data").error
    assert error == f"{tmp_path}/data/data_batch_1.bin: images are 32x32x3; accepted by this network: 28x28x1"
    assert not (tmp_path / "t.npz").exists()
    # What is read is not written.
    for name in ("own.toml", "data/test_batch.bin"):
        error = dorefa(*train, "--data", tmp_path / "data", "--json", tmp_path / name).error
        assert error.startswith(f"{tmp_path}/{name}: is both ") and error.endswith(
            "accepted: a file for each"
        )


def test_an_own_architecture_is_a_model(dorefa, tmp_path, rng):
    path = own(tmp_path, (9, 8, 3))
    widths = "--net-w", 2, "--net-a", 3, "--seed", 4
    assert dorefa("zoo", path).out.startswith(f"{path}: 9x8x3 images of 8 bits, 10 classes, 2 layers, ")
    assert dorefa("check", path, *widths).out.startswith("own runs on this engine: ")
    np.save(tmp_path / "x.npy", rng.integers(0, 256, (2, 9, 8, 3), np.uint8))
    assert dorefa("golden", path, *widths, "--input", tmp_path / "x.npy").out.startswith("own: 2 images")
    error = dorefa("check", path, "--json", path).error
    assert error.startswith(f"{path}: is both --json and MODEL")


def test_an_architecture_to_begin_with(dorefa, tmp_path):
    outcome = dorefa("zoo", "svhn-d", "--toml")
    path = tmp_path / "svhn-d.toml"
    path.write_text(outcome.out)
    assert find(str(path)) == find("svhn-d")
    assert dorefa("zoo", path, "--toml", "--json", "-").report == {"toml": outcome.out}
    assert dorefa("zoo", "--toml").error == "--toml beside nothing; accepted beside --toml: one NAME"
    error = dorefa("zoo", "digits", "svhn-a", "--table", "--toml").error
    assert error == "--toml beside digits svhn-a --table; accepted beside --toml: one NAME"
    error = dorefa("zoo", "digits", "--toml", "--net-first-w", 3).error
    assert error == "--net-first-w 3 is no part of an architecture; accepted: --toml without it"
    assert "is not in the zoo" in dorefa("zoo", "none", "--toml").error
