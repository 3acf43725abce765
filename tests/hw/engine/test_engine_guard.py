"""An engine that says so: every cause reaches the status, ends its image with an error, and the next one is
right. Many scenarios of these, on the Verilog, are in tests/sim/test_faults.py."""

import pytest

from dorefa.sim.amaranth.trunk_memory import TrunkMemory

from .guarded import Guarded, chain, first_cut
from .output.test_trunk_streams import residual


def test_a_packet_of_weights_of_another_length(rng):
    guarded = Guarded(chain(rng), rng, first_cut)

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        await guarded.fails(ctx, "wrong_weights")
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_an_image_that_does_not_go_on(rng):
    """Not before the watchdog's time is out; what comes then begins the next image."""
    guarded = Guarded(chain(rng), rng)

    async def testbench(ctx):
        await guarded.send(ctx, 0, cut=5)
        waited = 0
        while not ctx.get(guarded.engine.interrupt) and waited < 3 * guarded.patience:
            await ctx.tick()
            waited += 1
        # Weights have come meanwhile.
        assert waited >= guarded.patience
        # No image was accepted: there is no answer.
        assert await guarded.told(ctx, "timeout") and not guarded.answers
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_nothing_waits_for_the_engine(rng):
    """Between images, and while a result waits for its receiver, no time is out."""
    guarded = Guarded(chain(rng), rng)

    async def testbench(ctx):
        for _ in range(3 * guarded.patience):
            await ctx.tick()
        await guarded.send(ctx, 0)
        ctx.set(guarded.engine.o.ready, 0)
        for _ in range(6 * guarded.patience):
            await ctx.tick()
        assert not guarded.answers
        ctx.set(guarded.engine.o.ready, 1)
        scores, marked = await guarded.answer(ctx)
        assert len(scores) == 3 and not marked
        assert await guarded.told(ctx)

    guarded.run(testbench)


def test_an_image_that_nobody_takes(rng):
    """Without enable it is not waited for."""
    guarded = Guarded(chain(rng), rng)

    async def testbench(ctx):
        await guarded.write(ctx, "control", 0)
        ctx.set(guarded.engine.i.valid, 1)
        for _ in range(2 * guarded.patience):
            await ctx.tick()
        ctx.set(guarded.engine.i.valid, 0)
        assert await guarded.told(ctx)
        await guarded.write(ctx, "control", 1)
        assert await guarded.right(ctx)

    guarded.run(testbench)


@pytest.mark.parametrize("more, causes", [(-1, ()), (1, ("wrong_weights",))])
def test_a_program_that_ends_elsewhere(more, causes, rng):
    """To a pass that the program has not come the weights of the next image."""
    guarded = Guarded(chain(rng), rng)
    passes = len(guarded.compiled.schedule.passes)

    async def testbench(ctx):
        await guarded.write(ctx, "layers", passes + more)
        await guarded.send(ctx, 0)
        await guarded.fails(ctx, "invalid_program", *causes)
        await guarded.write(ctx, "layers", passes)
        await guarded.recovers(ctx)

    guarded.run(testbench)


@pytest.mark.parametrize("after", [3, 40, 100])
def test_reset_by_the_host(after, rng):
    guarded = Guarded(chain(rng), rng)

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        for _ in range(after):
            await ctx.tick()
        await guarded.write(ctx, "control", 3)
        for _ in range(10):
            await ctx.tick()
        await guarded.write(ctx, "control", 1)
        for _ in range(100):
            await ctx.tick()
        guarded.answers.clear()
        await guarded.recovers(ctx)

    guarded.run(testbench)


def test_a_trunk_of_another_length(rng):
    class Short(TrunkMemory):
        async def send(self, ctx, packet, number):
            await super().send(ctx, packet[:-3], number)

    guarded = Guarded(residual(rng), rng, trunk_memory=Short, trunks="stream")

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        await guarded.fails(ctx, "wrong_trunks")

    guarded.run(testbench)


def test_trunks_say_of_which_image_they_are(rng):
    numbers = []

    class Seen(TrunkMemory):
        async def send(self, ctx, packet, number):
            numbers.append(number)
            await super().send(ctx, packet, number)

    guarded = Guarded(residual(rng), rng, trunk_memory=Seen, trunks="stream")

    async def testbench(ctx):
        for image in range(2):
            assert await guarded.right(ctx, image)
        assert await guarded.told(ctx)

    guarded.run(testbench)
    images = [number >> guarded.compiled.config.pass_bits for number in numbers]
    assert images == [1] * (len(images) // 2) + [2] * (len(images) // 2) != []
