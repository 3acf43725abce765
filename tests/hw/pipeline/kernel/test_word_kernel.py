# amaranth: UnusedElaboratable=no
"""Sums of whole codes: every width of weights and codes, their corners, levels a register, in the cells of
ECP5."""

import numpy as np
import pytest

from dorefa.hw.pipeline.kernel.kernel import KernelOptions
from dorefa.hw.pipeline.kernel.word_kernel import WordKernel, fits_words

from ...fabric.cells import Netlist
from ...support import simulate
from .drive import codes


def options_of(bits, **changed):
    return KernelOptions(
        **{"digit_bits": bits, "serial": False, "absorbs": False, "words": True, "evaluations": 0} | changed
    )


def weights(rng, bits, shape):
    """Of any sign, some zero, the first output's all zero, the second's of one input alone."""
    half = 1 << (bits - 1)
    values = rng.integers(-half, half, shape) * (rng.random(shape) < rng.choice([0.3, 0.9, 1]))
    values[0] = values[1] = 0
    values[1, rng.integers(shape[1])] = -half
    return values


def corners(values, bits):
    """Codes with which every sum is as low and as great as it can be."""
    return np.vstack([values > 0, values < 0]) * ((1 << bits) - 1)


def sums_of(kernel, word):
    """The sums in a word of `y`."""
    bits = kernel.sum_bits
    own = np.array([word >> (bits * at) & ((1 << bits) - 1) for at in range(len(kernel.values))])
    return own - ((own >> (bits - 1)) << bits) - kernel.offsets


def run(kernel, drawn):
    """The sums of codes, one set a cycle, from Amaranth's simulator."""
    found = []

    async def testbench(ctx):
        for cycle in range(len(drawn) + kernel.latency):
            row = drawn[min(cycle, len(drawn) - 1)].tolist()
            ctx.set(kernel.x, sum(code << (kernel.a_bits * at) for at, code in enumerate(row)))
            if cycle >= kernel.latency:
                found.append(sums_of(kernel, ctx.get(kernel.y)))
            await ctx.tick()

    simulate(kernel, testbench, limit=len(drawn) + kernel.latency + 2)
    return np.array(found)


@pytest.mark.parametrize("w_bits", range(1, 9))
@pytest.mark.parametrize("a_bits", range(1, 9))
def test_sums(w_bits, a_bits, rng):
    shape = (int(rng.integers(2, 7)), int(rng.integers(1, 26)))
    values = weights(rng, w_bits, shape)
    offsets = None if rng.integers(2) else 8 * rng.integers(-20, 20, len(values))
    kernel = WordKernel(values, a_bits, options_of(a_bits, every=int(rng.integers(1, 4))), offsets)
    assert offsets is None or (kernel.offsets == offsets).all()
    drawn = np.vstack([codes(rng, 12, shape[1], a_bits), corners(values, a_bits)])
    assert (run(kernel, drawn) == drawn @ values.T).all(), shape


def test_weights_that_are_all_zero(rng):
    kernel = WordKernel(np.zeros((3, 4), int), 5, options_of(5))
    assert not run(kernel, codes(rng, 4, 4, 5)).any()


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("constants", [False, True])
def test_in_the_cells_of_ecp5(every, constants, rng, tmp_path):
    """Many streams of codes at once. Sums with constants of their own are modulo a power of two, and leave a
    carry in the chain that the next sum must not take."""
    values = weights(rng, 6, (6, 20))
    offsets = rng.integers(-500, 500, len(values)) if constants else None
    kernel = WordKernel(values, 5, options_of(5, every=every, absorbs=True), offsets)
    streams, count = 96, 4
    drawn = rng.integers(0, 32, (count, streams, 20))
    ends = corners(values, 5)
    drawn[0, : len(ends)] = ends
    netlist = Netlist(kernel, "ecp5", tmp_path, rng, streams)
    found = []
    for cycle in range(count + kernel.latency):
        if cycle < count:
            netlist.set(
                "x", [sum(int(code) << (5 * at) for at, code in enumerate(row)) for row in drawn[cycle]]
            )
        netlist.evaluate()
        if cycle >= kernel.latency:
            found.append([sums_of(kernel, word) for word in netlist.get("y")])
        netlist.tick()
    assert (np.array(found) == drawn @ values.T).all()


def test_which_weights_are_searched(rng):
    odd = rng.choice([-3, -1, 1, 3], (20, 30))
    assert not fits_words(odd, 2) and fits_words(odd, 3) and fits_words(odd - 1, 2)
    assert not fits_words(np.ones((100, 101), int), 8)
