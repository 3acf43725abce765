# amaranth: UnusedElaboratable=no
"""Random networks that a pipeline runs, plans of them, and whether what comes out is right, and when."""

from dataclasses import replace

import numpy as np

from dorefa.golden import lower, random_network, run_integer
from dorefa.golden.network.encoding import Encoding
from dorefa.hw.pipeline.kernel.column_kernel import fits_columns
from dorefa.hw.pipeline.kernel.kernel import KernelOptions
from dorefa.hw.pipeline.plan import PipelinePlan, make_plan
from dorefa.hw.pipeline.stage import LayerStage
from dorefa.sim.pipeline.amaranth import packet, run_streams
from dorefa.sim.pipeline.simulation import compared


def network_of(seed, **options):
    """A small random network that a pipeline runs."""
    drawn = random_network(
        seed,
        max_macs=20_000,
        max_size=1 + seed % 8,
        max_channels=(3, 8, 16)[seed % 3],
        encodings=list(Encoding) if seed % 2 else (Encoding.BIPOLAR,),
        allow_pool_padding=True,
        wide_padding=False,
        **{"allow_average": True} | options,
    )
    return lower(drawn)


def plan_of(network, rng):
    """A plan with random choices, and no search."""
    return make_plan(
        network,
        evaluations=0,
        absorbs=bool(rng.integers(2)),
        pace=int(rng.choice([1, 1, 2, 4])),
        every=int(rng.choice([1, 2])),
    )


def by_columns(plan):
    """The plan with all windows column by column that weights allow."""
    stages = []
    for stage in plan.stages:
        layer = stage.layer
        options = replace(stage.options, digit_bits=layer.a_bits, serial=False, columns=True)
        stages.append(LayerStage(layer, stage.shape, options) if fits_columns(layer.values) else stage)
    return PipelinePlan(plan.network, stages, plan.pace)


def by_words(plan, every):
    """The plan with the sums of all layers as those of whole codes."""
    stages = []
    for stage in plan.stages:
        options = KernelOptions(
            digit_bits=stage.layer.a_bits, serial=False, words=True, absorbs=True, every=every, evaluations=0
        )
        shape = stage.shape if isinstance(stage, LayerStage) else stage.sizes.shape
        stages.append(LayerStage(stage.layer, shape, options))
    return PipelinePlan(plan.network, stages, plan.pace)


def expected(network, images):
    """Results of images, flat."""
    return run_integer(network, images)[network.layers[-1].name]


def check(network, plan, images, **waits):
    """Runs images, and compares every layer; returns what came out."""
    assert plan.network is network
    found = run_streams(plan, map(packet, images), **waits)
    comparison = compared(plan, images, found)
    assert comparison.count == 0, comparison.mismatches[0]
    return found


def check_times(plan, found):
    """Latency and interval as planned, of images that come as fast as they are taken."""
    assert found.last_out[0] - found.began[0] == plan.latency
    assert set(np.diff(found.last_out)) <= {plan.interval}
