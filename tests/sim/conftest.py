"""What the tests of the simulators share: one small network on one small engine."""

from dataclasses import dataclass

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.manifest import engine_files


@dataclass(frozen=True)
class Small:
    """A network, the smallest engine that runs it, its Verilog, and images."""

    network: object
    compiled: object
    verilog: str
    images: np.ndarray

    @property
    def config(self):
        return self.compiled.config


@pytest.fixture(scope="session")
def small():
    # One fixed seed: the compiled model is worth keeping in the cache between runs.
    network = lower(random_network(5, w_bits=2, a_bits=3, conv_layers=2, max_macs=20_000, max_size=8))
    return make(network, fit(network, lanes=16, rows=4, port_bytes=2))


@pytest.fixture(scope="session")
def streaming(small):
    """The same network with weights that stream in."""
    return make(small.network, fit(small.network, lanes=16, rows=4, port_bytes=2, weights="stream"))


def make(network, config):
    return Small(
        network,
        compile_network(network, config),
        engine_files(config)["engine.v"],
        random_images(network, 3, 5),
    )
