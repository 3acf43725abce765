# amaranth: UnusedElaboratable=no
"""Terms of a trunk: every sum, multipliers of either sign and none, ties, negated sums and offsets."""

from types import SimpleNamespace

import numpy as np
import pytest

from dorefa.golden.lowering.fold import accumulator_ranges
from dorefa.golden.network.parts import Rescale
from dorefa.golden.run.matmul import rescale
from dorefa.hw.pipeline.trunk.rounding import Rounding

from ...support import fields_of, flat, simulate

CHANNELS = 5


def terms_of(rounding, words):
    """Terms of words of values."""
    found, latency = [], rounding.latency

    async def testbench(ctx):
        for cycle in range(len(words) + latency):
            ctx.set(rounding.values, words[min(cycle, len(words) - 1)])
            if cycle >= latency:
                found.append(fields_of(ctx.get(rounding.terms), rounding.bits, CHANNELS))
            await ctx.tick()

    simulate(rounding, testbench, limit=len(words) + latency + 2)
    half = 1 << (rounding.bits - 1)
    return (np.array(found) ^ half) - half


@pytest.mark.parametrize("shift", [0, 1, 2, 7, 20, 31])
@pytest.mark.parametrize("a_signed", [False, True])
def test_terms(shift, a_signed, rng):
    # Channel 0 has as many ties as there are.
    m = rng.integers(-(1 << 20) + 1, 1 << 20, CHANNELS) >> rng.integers(0, 20, CHANNELS)
    m[:3] = 1 << min(19, max(0, shift - 1)), 0, -1
    b = rng.integers(-(1 << 47), 1 << 47, CHANNELS) >> int(rng.integers(10, 47))
    b[0] = 0
    parameters = Rescale(m=m, b=b, f=shift, scale=np.float32(1), bits=32)
    values = rng.integers(-3, 4, (CHANNELS, 3, 3, 2))
    layer = SimpleNamespace(add=0, a_bits=2, a_signed=a_signed, values=values, out_channels=CHANNELS)
    negated, offsets = rng.integers(0, 2, CHANNELS).astype(bool), rng.integers(-9, 10, CHANNELS)
    codes = (-2, 1) if a_signed else (0, 3)
    ends = np.array(accumulator_ranges(values, *codes)).T
    sums = np.concatenate([ends, rng.integers(ends[0], ends[1] + 1, (300, CHANNELS))])
    bits = int(np.abs(sums).max() + 9).bit_length() + 1
    rounding = Rounding(layer, parameters, bits, negated, offsets)
    words = np.where(negated, -(sums + offsets), sums + offsets) & ((1 << bits) - 1)
    found = terms_of(rounding, [flat(row, bits) for row in words.tolist()])
    assert (found == rescale(sums, parameters)).all()
