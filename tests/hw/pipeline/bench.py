# amaranth: UnusedElaboratable=no
"""Random networks that a pipeline runs, plans of them, and what has to come out."""

from dorefa.golden import lower, random_network, run_integer
from dorefa.golden.network.encoding import Encoding
from dorefa.hw.pipeline.plan import make_plan


def network_of(seed, **options):
    """A small random network that a pipeline runs."""
    drawn = random_network(
        seed,
        max_macs=20_000,
        max_size=1 + seed % 8,
        max_channels=(3, 8, 16)[seed % 3],
        encodings=list(Encoding) if seed % 2 else (Encoding.BIPOLAR,),
        allow_average=True,
        allow_pool_padding=True,
        wide_padding=False,
        **options,
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


def expected(network, images):
    """Results of images, flat."""
    return run_integer(network, images)[network.layers[-1].name]
