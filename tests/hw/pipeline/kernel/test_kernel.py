# amaranth: UnusedElaboratable=no
"""Sums of constant weights: every form of weights and digits, with and without gaps, in the cells of ECP5."""

import itertools

import numpy as np
import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.pipeline.kernel.kernel import ConstantKernel, KernelOptions

from ...fabric.cells import Netlist
from ...support import simulate
from .drive import WEIGHTS, beats, codes, sums_of


def options_of(bits):
    """Every way to cut codes of so many bits."""
    for size, serial, absorbs in itertools.product((1, 2), (False, True), (False, True)):
        yield KernelOptions(digit_bits=size, serial=serial, absorbs=absorbs, evaluations=10)
    yield KernelOptions(digit_bits=bits, serial=False, absorbs=False, evaluations=10)


def run(kernel, drawn, rng):
    """The sums of all codes, from Amaranth's simulator."""
    cycles, latency, found = beats(kernel, drawn, rng), kernel.latency, []

    async def testbench(ctx):
        due = {at + latency for at, (_, _, number) in enumerate(cycles) if number is not None}
        for cycle in range(len(cycles) + latency):
            word, first, _ = cycles[cycle] if cycle < len(cycles) else (0, False, None)
            ctx.set(kernel.x, word)
            if kernel.steps > 1:
                ctx.set(kernel.first, first)
            if cycle in due:
                found.append(sums_of(kernel, ctx.get(kernel.y)))
            await ctx.tick()

    simulate(kernel, testbench, limit=len(cycles) + latency + 2)
    return np.array(found)


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("bits", [1, 2, 3, 8])
def test_sums(kind, bits, rng):
    for options in options_of(bits):
        shape = rng.integers(1, (7, 26))
        values = WEIGHTS[kind](rng, shape)
        kernel = ConstantKernel(values, bits, options, turns=bool(rng.integers(2)))
        drawn = codes(rng, 12, shape[1], bits)
        assert (run(kernel, drawn, rng) == drawn @ values.T).all(), (options, shape)


@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize("serial", [False, True])
def test_levels_a_register(every, serial, rng):
    values = WEIGHTS["bipolar"](rng, (5, 40))
    slow, fast = (
        ConstantKernel(
            values, 4, KernelOptions(digit_bits=2, serial=serial, absorbs=True, every=count, evaluations=0)
        )
        for count in (1, every)
    )
    drawn = codes(rng, 20, 40, 4)
    assert (run(fast, drawn, rng) == drawn @ values.T).all()
    assert fast.latency < slow.latency


def test_weights_that_are_all_zero(rng):
    values = np.zeros((3, 4), int)
    for options in options_of(2):
        kernel = ConstantKernel(values, 2, options)
        assert not run(kernel, codes(rng, 4, 4, 2), rng).any()


@pytest.mark.parametrize(
    "kind, bits, size, serial",
    [
        ("bipolar", 2, 2, False),
        ("bipolar", 2, 1, True),
        ("bipolar", 5, 2, True),
        ("odd", 3, 1, True),
        ("odd", 4, 2, False),
        ("ternary", 2, 2, False),
        ("signed", 2, 1, True),
    ],
)
def test_in_the_cells_of_ecp5(kind, bits, size, serial, rng, tmp_path):
    """Many streams of codes at once, a code right behind the other."""
    values = WEIGHTS[kind](rng, (6, 30))
    kernel = ConstantKernel(values, bits, KernelOptions(digit_bits=size, serial=serial, absorbs=True))
    streams, count = 96, 4
    drawn = rng.integers(0, 1 << bits, (count, streams, 30))
    drawn[0, 0], drawn[0, 1] = 0, (1 << bits) - 1
    netlist = Netlist(kernel, "ecp5", tmp_path, rng, streams)
    steps, latency, found = kernel.steps, kernel.latency, []
    if steps > 1:
        netlist.set("rst", [1] * streams)
        netlist.evaluate()
        netlist.tick()
        netlist.set("rst", [0] * streams)
    for cycle in range(count * steps + latency + steps - 1):
        number, step = divmod(cycle, steps)
        place = size * (steps - 1 - step)
        if number < count:
            digits = drawn[number] >> place & ((1 << size * kernel.digits) - 1)
            width = size * kernel.digits
            netlist.set(
                "x", [sum(int(code) << (width * at) for at, code in enumerate(row)) for row in digits]
            )
        if steps > 1:
            netlist.set("first", [int(step == 0)] * streams)
        netlist.evaluate()
        ended = cycle - latency - (steps - 1)
        if ended >= 0 and ended % steps == 0:
            found.append([sums_of(kernel, word) for word in netlist.get("y")])
        netlist.tick()
    assert (np.array(found) == drawn @ values.T).all()


def test_digits_that_no_chain_absorbs():
    with pytest.raises(InputError, match="digit_bits is 3; accepted where the fabric absorbs digits: 1, 2"):
        ConstantKernel(np.ones((1, 1), int), 3, KernelOptions(digit_bits=3, serial=False, absorbs=True))
