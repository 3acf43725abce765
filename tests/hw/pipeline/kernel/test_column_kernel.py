# amaranth: UnusedElaboratable=no
"""Sums by columns: windows of every width, masks, dilation, gaps, clears, in the cells of ECP5."""

import numpy as np
import pytest

from dorefa.golden import lower
from dorefa.golden.errors import InputError
from dorefa.golden.zoo import catalog
from dorefa.hw.pipeline.kernel.column_kernel import ColumnKernel
from dorefa.hw.pipeline.kernel.columns import Columns
from dorefa.hw.pipeline.kernel.kernel import KernelOptions

from ...fabric.cells import Netlist
from ...support import flat, simulate
from .drive import WEIGHTS, codes, sums_of

KINDS = ("bipolar", "ternary")


def kernel_of(kind, bits, rng, *, absorbs=False, every=1, clears=False):
    """A random kernel, and its columns."""
    outputs, width, inputs = rng.integers(1, (7, 6, 10))
    columns = Columns(
        gated=(rng.random(width) < 0.5).tolist(),
        dilation=int(rng.integers(1, 4)),
        outside=int(rng.integers(0, 1 << bits)),
        clears=clears,
    )
    options = KernelOptions(digit_bits=bits, serial=False, columns=True, absorbs=absorbs, every=every)
    values = WEIGHTS[kind](rng, (outputs, width, inputs))
    return ColumnKernel(values, bits, options, columns, turns=bool(rng.integers(2))), columns


def expected(kernel, columns, drawn, inside):
    """The sums after each slot, (outputs,): of the slots before the first one everything lay outside.

    drawn: (slots, inputs); inside: bool (slots, columns)."""
    width = len(columns.gated)
    found = np.zeros((len(drawn), len(kernel.values)), int)
    for column in range(width):
        counts = inside[:, column] | ~np.array(columns.gated)[column]
        shown = np.where(counts[:, None], drawn, columns.outside)
        late = min(len(drawn), (width - 1 - column) * columns.dilation)
        shown = np.vstack([np.full((late, drawn.shape[1]), columns.outside), shown[: len(drawn) - late]])
        found += shown @ kernel.values[:, column].T
    return found


def true(kernel, word):
    """The sums in a word of `y`."""
    return sums_of(kernel, word) - kernel.offsets


def run(kernel, drawn, inside, rng, bits):
    """The sums after each slot; between slots there are gaps with anything at the inputs."""
    found, due, cycle = [], set(), 0

    async def testbench(ctx):
        nonlocal cycle

        async def tick(row=None, flags=None):
            nonlocal cycle
            if cycle in due:
                found.append(true(kernel, ctx.get(kernel.y)))
            ctx.set(kernel.step, row is not None)
            noise = rng.integers(0, 1 << bits, drawn.shape[1])
            ctx.set(kernel.x, flat(noise if row is None else row, bits))
            ctx.set(
                kernel.inside, int(rng.integers(1 << inside.shape[1])) if flags is None else flat(flags, 1)
            )
            if row is not None:
                due.add(cycle + kernel.latency)
            await ctx.tick()
            ctx.set(kernel.clear, 0)
            cycle += 1

        for _ in range(2):
            for row, flags in zip(drawn, inside, strict=True):
                await tick(row, flags)
                for _ in range(max(0, int(rng.integers(-1, 3)))):
                    await tick()
            ctx.set(kernel.clear, 1)
            for _ in range(kernel.latency + 1):
                await tick()

    simulate(kernel, testbench, limit=1000)
    return np.array(found).reshape(2, len(drawn), -1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize("every", [1, 2])
def test_sums(kind, bits, every, rng):
    for case in range(6):
        kernel, columns = kernel_of(kind, bits, rng, every=every, clears=bool(case % 2))
        drawn = codes(rng, 24, kernel.values.shape[2], bits)
        inside = rng.integers(0, 2, (24, len(columns.gated))).astype(bool)
        found, wanted = run(kernel, drawn, inside, rng, bits), expected(kernel, columns, drawn, inside)
        # Without clears a window that began before the first slot is never asked for.
        first = 0 if columns.clears else (len(columns.gated) - 1) * columns.dilation
        assert (found[:, first:] == wanted[first:]).all(), (kernel.values.shape, columns)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [2, 8])
def test_in_the_cells_of_ecp5(kind, bits, rng, tmp_path):
    """Many streams of columns at once, a column right behind the other."""
    kernel, columns = kernel_of(kind, bits, rng, absorbs=True)
    streams, count, (_, width, inputs) = 64, 16, kernel.values.shape
    drawn = rng.integers(0, 1 << bits, (streams, count, inputs))
    drawn[0], drawn[1] = 0, (1 << bits) - 1
    inside = rng.integers(0, 2, (streams, count, width)).astype(bool)
    netlist = Netlist(kernel, "ecp5", tmp_path, rng, streams)
    netlist.set("step", [1] * streams)
    found = []
    for cycle in range(count + kernel.latency):
        if cycle < count:
            netlist.set("x", [flat(row, bits) for row in drawn[:, cycle]])
            netlist.set("inside", [flat(row, 1) for row in inside[:, cycle]])
        netlist.evaluate()
        if cycle >= kernel.latency:
            found.append([true(kernel, word) for word in netlist.get("y")])
        netlist.tick()
    wanted = [expected(kernel, columns, *stream) for stream in zip(drawn, inside, strict=True)]
    first = (width - 1) * columns.dilation
    assert (np.moveaxis(found, 0, 1)[:, first:] == np.array(wanted)[:, first:]).all()


def test_a_trained_layer(rng):
    """The first layer of digits-small: 16 outputs of 5x5 pixels of 8 bits."""
    values = lower(catalog.load("digits-small", net_w=1, net_a=2)).layers[0].values
    columns = Columns([False] * 5)
    options = KernelOptions(digit_bits=8, serial=False, columns=True, absorbs=True)
    kernel = ColumnKernel(np.moveaxis(values, 2, 1).reshape(16, 5, 5), 8, options, columns)
    drawn, inside = codes(rng, 40, 5, 8), np.zeros((40, 5), bool)
    assert (run(kernel, drawn, inside, rng, 8) == expected(kernel, columns, drawn, inside))[:, 4:].all()
    assert (len(kernel.sums.nodes), kernel.estimate()) == (24, 1067)


def test_an_addition_costs_the_bits_of_its_sum(rng):
    """One output of three columns of one input: two additions, of 9 and of 10 bits."""
    options = KernelOptions(digit_bits=8, serial=False, columns=True, absorbs=True)
    kernel = ColumnKernel(np.ones((1, 3, 1), int), 8, options, Columns([False] * 3))
    assert (kernel.estimate(), kernel.sum_bits, kernel.latency) == (19, 10, 1)


def test_other_weights():
    options = KernelOptions(digit_bits=8, serial=False, columns=True, absorbs=True)
    with pytest.raises(InputError, match="weights up to 3; accepted in columns: -1, 0 and 1"):
        ColumnKernel(np.full((1, 1, 1), 3), 8, options, Columns([False]))
