"""Residual trunks that stream out and in again: whole networks, queues of every length, misuse."""

import numpy as np
import pytest

from dorefa.hw.compiler import compile_network

from .engine_bench import Bench, beats_of, check_cycles, compare
from .test_engine import draw_case

STREAMS = {"trunks": "stream", "cols": 1}


def shortest(compiled):
    """The same network with the shortest queues that hold a tile."""
    least = (compiled.config.trunk_depth - 32) // 2
    return compile_network(compiled.network, compiled.config.replace(trunk_depth=least))


@pytest.mark.parametrize("case", range(12))
def test_random_networks(case, seed):
    """Ports that never wait: every map, every trunk, every result, every cycle."""
    rng = np.random.default_rng([seed, case])
    compiled, images = draw_case(rng, residual=True, fixed=STREAMS)
    if case % 2:
        compiled = shortest(compiled)
    assert compiled.schedule.trunk_plan[1]
    packets = [beats_of(image, compiled.config.port_bytes) for image in images]
    outcome = Bench(compiled, rng).run(packets, len(images))
    compare(compiled, images, outcome)
    check_cycles(compiled, outcome)
    assert not outcome.wrong_trunks


@pytest.mark.parametrize("case", range(20, 26))
def test_random_networks_with_stalls(case, seed):
    rng = np.random.default_rng([seed, case])
    compiled, images = draw_case(rng, residual=True, fixed=STREAMS, a_bits=int(rng.integers(1, 5)))
    if case % 2:
        compiled = shortest(compiled)
    packets = [beats_of(image, compiled.config.port_bytes, rng) for image in images]
    outcome = Bench(compiled, rng, gaps=0.3, stalls=0.6).run(packets, len(images))
    compare(compiled, images, outcome)
    assert not outcome.wrong_trunks
