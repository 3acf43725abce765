"""Chains of more residual additions than Python has frames for."""

import numpy as np
import onnx
import pytest

from dorefa.golden import logits, run_integer
from dorefa.golden.onnx import importer

from .support import Graph

ADDITIONS = 1200


class Chain:
    """A graph on one pixel of one channel whose 1x1 convolutions are added up."""

    def __init__(self, rng):
        self.rng, self.graph, self.total = rng, Graph((1, 1, 1, 1)), 0
        self.image = self.graph.quant("x", "image", 1, 4)

    def conv(self, unit=0.5):
        """The image times a random number -1, 0 or 1 in this unit."""
        factor = int(self.rng.integers(-1, 2))
        self.total += factor * unit
        name = f"conv{len(self.graph.nodes)}"
        weights = self.graph.weights(np.full((1, 1, 1, 1), factor * unit), f"{name}_w", unit, 2)
        return self.graph.node("Conv", [self.image, weights], name)

    def add(self, *tensors):
        """The sum of two tensors."""
        return self.graph.node("Add", tensors, f"sum{len(self.graph.nodes)}")


def one_by_one(chain):
    """The last one in a finer unit, in which all others are counted then."""
    total = chain.conv()
    for _ in range(ADDITIONS):
        total = chain.add(total, chain.conv())
    return chain.add(chain.conv(unit=0.125), total)


def pairs(chain):
    """The longer of two chains stays as it is, whichever side it is on."""
    total = chain.conv()
    for _ in range(20):
        total = chain.add(total, chain.add(chain.conv(), chain.conv()))
    return total


def two_chains(chain):
    totals = [chain.conv(), chain.conv()]
    for number in range(2 * ADDITIONS):
        totals[number % 2] = chain.add(chain.conv(), totals[number % 2])
    return chain.add(*totals)


@pytest.mark.parametrize(
    "build", [one_by_one, pairs, pytest.param(two_chains, marks=[pytest.mark.slow, pytest.mark.sample])]
)
def test_sums_of_many(build, tmp_path, rng):
    chain = Chain(rng)
    codes = chain.graph.quant(build(chain), "codes", 0.125, 8, signed=1)
    weights = chain.graph.weights(np.ones((1, 1, 1, 1)), "last_w", 1, 2)
    scores = chain.graph.node(
        "Flatten", [chain.graph.node("Conv", [codes, weights], "last")], "scores", axis=1
    )
    path = tmp_path / "chain.onnx"
    onnx.save(chain.graph.model(scores), path)
    network = importer.load(path)
    images = np.arange(16, dtype=np.uint8).reshape(16, 1, 1, 1)
    expected = np.clip(np.rint(8 * chain.total * np.arange(16)), -128, 127) / 8
    assert np.array_equal(logits(network, run_integer(network, images)["last"])[:, 0], expected)
