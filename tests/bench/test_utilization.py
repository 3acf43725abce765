"""bench/utilization.py: the peers' formulas on examples worked by hand, and the bounds of a share."""

import runpy
from pathlib import Path

import pytest

from dorefa.golden import lower
from dorefa.golden.zoo import catalog
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit


@pytest.fixture(scope="module")
def bench():
    return runpy.run_path(str(Path(__file__).parents[2] / "bench" / "utilization.py"))


def test_cycles_of_the_fixed_engine(bench):
    # The example of its document: 5x5 pixels in, 32 channels in and out, 4-bit operands.
    example = {"channels": 32, "outputs": 32, "w_bits": 4, "a_bits": 4}
    cycles = bench["rbe_cycles"]
    assert cycles(pixels=(3, 3), kernel=(3, 3), stride=(1, 1), **example) == 4 * 32
    assert cycles(pixels=(4, 3), kernel=(3, 3), stride=(1, 1), **example) == 2 * 4 * 32
    assert cycles(pixels=(3, 3), kernel=(5, 5), stride=(1, 1), **example) == 4 * 4 * 32
    assert cycles(pixels=(3, 3), kernel=(12, 12), stride=(4, 4), **example) == 16 * 4 * 32
    assert cycles(pixels=(3, 3), kernel=(3, 3), stride=(1, 1), **example | {"a_bits": 5}) == 2 * 4 * 32
    assert bench["rbe_products"](4) == 81 * 4 * 32


def test_cycles_of_the_matrix_engine(bench):
    cycles = bench["bismo_cycles"]
    tile = {"channels": 256, "outputs": 8, "w_bits": 1, "a_bits": 1}
    assert cycles(pixels=(2, 4), kernel=(1, 1), **tile) == 1
    assert cycles(pixels=(3, 3), kernel=(1, 1), **tile) == 2
    assert cycles(pixels=(2, 4), kernel=(3, 3), **tile | {"outputs": 9, "w_bits": 2}) == 2 * 2 * 9


def test_shares_are_shares(bench):
    network = lower(catalog.load("digits", net_w=1, net_a=2))
    config = fit(network, lanes=32, rows=16)
    compiled = compile_network(network, config)
    for index, layer in enumerate(network.layers[:-1]):
        geometry = compiled.schedule.of_layer(index)[0].geometry
        shares = bench["utilizations"](layer, compiled.layers[index], geometry, config)
        assert all(0 < share <= 1 for share in shares), (layer.name, shares)
        assert shares[1] <= shares[2]
