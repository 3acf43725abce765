"""Random networks on random engines: the generated Verilog in Verilator, every layer bit-exact.

Each case is run twice: without stalls, where the predicted cycles must be the simulated ones, and
with random stalls on every port. 20 cases always run; ``pytest -m "slow or not slow"`` on this
file runs 200. ``--seed`` moves on to other cases.
"""

import pytest

from dorefa.golden.lowering import lower
from dorefa.golden.random_network import random_images, random_network
from dorefa.golden.raw_draws import RawDraws
from dorefa.hw.compiler import compile_network
from dorefa.hw.manifest import engine_files
from dorefa.hw.sizing import fit
from dorefa.sim import simulate

ENCODINGS = (
    ("bipolar",),
    ("unsigned", "twos_complement"),
    ("bipolar", "unsigned", "twos_complement"),
)


def random_case(seed):
    """(integer network, engine configuration, images) of this seed: lanes 8 to 256, rows 1 to 64,
    cols 1 to 4, small sizes as likely as large ones."""
    draws = RawDraws(seed)
    network = lower(random_network(seed, encodings=draws.pick(ENCODINGS), max_macs=200_000))
    octave, row_octave = draws.pick((3, 4, 5, 6, 7)), draws.pick((0, 1, 2, 3, 4, 5))
    rows = draws.pick(range((1 << row_octave), (2 << row_octave) + 1))
    options = {
        "lanes": draws.pick(range((1 << octave), (2 << octave) + 1)),
        "rows": rows,
        "cols": draws.pick((1, 2, 3, 4)),
        "pipeline": draws.pick(("none", "level")),
        "structure": draws.pick(("compress", "sum")),
        "port_bytes": draws.pick((1, 2, 4, 8)),
        "patch_slots": draws.pick((2, 4)),
    }
    if draws.pick((True, False)):
        options["quant"] = draws.pick(range(1, min(rows, 8) + 1))
    if draws.pick((True, False, False)):
        options["encoding"] = "any"
    return network, fit(network, **options), random_images(network, 2, seed)


def check(seed):
    network, config, images = random_case(seed)
    print(f"case {seed}: {config}")
    text = engine_files(config)["engine.v"]
    predicted = [layer.cycles for layer in compile_network(network, config).layers]
    for stalls in (0, 30):
        report = simulate(
            network, config=config, images=images, simulator="verilator", seed=seed,
            stalls=stalls, verilog_text=text,
        )  # fmt: skip
        assert report.bit_exact, f"{report.mismatch_count} differ, first: {report.mismatches[0]}"
        if not stalls:
            assert [layer.cycles for layer in report.layers] == predicted


@pytest.mark.parametrize("case", range(20))
def test_random_network_on_random_engine(case, seed):
    check(1000 * seed + case)


@pytest.mark.slow
@pytest.mark.parametrize("case", range(20, 200))
def test_more_random_networks_on_random_engines(case, seed):
    check(1000 * seed + case)
