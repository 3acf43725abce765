"""What the tests of the simulators share: a small network on a small engine, and one that trains."""

from dataclasses import dataclass

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.manifest import engine_files
from dorefa.sim.verilator.session import session

from ..hw.compiler.training.support import CONFIG

# With room for all random layers, and random networks, of training steps.
TRAINING = CONFIG.replace(param_depth=1, pool_depth=1, line_depth=1, layer_depth=512)


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


@pytest.fixture(scope="session")
def training_verilog():
    """The Verilog of the engine that trains: one compiled model for all tests that are not slow."""
    return engine_files(TRAINING)["engine.v"]


@pytest.fixture(scope="session")
def opened(training_verilog):
    """The session of a process that never stalls."""
    with session(training_verilog, TRAINING, cycles=1) as own:
        yield own


@pytest.fixture
def stalling(training_verilog, seed):
    """That of one whose ports stall in three of ten cycles."""
    with session(training_verilog, TRAINING, cycles=1, stalls=30, seed=seed) as own:
        yield own
