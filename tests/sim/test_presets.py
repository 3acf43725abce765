"""Every preset, as it is: random networks that it runs, bit-exact and with the predicted cycles."""

import itertools

import pytest

from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.plan import Plan
from dorefa.hw.config.engine import PRESETS
from dorefa.hw.generate.manifest import engine_files

from .regression.drawing import ENCODINGS, random_graph
from .regression.runs import Run, fault

NETWORKS = 3


def suited(config, seed):
    """Networks that the engine runs: of its encoding, no wider than its widths; seeds from `seed` on."""
    accepted = ENCODINGS if config.encoding == "any" else ENCODINGS[:1]
    for draw in itertools.count(1000 * seed):
        draws = RawDraws(draw)
        network = random_graph(
            draw,
            draws,
            encodings=draws.pick(accepted),
            residual=False,
            allow_average=False,
            w_bits=draws.integer(1, config.w_bits),
            a_bits=draws.integer(1, config.out_bits),
            input_bits=draws.integer(1, config.a_bits),
        )
        if not Plan.of(network, config).problems:
            yield draw, network


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_runs_networks(name, seed):
    config = PRESETS[name]
    text = engine_files(config)["engine.v"]
    for draw, network in itertools.islice(suited(config, seed), NETWORKS):
        for run in (Run(), Run(stalls=30, reset_after=100)):
            found = fault(network, config, run, seed=draw, text=text)
            assert found is None, (draw, found)
