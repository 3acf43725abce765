"""Running the command in this process, and small files to feed it."""

import gzip
import json
from dataclasses import dataclass

import numpy as np
import pytest

from dorefa.cli.main import main
from dorefa.golden import random_images, random_network
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network import npz
from dorefa.golden.zoo.datasets import digits_sample


@dataclass(frozen=True)
class Outcome:
    """What one command did: exit status, standard output, standard error."""

    status: int
    out: str
    err: str

    @property
    def error(self):
        """The one line of a refusal; fails when there is more, or anything but a refusal."""
        assert self.status == 1, self
        assert self.err.startswith("dorefa: ") and self.err.count("\n") == 1, self
        return self.err.removeprefix("dorefa: ").rstrip("\n")

    @property
    def report(self):
        """The JSON report, when standard output holds nothing else."""
        return json.loads(self.out)


@pytest.fixture
def dorefa(capsys):
    """Function that runs `dorefa` with the given arguments."""

    def run(*arguments):
        capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as left:
            status = left.code
        return Outcome(status, *capsys.readouterr())

    return run


@pytest.fixture
def small(tmp_path, seed):
    """A random network in a file, images for it, and the integer network: (path, path, network)."""
    network = random_network(seed)
    model = tmp_path / "small.npz"
    npz.save(network, model)
    integer = lower(network)
    images = tmp_path / "images.npy"
    np.save(images, random_images(integer, 5, seed))
    return model, images, integer


@pytest.fixture
def small_pipeline(tmp_path):
    """A small network that runs as a pipeline, in a file."""
    path = tmp_path / "small.npz"
    options = {"max_macs": 20_000, "max_size": 7, "max_channels": 8, "conv_layers": 2, "wide_padding": False}
    npz.save(random_network(7, **options), path)
    return str(path)


@pytest.fixture
def few_digits(tmp_path):
    """A folder that looks like MNIST, with 128 images for training and 64 for test."""
    images, labels = digits_sample()
    for part, chosen in (("train", slice(0, 128)), ("t10k", slice(128, 192))):
        arrays = {"images-idx3": images[chosen, ..., 0], "labels-idx1": labels[chosen]}
        for kind, array in arrays.items():
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            path = tmp_path / "mnist" / f"{part}-{kind}-ubyte.gz"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(gzip.compress(header + array.tobytes()))
    return tmp_path / "mnist"
