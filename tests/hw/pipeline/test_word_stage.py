# amaranth: UnusedElaboratable=no
"""Stages that add whole codes: windows, signed codes, networks, what a plan takes them for."""

import numpy as np
import pytest

from dorefa.golden import lower, random_images, random_network
from dorefa.golden.zoo import catalog
from dorefa.hw.pipeline.kernel.kernel import KernelOptions
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.pipeline.stage import LayerStage

from .bench import by_words, check, check_times, network_of, plan_of
from .stages import check_windows


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_windows(signed, bits, rng):
    for case in range(6):
        kind = ("signed", "sparse", "odd")[case % 3]
        options = KernelOptions(
            digit_bits=bits, serial=False, words=True, absorbs=False, every=1 + case % 3, evaluations=0
        )
        check_windows(case, kind, options, bits, signed, rng)


@pytest.mark.parametrize("number", range(16))
def test_random_networks(number, seed):
    """Networks all of whose layers add whole codes."""
    number += 1000 * seed
    network = network_of(number)
    plan = by_words(plan_of(network, np.random.default_rng(number)), every=1 + number % 3)
    gaps, stalls = ((0, 0), (30, 0), (0, 50), (80, 30))[number % 4]
    found = check(network, plan, random_images(network, 4, number), gaps=gaps, stalls=stalls, seed=number)
    if not gaps and not stalls:
        check_times(plan, found)


def vectors(seed, bits):
    """A network whose image is one pixel, of weights and codes of so many bits."""
    return lower(
        random_network(seed, w_bits=bits, a_bits=bits, max_size=1, max_channels=16, wide_padding=False)
    )


@pytest.mark.parametrize("seed", range(4))
def test_vectors(seed):
    """Three levels of additions a register, an image a cycle if its numbers leave as fast, and codes that are
    only clipped."""
    network = vectors(seed, 6)
    plan = make_plan(network, evaluations=0, absorbs=True)
    assert any(stage.options.words and stage.options.every == 3 for stage in plan.stages)
    found = check(network, plan, random_images(network, 20, seed))
    check_times(plan, found)


def test_what_a_plan_takes():
    """Not for one-bit weights and codes of two bits; a register a level where images have many pixels."""
    small = make_plan(lower(catalog.load("digits-small", net_w=1, net_a=2)), evaluations=0, absorbs=True)
    assert not any(stage.options.words for stage in small.stages if isinstance(stage, LayerStage))
    network = lower(random_network(3, w_bits=6, a_bits=6, max_size=8, max_channels=8, wide_padding=False))
    wide = [stage for stage in make_plan(network, evaluations=0, absorbs=True).stages if stage.steps == 1]
    assert {stage.options.every for stage in wide if stage.options.words} == {1}
