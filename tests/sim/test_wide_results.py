"""Results that leave a group of channels a beat, in every simulator."""

import numpy as np
import pytest

from dorefa.golden import lower, random_images, run_integer
from dorefa.golden.network.layer import Layer
from dorefa.golden.network.network import Network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.sim import simulate


@pytest.mark.parametrize(
    "simulator", ["amaranth", "verilator", pytest.param("icarus", marks=pytest.mark.icarus)]
)
def test_partial_groups_of_packets_of_images(simulator, seed):
    """11 classes in groups of 3 on tiles of 4 rows, three passes, five images a packet."""
    # Fixed weights: the compiled model is worth keeping in the cache between runs.
    draws = np.random.default_rng(3)
    layers = [
        Layer(
            name=f"fc{number}",
            kind="fc",
            w_bits=2,
            scale=np.float32(0.2),
            codes=draws.integers(0, 4, (outputs, 1, 1, inputs)).astype(np.uint8),
            a_bits=a_bits,
        )
        for number, (inputs, outputs, a_bits) in enumerate(((12, 9, 2), (9, 11, None)))
    ]
    network = lower(Network(name="fully", input_shape=(1, 1, 12), input_bits=2, layers=tuple(layers)))
    sizes = {"lanes": 16, "rows": 4, "quant": 3, "weights": "stream", "weight_depth": 4, "port_bytes": 2}
    compiled = compile_network(network, fit(network, batch=5, results="wide", **sizes))
    assert len(compiled.schedule.of_layer(1)) == 3
    images = random_images(network, 10, seed)
    for stalls in (0, 40):
        report = simulate(
            network, images=images, config=compiled.config, simulator=simulator, stalls=stalls, seed=seed
        )
        assert report.bit_exact, report.mismatches[:1]
        np.testing.assert_array_equal(report.outputs, run_integer(network, images)["fc1"])
        if not stalls:
            assert [layer.cycles for layer in report.layers] == [x.cycles / 5 for x in compiled.layers]
