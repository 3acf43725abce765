# amaranth: UnusedElaboratable=no
"""What leaves the stages inside: which slots come, and what is said of those that do not."""

import pytest

from dorefa.golden import random_images
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.pipeline.top import PipelineTop
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.pipeline.amaranth import packet, run_streams
from dorefa.sim.pipeline.maps import cut_maps, map_sizes
from dorefa.sim.pipeline.simulation import compared
from dorefa.sim.pipeline.verilator import simulate_streams

from .test_streams import network_of, text_of

# Draws of networks with a map of which nothing reads the last pixels, with and without a restart of its
# stage.
PARTIAL = (21, 52, 62, 64)


def partial_plan(number):
    """(network, plan) of such a draw."""
    network = network_of(number, size=5)
    plan = make_plan(network, evaluations=0, pace=(1, 40)[number % 2])
    assert (sizes := map_sizes(plan)).slots != sizes.alone
    return network, plan


def test_codes_that_nothing_reads():
    """They come with the next image, but where the stages start again; so does the last image end."""
    kinds = set()
    for network, plan in map(partial_plan, PARTIAL):
        sizes, images = map_sizes(plan), random_images(network, 5, 1)
        # With long gaps some images are followed by blank slots and others are not.
        found = run_streams(plan, map(packet, images), gaps=50, seed=3)
        assert compared(plan, images, found).count == 0
        for maps, slots, alone in zip(found.maps, sizes.slots, sizes.alone, strict=True):
            came = [len(words) for words in maps]
            assert set(came[:-1]) <= {slots, alone} and came[-1] == alone
            if slots != alone:
                kinds |= {("ends early", alone in came[:-1]), ("goes on", slots in came[:-1])}
    assert kinds >= {("ends early", True), ("goes on", True)}


def test_both_simulators_see_the_same():
    network, plan = partial_plan(PARTIAL[0])
    images, top = random_images(network, 4, 2), PipelineTop(plan, watched=True)
    compiled = simulate_streams(top, text_of(top), images)
    own = run_streams(plan, map(packet, images))
    for maps, others in zip(compiled.maps, own.maps, strict=True):
        assert all((a == b).all() for a, b in zip(maps, others, strict=True))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda ends: ends.pop(), "layer conv0: 2 maps left of 3 images"),
        (lambda ends: ends.append(ends[0]), "layer conv0: 4 maps left of 3 images"),
        (
            lambda ends: ends.__setitem__(1, ends[1] + 7),
            r"layer conv0, image 1: \d+ slots left; expected \d+, or",
        ),
    ],
)
def test_slots_are_counted(change, message):
    plan = make_plan(network_of(PARTIAL[0], size=5), evaluations=0)
    sizes = map_sizes(plan)
    ends = [[slots] * 3 for slots in sizes.slots]
    words = [bytes(3 * slots * size) for slots, size in zip(sizes.slots, sizes.word_bytes, strict=True)]
    assert [len(maps) for maps in cut_maps(plan, ends, words, 3)] == [3] * len(plan.stages)
    change(ends[0])
    words[0] = bytes(sum(ends[0]) * sizes.word_bytes[0])
    with pytest.raises(SimulationError, match=message):
        cut_maps(plan, ends, words, 3)
