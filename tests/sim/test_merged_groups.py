"""Layers in channel groups on the generated Verilog: bit-exact, in the predicted cycles; why one is slow."""

import pytest

from dorefa.golden import random_images
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.sim import simulate
from dorefa.sim.report import layer_report

from ..hw.separable import separable


def random_case(draws, rng):
    """A network with a layer in channel groups, and parameters of an engine."""
    encoding = draws.pick(("unsigned", "twos_complement", "bipolar"))
    w_bits = draws.pick((1, 2, 4))
    network = separable(
        rng,
        encoding,
        groups=draws.pick((6, 8, 15, 24)),
        inner=draws.pick((1, 1, 2, 3)),
        outputs=draws.pick((1, 1, 2, 3)),
        size=draws.pick((2, 3, 5)),
        w_bits=w_bits,
        a_bits=draws.pick((1, 2, 4)),
    )
    options = {
        "lanes": draws.pick((24, 33, 64)),
        "rows": draws.pick((4, 6, 16)),
        "cols": draws.pick((1, 1, 2, 3)),
        "weights": draws.pick(("onchip", "stream")),
        "port_bytes": draws.pick((1, 4)),
        "engines": draws.pick((1, 1, 2)),
        "quant": draws.pick((1, 2)),
        "w_bits": w_bits + 1,
        "encoding": "any" if encoding == "bipolar" else encoding,
    }
    return network, options


@pytest.mark.parametrize(
    "case",
    [*range(2), *(pytest.param(case, marks=[pytest.mark.slow, pytest.mark.sample]) for case in range(2, 6))],
)
def test_random_layers_in_groups(case, seed, rng):
    draws = RawDraws(1000 * seed + case)
    compiled, merged = None, 1
    while merged == 1:
        network, options = random_case(draws, rng)
        compiled = compile_network(network, fit(network, **options))
        merged = compiled.layers[1].merged_groups
    print(merged, options)
    for stalls in (0, 30):
        report = simulate(
            network,
            config=compiled.config,
            images=random_images(network, 2, seed),
            seed=seed,
            stalls=stalls,
            simulator="verilator",
        )
        assert report.bit_exact, f"{report.mismatch_count} differ, first: {report.mismatches[0]}"
        if not stalls:
            assert [layer.cycles for layer in report.layers] == [layer.cycles for layer in compiled.layers]
    layer = report.layers[1]
    assert layer.merged_groups == merged
    given = network.layers[1]
    assert layer.binary_ops == given.macs * given.w_bits * given.a_bits


# Layer, engine, number of the slow layer, and what is said of it.
REASONS = {
    "products": (
        {"groups": 32, "w_bits": 4, "a_bits": 4},
        {"lanes": 64, "rows": 32},
        1,
        "0.031 of the products are its own, the others zeros between merged channel groups",
    ),
    "rows": (
        {"groups": 2, "inner": 7, "w_bits": 4, "a_bits": 4},
        {"lanes": 64, "rows": 64},
        1,
        "0.016 of the rows are filled by the output channels of one channel group",
    ),
    "lanes": (
        {"groups": 16, "w_bits": 4, "a_bits": 4},
        {"lanes": 128, "rows": 16},
        0,
        "0.023 of the lanes are filled by the products of one output",
    ),
    "columns": (
        {"groups": 16, "w_bits": 8, "size": 1, "image": 1},
        {"lanes": 8, "rows": 4, "cols": 16},
        2,
        "0.062 of the columns are filled by its pixels",
    ),
    "reader": (
        {"groups": 2, "inner": 14, "outputs": 16, "w_bits": 1, "a_bits": 1},
        {
            "lanes": 128,
            "rows": 16,
            "cols": 16,
            "fetch_bits": 8,
            "quant": 1,
            "plane_groups": 1,
            "column_reads": "separate",
        },
        1,
        "the array works in 0.003 of the cycles; bound by window reader",
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_slow_layer_says_why(reason, rng):
    fields, sizes, number, message = REASONS[reason]
    network = separable(rng, **fields)
    compiled = compile_network(network, fit(network, **sizes))
    layer = compiled.layers[number]
    report = layer_report(layer, layer.cycles, compiled.config)
    assert report.utilization < 0.05
    assert report.slow == message
    # A hundred times as fast it would not be slow.
    assert layer_report(layer, layer.cycles / 100, compiled.config).slow is None
