"""Thermometers: every number of every width against a comparison for each place."""

import pytest
from amaranth import Module, Signal

from dorefa.hw.lib.thermometer import reached

from ..support import simulate


@pytest.mark.parametrize("bits", range(1, 7))
def test_every_number(bits):
    m, places = Module(), 1 << bits
    value, out = Signal(bits), Signal(places)
    m.d.comb += out.eq(reached(value, places))

    async def testbench(ctx):
        for number in range(places):
            ctx.set(value, number)
            assert ctx.get(out) == sum(1 << place for place in range(places) if number <= place)
            await ctx.delay(1e-6)

    simulate(m, testbench, limit=places + 2)
