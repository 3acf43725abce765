# amaranth: UnusedElaboratable=no
"""Stages whose windows come by columns: every geometry, gaps, images back to back, blank slots, networks."""

import numpy as np
import pytest

from dorefa.golden import random_images
from dorefa.hw.pipeline.kernel.kernel import KernelOptions
from dorefa.hw.pipeline.stage import LayerStage

from .bench import by_columns, check, check_times, network_of, plan_of
from .stages import layer_of, run
from .windows import geometry, slots_of, windows_of


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_windows(signed, bits, rng):
    for case in range(8):
        rows, columns = rng.integers(1, 8, 2).tolist()
        shape = (rows, columns, int(rng.integers(1, 4)))
        windows = geometry(rng, shape[:2])
        kind = "bipolar" if rng.integers(2) else "ternary"
        layer = layer_of(windows, shape, bits, signed, int(rng.integers(1, 6)), kind, rng)
        options = KernelOptions(digit_bits=bits, serial=False, columns=True, absorbs=False)
        stage = LayerStage(layer, shape, options)
        images = rng.integers(0, 1 << bits, (3, *shape))
        blanks = stage.raster.lead + int(rng.integers(0, 5)) if case % 2 else None
        found = run(stage, list(slots_of(images, case % 3 == 0, 1, rng, blanks)))
        sums = np.array([numbers for blank, numbers in found if not blank])
        shown = windows_of(images, windows, signed, bits) - (1 << (bits - 1) if signed else 0)
        assert (sums == shown @ layer.values.reshape(len(layer.values), -1).T).all(), (shape, windows)


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
