"""Every pair of operand widths: the engine is generated, its Verilog linted, and a random network of
exactly these widths runs on it bit-exactly. Four pairs always; ``pytest -m "slow or not slow"`` here
runs all 64."""

import itertools

import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_images, random_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.manifest import engine_files
from dorefa.sim import simulate
from dorefa.sim.verilator.lint import lint

ALWAYS = [(1, 1), (2, 3), (5, 4), (8, 8)]
SAMPLE = [(1, 2), (3, 7)]
OTHERS = [pair for pair in itertools.product(range(1, 9), repeat=2) if pair not in ALWAYS]


def check(w_bits, a_bits, seed):
    network = lower(random_network(seed, w_bits=w_bits, a_bits=a_bits, conv_layers=2, max_macs=60_000))
    config = fit(network, lanes=24, rows=6)
    assert (config.w_bits, config.a_bits, config.out_bits) == (w_bits, a_bits, a_bits)
    assert {layer.w_bits for layer in network.layers} == {w_bits}
    images = random_images(network, 2, seed)
    text = engine_files(config)["engine.v"]
    assert lint(text) == []
    report = simulate(
        network, config=config, images=images, simulator="verilator", seed=seed, verilog_text=text
    )
    assert report.bit_exact, f"{report.mismatch_count} differ, first: {report.mismatches[0]}"


@pytest.mark.parametrize(("w_bits", "a_bits"), ALWAYS)
def test_widths(w_bits, a_bits, seed):
    check(w_bits, a_bits, seed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("w_bits", "a_bits"),
    [pytest.param(*pair, marks=pytest.mark.sample if pair in SAMPLE else ()) for pair in OTHERS],
)
def test_other_widths(w_bits, a_bits, seed):
    check(w_bits, a_bits, seed)
