"""The way back: stopped from the cycle behind a cause on, until all streams have ended."""

import pytest

from dorefa.hw.engine.recovery import Recovery

from ..support import simulate

INPUTS = ("wish", "error", "busy", "stopped")


@pytest.mark.parametrize("stopped", [0.1, 0.5, 0.9])
def test_against_its_rules(stopped, rng):
    unit = Recovery()

    async def testbench(ctx):
        stops, owes, answers = 0, 0, 0
        for _ in range(2000):
            now = {name: int(rng.random() < 0.15) for name in INPUTS}
            now |= {"busy": int(rng.integers(2)), "stopped": int(rng.random() < stopped)}
            for name, value in now.items():
                ctx.set(getattr(unit, name), value)
            answer = owes and now["busy"]
            assert (ctx.get(unit.stop), ctx.get(unit.answer)) == (stops, answer)
            answers += answer
            # An error of what is being stopped is that of no image.
            owes = int(now["error"] and not stops)
            stops = int(now["wish"] or now["error"] or (stops and not now["stopped"]))
            await ctx.tick()
        assert answers

    simulate(unit, testbench, limit=2100)
