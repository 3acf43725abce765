"""An engine that says so: every cause reaches the status, ends its image with an error, and the next one is
right. Many scenarios of these, on the Verilog, are in tests/sim/test_faults.py."""

import pytest

from dorefa.golden.lowering.lower import lower
from dorefa.golden.random.network import random_images
from dorefa.golden.run.integer import run_integer
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.interface.faults import FAULTS
from dorefa.hw.interface.registers import REGISTERS
from dorefa.sim.amaranth.bench import Bench
from dorefa.sim.amaranth.trunk_memory import TrunkMemory
from dorefa.sim.job.beats import beats, image_packet
from dorefa.sim.job.job import Job

from ..support import draw_layer, fill_memories, network
from .output.test_trunk_streams import residual

BITS = {fault.name: 1 << fault.bit for fault in FAULTS}


class Guarded:
    """An engine with a network and images, whose host reads the status: `answers`, packets of results as
    (scores, whether they are marked)."""

    def __init__(self, integer, rng, packets=None, trunk_memory=TrunkMemory, stalls=None, **sizes):
        config = fit(integer, lanes=8, rows=2, quant=1, weights="stream", **sizes)
        self.compiled, self.rng = compile_network(integer, config), rng
        self.images = random_images(integer, 2, int(rng.integers(1 << 31)))
        job = Job(compiled=self.compiled, images=self.images)
        own = job.weight_packets
        self.bench = Bench(
            job,
            weight_packets=lambda image: packets(image, own) if packets else own,
            trunk_memory=trunk_memory,
            stalls=stalls,
        )
        self.engine, self.answers, self.done = self.bench.engine, [], False
        # Nothing moves while a pass computes.
        self.patience = max(part.cycles for part in self.compiled.layers) + 20

    async def write(self, ctx, name, value):
        host = self.engine.host
        ctx.set(host.addr, REGISTERS[name].address)
        ctx.set(host.w_data, value)
        ctx.set(host.w_en, 1)
        await ctx.tick()
        ctx.set(host.w_en, 0)

    async def read(self, ctx, name):
        ctx.set(self.engine.host.addr, REGISTERS[name].address)
        await ctx.tick()
        return ctx.get(self.engine.host.r_data)

    async def send(self, ctx, image, cut=None):
        packet = [*beats(image_packet(self.images[image]), self.compiled.config.port_bytes)]
        await self.bench.send(ctx, packet[:cut])

    async def answer(self, ctx, within=4000):
        """The next answer."""
        before = len(self.answers)
        for _ in range(within):
            if len(self.answers) > before:
                return self.answers[-1]
            await ctx.tick()
        return None

    async def right(self, ctx, image=1):
        """Whether the answer to an image is golden's, and not marked."""
        await self.send(ctx, image)
        scores = run_integer(self.compiled.network, self.images)[self.compiled.network.layers[-1].name]
        return await self.answer(ctx) == (scores[image].reshape(-1).tolist(), False)

    def run(self, testbench):
        async def observe(ctx):
            engine, scores = self.engine, []
            ctx.set(engine.o.ready, 1)
            while not self.done:
                *_, taken, beat = await ctx.tick().sample(engine.o.valid & engine.o.ready, engine.o.payload)
                if taken:
                    scores += [beat.data] * (not beat.error)
                    if beat.last:
                        self.answers.append((scores, bool(beat.error)))
                        scores = []

        async def host(ctx):
            fill_memories(ctx, self.bench.memories, self.rng, but=("core.sequencer.", "core.slice"))
            await self.write(ctx, "watchdog", self.patience)
            await self.write(ctx, "interrupts", sum(BITS.values()))
            await testbench(ctx)
            self.done = True

        self.bench.run(observe, host, packets=[])

    async def told(self, ctx, *names):
        """Whether the status has these causes and no other; clears them, and with them the interrupt."""
        status = await self.read(ctx, "status")
        assert ctx.get(self.engine.interrupt) == bool(names)
        await self.write(ctx, "status", status)
        assert not ctx.get(self.engine.interrupt)
        return status & ~1 == sum(BITS[name] for name in names)


def chain(rng):
    """Two convolutions and a fully connected layer."""
    layers = [
        draw_layer(rng, "first", (5, 3, 3, 2), padding=(1, 1, 1, 1)),
        draw_layer(rng, "second", (4, 1, 1, 5)),
        draw_layer(rng, "fc", (3, 1, 1, 48), kind="fc", a_bits=None),
    ]
    return lower(network((4, 3, 2), 2, *layers))


def test_a_packet_of_weights_of_another_length(rng):
    def packets(image, own):
        return [own[0], own[1][: len(own[1]) // 2], *own[2:]] if image == 0 else own

    guarded = Guarded(chain(rng), rng, packets)

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        assert (await guarded.answer(ctx))[1]
        assert await guarded.told(ctx, "wrong_weights")
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

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
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

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
        assert (await guarded.answer(ctx))[1]
        assert await guarded.told(ctx, "invalid_program", *causes)
        await guarded.write(ctx, "layers", passes)
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

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
        assert await guarded.right(ctx)
        assert await guarded.told(ctx)

    guarded.run(testbench)


def test_a_trunk_of_another_length(rng):
    class Short(TrunkMemory):
        async def send(self, ctx, packet, number):
            await super().send(ctx, packet[:-3], number)

    guarded = Guarded(residual(rng), rng, trunk_memory=Short, trunks="stream")

    async def testbench(ctx):
        await guarded.send(ctx, 0)
        assert (await guarded.answer(ctx))[1]
        assert await guarded.told(ctx, "wrong_trunks")

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
