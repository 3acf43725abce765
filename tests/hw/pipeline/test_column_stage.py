# amaranth: UnusedElaboratable=no
"""Stages whose windows come by columns: every geometry, gaps, images back to back, blank slots, networks."""

from types import SimpleNamespace

import numpy as np
import pytest

from dorefa.golden import random_images
from dorefa.hw.pipeline.kernel.kernel import KernelOptions
from dorefa.hw.pipeline.stage import LayerStage

from ..support import fields_of, flat, simulate
from .bench import by_columns, check, check_times, network_of, plan_of
from .kernel.drive import WEIGHTS
from .windows import geometry, slots_of, windows_of


def layer_of(geometry, shape, bits, signed, outputs, rng):
    """A layer of one group whose sums are a result, with weights of -1 and 1 or with zeros."""
    kind = "bipolar" if rng.integers(2) else "ternary"
    values = WEIGHTS[kind](rng, (outputs, *geometry.kernel, shape[2]))
    most = values[0].size << bits
    return SimpleNamespace(
        name="layer",
        values=values,
        kernel=geometry.kernel,
        stride=geometry.stride,
        padding=geometry.padding,
        dilation=geometry.dilation,
        groups=1,
        in_shape=shape,
        a_bits=bits,
        a_signed=signed,
        out_channels=outputs,
        out_bits=None,
        code_bits=None,
        is_result=True,
        rescale=None,
        pool=None,
        acc_min=-most,
        acc_max=most,
    )


def run(stage, slots):
    """(blank, sums) of every window that leaves."""
    layer, found, cycle = stage.layer, [], 0
    bits = layer.a_bits

    async def testbench(ctx):
        nonlocal cycle
        for slot in [*slots, *[None] * stage.latency]:
            is_slot = isinstance(slot, tuple)
            word, blank = slot if is_slot else (np.random.default_rng(cycle).integers(0, 1 << bits, 9), False)
            ctx.set(stage.i.valid, is_slot)
            ctx.set(stage.i.restart, isinstance(slot, str))
            ctx.set(stage.i.word, flat(word, bits) & ((1 << len(stage.i.word)) - 1))
            ctx.set(stage.i.blank, blank)
            await ctx.tick()
            cycle += 1
            if ctx.get(stage.o.valid):
                numbers = fields_of(ctx.get(stage.o.word), stage.out_bits, layer.out_channels)
                half = 1 << (stage.out_bits - 1)
                sums = [(number ^ half) - half for number in numbers]
                found.append((bool(ctx.get(stage.o.blank)), sums))

    simulate(stage, testbench, limit=len(slots) + stage.latency + 2)
    return found


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [1, 3, 8])
def test_windows(signed, bits, rng):
    for case in range(8):
        rows, columns = rng.integers(1, 8, 2).tolist()
        shape = (rows, columns, int(rng.integers(1, 4)))
        windows = geometry(rng, shape[:2])
        layer = layer_of(windows, shape, bits, signed, int(rng.integers(1, 6)), rng)
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
