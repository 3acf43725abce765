"""What a guarded engine's watchdog sees as a move, what the host may do meanwhile, and streams of trunks of
images that end with an error."""

import numpy as np
import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Rescale
from dorefa.sim.amaranth.trunk_memory import TrunkMemory
from dorefa.sim.job.beats import beats, image_packet

from ..support import draw_layer, network
from .test_engine_guard import Guarded, chain


def residual(rng):
    """A trunk of two channels on a 2x2 map, to which a layer is added, and to the sum another one."""

    def trunk(name, **fields):
        rescale = Rescale(
            m=rng.integers(-9, 10, 2), b=rng.integers(-50, 50, 2), f=3, scale=np.float32(0.125), bits=12
        )
        return draw_layer(rng, name, (2, 1, 1, 2), rescale=rescale, **fields)

    layers = [
        trunk("first", a_bits=None),
        trunk("second", source="input", add="first", a_bits=2),
        trunk("third", add="second", a_bits=2),
        draw_layer(rng, "fc", (3, 1, 1, 8), kind="fc", a_bits=None),
    ]
    return lower(network((2, 2, 2), 2, *layers))


def with_trunks(rng, trunk_memory=TrunkMemory):
    return Guarded(residual(rng), rng, trunk_memory=trunk_memory, trunks="stream")


def moves(guarded):
    """What the watchdog has to see, and whether an image is under way."""
    engine, sequencer = guarded.engine, guarded.bench.component("core.sequencer")
    seen = sequencer.start | sequencer.ended
    for name in ("i", "weights", "trunks_i"):
        if hasattr(engine, name):
            seen = seen | (getattr(engine, name).valid & getattr(engine, name).ready)
    for name in ("o", "trunks_o"):
        if hasattr(engine, name):
            seen = seen | getattr(engine, name).valid
    return seen, sequencer.under_way


@pytest.mark.parametrize("trunks", [False, True])
def test_the_shortest_time_of_the_watchdog(trunks, rng):
    """Beats of every stream, beginnings and ends of passes are moves, and nothing else is: the longest time
    between two of an image is enough, and a cycle less is not."""
    guarded = with_trunks(rng) if trunks else Guarded(chain(rng), rng)
    seen, waits = moves(guarded), [0]

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        while not guarded.answers:
            *_, moved, watched = await ctx.tick().sample(*seen)
            waits.append(0 if moved or not watched else waits[-1] + 1)
        assert not guarded.answers.pop()[1] and await guarded.told(ctx)
        # The time is out in the cycle behind so many.
        await guarded.write(ctx, "watchdog", max(waits) + 1)
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)
        await guarded.write(ctx, "watchdog", max(waits))
        await guarded.send(ctx, 0)
        assert (await guarded.answer(ctx))[1]
        assert await guarded.told(ctx, "timeout")

    guarded.run(testbench)


def test_a_host_that_writes_on_and_on(rng):
    """No image begins meanwhile, and one that waits is waited for."""
    guarded = Guarded(residual(rng), rng)

    async def testbench(ctx):
        ctx.set(guarded.engine.i.valid, 1)
        for _ in range(guarded.patience + 10):
            await guarded.write(ctx, "watchdog", guarded.patience)
        ctx.set(guarded.engine.i.valid, 0)
        assert await guarded.told(ctx, "timeout")
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

    guarded.run(testbench)


def test_an_image_without_a_program(rng):
    """The engine was enabled with one, which is gone."""
    guarded = Guarded(residual(rng), rng)

    async def testbench(ctx):
        await guarded.write(ctx, "layers", 0)
        await guarded.send(ctx, 0)
        assert await guarded.told(ctx, "invalid_program") and not guarded.answers
        await guarded.write(ctx, "layers", len(guarded.compiled.schedule.passes))
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

    guarded.run(testbench)


def test_a_write_while_an_image_is_under_way(rng):
    guarded = Guarded(residual(rng), rng)

    async def testbench(ctx):
        await guarded.send(ctx, 1)
        await guarded.write(ctx, "layers", 1)
        assert await guarded.told(ctx, "write_refused")
        assert not (await guarded.answer(ctx))[1]
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

    guarded.run(testbench)


def test_weights_of_a_program_that_is_replaced(rng):
    """An image that was dropped has taken some, which are not those of the next image."""

    def packets(image, own):
        return [bytes(byte ^ 0xFF for byte in packet) for packet in own] if image == 0 else own

    guarded = Guarded(residual(rng), rng, packets)

    async def testbench(ctx):
        packet = [*beats(image_packet(guarded.images[0]), guarded.compiled.config.port_bytes)]
        await guarded.bench.send(ctx, [*packet[:-2], packet[-1]])
        for _ in range(200):
            await ctx.tick()
        assert await guarded.told(ctx, "wrong_packet")
        for address, word in guarded.compiled.host_writes():
            ctx.set(guarded.engine.host.addr, address)
            ctx.set(guarded.engine.host.w_data, word)
            ctx.set(guarded.engine.host.w_en, 1)
            await ctx.tick()
        ctx.set(guarded.engine.host.w_en, 0)
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

    guarded.run(testbench)


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
        assert (await guarded.answer(ctx))[1]
        assert await guarded.told(ctx, "wrong_trunks")
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

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
            assert await guarded.right(ctx)
        assert await guarded.told(ctx)

    guarded.run(testbench)


def test_other_errors_beside_trunks(rng):
    """A packet of weights of another length, and an image that does not come to its end. A trunk that comes
    while an image ends with an error is not wrong."""

    def packets(image, own):
        return [own[0], own[1][: len(own[1]) // 2], *own[2:]] if image == 0 else own

    guarded = Guarded(residual(rng), rng, packets, trunks="stream")

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        assert (await guarded.answer(ctx))[1]
        assert await guarded.told(ctx, "wrong_weights")
        await guarded.send(ctx, 0, cut=5)
        for _ in range(3 * guarded.patience):
            await ctx.tick()
        assert await guarded.told(ctx, "timeout")
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

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
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

    guarded.run(testbench)
