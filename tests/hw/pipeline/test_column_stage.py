# amaranth: UnusedElaboratable=no
"""Stages whose windows come by columns: every geometry, gaps, images back to back, blank slots, networks."""

import numpy as np
import pytest

from dorefa.golden import random_images
from dorefa.hw.pipeline.kernel.kernel import KernelOptions

from .bench import by_columns, check, check_times, network_of, plan_of
from .stages import check_windows


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_windows(signed, bits, rng):
    options = KernelOptions(digit_bits=bits, serial=False, columns=True, absorbs=False)
    for case in range(8):
        check_windows(case, "bipolar" if rng.integers(2) else "ternary", options, bits, signed, rng)


@pytest.mark.parametrize("number", range(16))
def test_random_networks(number, seed):
    """Networks of one-bit weights, all of whose layers come by columns."""
    number += 1000 * seed
    network = network_of(number, w_bits=1)
    plan, images = (
        by_columns(plan_of(network, np.random.default_rng(number))),
        random_images(network, 4, number),
    )
    gaps, stalls = ((0, 0), (30, 0), (0, 50), (80, 30))[number % 4]
    found = check(network, plan, images, gaps=gaps, stalls=stalls, seed=number)
    if not gaps and not stalls:
        check_times(plan, found)
