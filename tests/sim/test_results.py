"""Maps that leave the engine, several of them, and parts of maps, on the generated Verilog."""

import numpy as np
import pytest

from dorefa.golden import lower, random_images
from dorefa.golden.network.layer import Layer
from dorefa.golden.network.network import Network
from dorefa.golden.network.parts import Pool
from dorefa.golden.run.integer import result_arrays, run_integer
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.sim import simulate


def assert_exact(network, config, count=3, **options):
    """Every layer and result is golden's, and cycles are as predicted; returns the report."""
    images = random_images(network, count, 5)
    report = simulate(network, images=images, config=config, simulator="verilator", **options)
    assert report.bit_exact, report.mismatches
    expected = result_arrays(network, run_integer(network, images))
    assert report.results.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(report.results[name], array)
    if not options:
        assert report.cycles == compile_network(network, config).cycles / config.batch
    return report


def map_network(rng, channels=7, groups=1, kernel=2, encoding="bipolar"):
    """A network that ends in a map of `channels` channels."""

    def layer(name, a_bits, shape, **more):
        codes = rng.integers(0, 4, shape).astype(np.uint8)
        return Layer(
            name=name, kind="conv", codes=codes, w_bits=2, scale=np.float32(0.25), a_bits=a_bits, **more
        )

    body = layer("body", 3, (6, 3, 3, 2), padding=1)
    last = layer("map", None, (channels, kernel, kernel, 6 // groups), groups=groups, encoding=encoding)
    return lower(Network(name="maps", input_shape=(6, 5, 2), input_bits=4, layers=(body, last)))


SIZES = [
    {"lanes": 8, "rows": 2, "quant": 2},
    {"lanes": 16, "rows": 4, "quant": 3, "cols": 1},
    {"lanes": 16, "rows": 3, "quant": 2, "cols": 3},
    {"lanes": 8, "rows": 4, "quant": 4, "cols": 4, "column_reads": "shared", "fetch_bits": 8},
    {"lanes": 16, "rows": 4, "quant": 2, "results": "wide"},
    {"lanes": 16, "rows": 2, "quant": 2, "engines": 2, "results": "wide"},
    {"lanes": 16, "rows": 2, "quant": 1, "weights": "stream", "port_bytes": 4},
]


@pytest.mark.parametrize("sizes", [SIZES[0], SIZES[2], SIZES[5]])
def test_a_map_leaves(sizes, rng):
    network = map_network(rng)
    assert_exact(network, fit(network, **sizes))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SIZES)
def test_a_map_leaves_other_engines(sizes, rng):
    test_a_map_leaves(sizes, rng)


@pytest.mark.slow
@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("sizes", SIZES[1:4])
def test_a_map_of_channel_groups_leaves(sizes, groups, rng):
    network = map_network(rng, channels=6, groups=groups, encoding="twos_complement")
    assert_exact(network, fit(network, **sizes))


def test_a_map_leaves_with_stalls(rng):
    network = map_network(rng)
    config = fit(network, **SIZES[2])
    assert_exact(network, config, stalls=40)
    assert_exact(network, config, through_port=True)


def test_simulators_agree_on_a_map(rng):
    network = map_network(rng, channels=3)
    config = fit(network, **SIZES[2])
    images = random_images(network, 1, 7)
    reports = [
        simulate(network, images=images, config=config, simulator=name) for name in ("amaranth", "verilator")
    ]
    assert all(report.bit_exact for report in reports)
    assert reports[0].cycles == reports[1].cycles
    np.testing.assert_array_equal(reports[0].outputs, reports[1].outputs)


def test_long_rows(rng):
    """A signal of 1,100 columns, windows of 70, a pool over all of them: wider fields than by default."""

    def layer(name, shape, a_bits=2, **more):
        codes = rng.integers(0, 2, shape).astype(np.uint8)
        options = {"w_bits": 1, "scale": np.float32(1 / 8), "kind": "conv", **more}
        return Layer(name=name, codes=codes, a_bits=a_bits, **options)

    wide = layer("wide", (3, 1, 70, 1), padding=(0, 35, 0, 34), dilation=(1, 2))
    whole = Pool(kind="max", kernel=(1, 1100 - 69), stride=(1, 1100))
    layers = (wide, layer("pooled", (4, 1, 1, 3), pool=whole), layer("fc", (2, 1, 1, 4), None, kind="fc"))
    network = lower(Network(name="long", input_shape=(1, 1100, 1), input_bits=2, layers=layers))
    config = fit(network, lanes=16, rows=2, quant=2)
    assert (config.size_bits, config.kernel_bits) == (11, 11)
    assert_exact(network, config, count=1)
