# amaranth: UnusedElaboratable=no
"""Random networks that a hybrid runs, plans of them, and whether what comes out is right, and when."""

from dataclasses import replace

import numpy as np

from dorefa.golden import run_integer
from dorefa.hw.hybrid.hybrid import Hybrid
from dorefa.hw.hybrid.plan import fit_hybrid, make_hybrid
from dorefa.sim.pipeline.amaranth import packet, run_streams

from ..pipeline import bench
from ..signed_codes import make_signed


def network_of(seed, **options):
    """A small random network that a hybrid runs."""
    average = not options.get("residual")
    return bench.network_of(seed, allow_average=average, **{"conv_layers": 1 + seed % 3} | options)


def signed_network_of(seed):
    """One whose first layer has codes of two's complement."""
    for attempt in range(100 * seed, 100 * seed + 100):
        network = make_signed(network_of(attempt), np.random.default_rng(attempt))
        if network.layers[0].out_signed:
            return network
    raise AssertionError("no such network in a hundred")


def residual_network_of(seed):
    """One whose trunks begin behind the first layer."""
    for attempt in range(100 * seed, 100 * seed + 100):
        network = network_of(attempt, residual=True, conv_layers=3)
        first = network.layers[0]
        if first.rescale is None and first.out_bits is not None:
            return network
    raise AssertionError("no such network in a hundred")


def plan_of(network, rng, **sizes):
    """A plan on a random array, and no search."""
    drawn = {
        "lanes": int(rng.choice([8, 16, 64])),
        "rows": int(rng.choice([2, 8])),
        "cols": int(rng.choice([1, 2])),
    }
    config = fit_hybrid(network, **(drawn | sizes))
    return make_hybrid(network, config, absorbs=bool(rng.integers(2)), evaluations=0)


def with_pace(plan, pace):
    """The plan with so many cycles from a pixel to the next one, whether they are hidden or not."""
    return replace(plan, front=replace(plan.front, pace=pace))


def expected(network, images):
    """Results of images, flat."""
    return run_integer(network, images)[network.layers[-1].name]


def check(plan, images, **waits):
    """Runs images; returns what came out."""
    found = run_streams(plan, map(packet, images), make_core=Hybrid, **waits)
    wanted = expected(plan.network, images)
    assert (found.results.reshape(wanted.shape) == wanted).all()
    assert not found.marked.any()
    return found


def check_times(plan, found):
    """Latency and interval as planned, of images that come as fast as they are taken."""
    assert found.last_out[0] - found.began[0] == plan.latency
    assert set(np.diff(found.last_out)) <= {plan.interval}
