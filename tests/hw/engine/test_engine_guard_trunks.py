"""Streams of trunks of a guarded engine, beside images that end with an error."""

import pytest

from dorefa.sim.amaranth.trunk_memory import TrunkMemory

from .guarded import Guarded, first_cut, residual, with_trunks


def test_the_image_behind_a_wrong_trunk(rng):
    """Trunks of both passes that keep one come back, the first one too short once."""

    class Short(TrunkMemory):
        sent = 0

        async def send(self, ctx, packet, number):
            self.sent += 1
            await super().send(ctx, packet[:-3] if self.sent == 1 else packet, number)

    guarded = with_trunks(rng, Short)

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        await guarded.fails(ctx, "wrong_trunks")
        await guarded.recovers(ctx)

    guarded.run(testbench)


@pytest.mark.parametrize("late", [0, 200])
def test_a_trunk_that_no_pass_adds(late, rng):
    """It comes behind those of its image, while that runs or afterwards, and harms none."""

    class Again(TrunkMemory):
        sent = 0

        async def send(self, ctx, packet, number):
            await super().send(ctx, packet, number)
            self.sent += 1
            if self.sent == 2:
                for _ in range(late):
                    await ctx.tick()
                await super().send(ctx, packet, number)

    guarded = with_trunks(rng, Again)

    async def testbench(ctx):
        assert await guarded.right(ctx)
        for _ in range(300):
            await ctx.tick()
        assert await guarded.told(ctx, "wrong_trunks")
        for _ in range(2):
            await guarded.recovers(ctx)

    guarded.run(testbench)


def test_other_errors_beside_trunks(rng):
    """A packet of weights of another length, and an image that does not come to its end. A trunk that comes
    while an image ends with an error is not wrong."""

    guarded = Guarded(residual(rng), rng, first_cut, trunks="stream")

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        await guarded.fails(ctx, "wrong_weights")
        await guarded.send(ctx, 0, cut=5)
        for _ in range(3 * guarded.patience):
            await ctx.tick()
        assert await guarded.told(ctx, "timeout")
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_a_trunk_that_waits_for_its_receiver(rng):
    """No time is out; a reset waits until the beat is gone, and the next image is right."""
    may = []

    class Slow(TrunkMemory):
        async def take(self, ctx):
            while not may:
                await ctx.tick()
            await super().take(ctx)

    guarded = with_trunks(rng, Slow)
    port = guarded.engine.trunks_o

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        for _ in range(3 * guarded.patience):
            await ctx.tick()
        assert ctx.get(port.valid) and await guarded.told(ctx)
        waiting = ctx.get(port.payload)
        await guarded.write(ctx, "control", 3)
        await guarded.write(ctx, "control", 1)
        for _ in range(50):
            await ctx.tick()
            assert ctx.get(port.valid) and ctx.get(port.payload) == waiting
        assert ctx.get(guarded.engine.status.busy)
        may.append(True)
        for _ in range(50):
            await ctx.tick()
        assert not ctx.get(guarded.engine.status.busy) and not ctx.get(port.valid)
        guarded.answers.clear()
        await guarded.recovers(ctx)

    guarded.run(testbench)
