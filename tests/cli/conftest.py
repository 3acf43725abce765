"""Running the command in this process, and small files to feed it."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from dorefa.cli.main import main
from dorefa.golden import npz, random_images, random_network
from dorefa.golden.lowering import lower


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
