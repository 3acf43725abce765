"""The watchdog: exactly after its limit, and never without one."""

import pytest

from dorefa.hw.engine.watchdog import Watchdog
from dorefa.hw.verilog.export import export

from ..support import simulate


@pytest.mark.parametrize("limit", [0, 1, 2, 7])
def test_against_a_count(limit, rng):
    unit = Watchdog()

    async def testbench(ctx):
        ctx.set(unit.limit, limit)
        still, fired = 0, 0
        for _ in range(600):
            watched, moved = rng.random() < 0.95, rng.random() < 0.15
            ctx.set(unit.watched, watched)
            ctx.set(unit.moved, moved)
            expected = limit and still == limit
            assert ctx.get(unit.timeout) == expected
            fired += bool(expected)
            still = 0 if moved or not watched or expected else still + 1
            await ctx.tick()
        assert bool(fired) == bool(limit)

    simulate(unit, testbench, limit=700)


def test_a_limit_that_is_lowered():
    """The count that is beyond it already ends."""
    unit = Watchdog()

    async def testbench(ctx):
        ctx.set(unit.limit, 100)
        ctx.set(unit.watched, 1)
        for _ in range(20):
            await ctx.tick()
        ctx.set(unit.limit, 10)
        assert ctx.get(unit.timeout)

    simulate(unit, testbench, limit=50)


def test_counts_as_far_as_any_limit():
    """Too far to be simulated."""
    text = export(Watchdog())
    assert "input [31:0] limit;" in text and "reg [31:0] count;" in text
