"""Values clipped to codes, also those that are narrower than a code."""

import pytest
from amaranth import Module, Signal, signed
from amaranth.sim import Simulator

from dorefa.hw.pipeline.kernel.quantizer import _clipped


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_every_value(width, bits):
    m, value, code = Module(), Signal(signed(width)), Signal(bits)
    m.d.comb += code.eq(_clipped(value, bits))

    async def testbench(ctx):
        for number in range(-(1 << (width - 1)), 1 << (width - 1)):
            ctx.set(value, number)
            assert ctx.get(code) == min(max(number, 0), (1 << bits) - 1)

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()
