# amaranth: UnusedElaboratable=no
"""A layer whose sums are a result, as a stage alone: slots in, sums out."""

from types import SimpleNamespace

import numpy as np

from dorefa.hw.pipeline.stage import LayerStage

from ..support import fields_of, flat, simulate
from .kernel.drive import WEIGHTS
from .windows import geometry, slots_of, windows_of


def layer_of(geometry, shape, bits, signed, outputs, kind, rng):
    """A layer of one group whose sums are a result, with weights of a kind."""
    values = WEIGHTS[kind](rng, (outputs, *geometry.kernel, shape[2]))
    most = values[0].size * int(np.abs(values).max()) << bits
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


def check_windows(case, kind, options, bits, signed, rng):
    """Draws a layer with weights of a kind, and compares the sums of all windows of three maps, one behind
    the other in every second case, with gaps in every third."""
    rows, columns = rng.integers(1, 8, 2).tolist()
    shape = (rows, columns, int(rng.integers(1, 4)))
    windows = geometry(rng, shape[:2])
    layer = layer_of(windows, shape, bits, signed, int(rng.integers(1, 6)), kind, rng)
    stage = LayerStage(layer, shape, options)
    images = rng.integers(0, 1 << bits, (3, *shape))
    blanks = stage.raster.lead + int(rng.integers(0, 5)) if case % 2 else None
    found = run(stage, list(slots_of(images, case % 3 == 0, 1, rng, blanks)))
    sums = np.array([numbers for blank, numbers in found if not blank])
    shown = windows_of(images, windows, signed, bits) - (1 << (bits - 1) if signed else 0)
    assert (sums == shown @ layer.values.reshape(len(layer.values), -1).T).all(), (shape, windows)
