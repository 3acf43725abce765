"""An engine that says so, with its host: what the tests of its errors share."""

import numpy as np

from dorefa.golden.lowering.lower import lower
from dorefa.golden.network.parts import Rescale
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

    async def fails(self, ctx, *names):
        """The next answer is marked, for these causes."""
        assert (await self.answer(ctx))[1]
        assert await self.told(ctx, *names)

    async def recovers(self, ctx):
        """The next image's answer is golden's, and there is no cause."""
        assert await self.right(ctx)
        assert await self.told(ctx)


def chain(rng):
    """Two convolutions and a fully connected layer."""
    layers = [
        draw_layer(rng, "first", (5, 3, 3, 2), padding=(1, 1, 1, 1)),
        draw_layer(rng, "second", (4, 1, 1, 5)),
        draw_layer(rng, "fc", (3, 1, 1, 48), kind="fc", a_bits=None),
    ]
    return lower(network((4, 3, 2), 2, *layers))


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


def first_cut(image, own):
    """Packets of weights, of which those of the first image's second pass are cut in half."""
    return [own[0], own[1][: len(own[1]) // 2], *own[2:]] if image == 0 else own
