"""Runs a compiled network on an engine in Amaranth's simulator and shows everything it did."""

from dataclasses import dataclass, field

import numpy as np
from amaranth import ResetInserter, Signal

from dorefa.golden.inference import run_integer
from dorefa.hw.engine import Engine
from dorefa.hw.memory_map import REGISTERS

from .support import fill_memories, flat, memories_of, receive, simulate


@dataclass
class Outcome:
    """What an engine did: `results` per image, `maps` per image and quantized layer, `cycles` per
    image and layer, `register` the cycles register at the end, `dropped` its status bit."""

    results: list = field(default_factory=list)
    maps: list = field(default_factory=list)
    cycles: list = field(default_factory=list)
    register: int = 0
    dropped: bool = False


def beats_of(codes, port_bytes, rng=None):
    """Beats of one packet; with `rng`, of random length each, empty ones among them."""
    data = np.asarray(codes).reshape(-1).tolist()
    beats = []
    while data or not beats:
        kept = port_bytes if rng is None else int(rng.integers(0, port_bytes + 1))
        kept = min(kept, len(data))
        beats.append({"data": flat(data[:kept], 8), "keep": (1 << kept) - 1, "last": 0})
        data = data[kept:]
    if rng is not None and rng.random() < 0.3:
        beats.append({"data": 0, "keep": 0, "last": 0})
    beats[-1]["last"] = 1
    return beats


class Bench:
    """One engine with a compiled network.

    `preload`: memories and registers from the start instead of host writes. Every other memory word
    is random before the first cycle. `gaps` and `stalls`: probability of an idle cycle of the host
    and image ports and of a refused one of the result port.
    """

    def __init__(self, compiled, rng, *, gaps=0, stalls=0, preload=True):
        self.compiled, self.rng, self.gaps, self.stalls = compiled, rng, gaps, stalls
        self.preload = preload
        self.engine = Engine(compiled.config, memories=compiled.memories if preload else None)
        self.reset = Signal()
        self.fragment, self.memories = memories_of(ResetInserter(self.reset)(self.engine))

    async def idle(self, ctx):
        while self.rng.random() < self.gaps:
            await ctx.tick()

    async def load(self, ctx):
        """Writes program, memories and registers through the host port."""
        host = self.engine.host
        for address, word in self.compiled.host_writes():
            await self.idle(ctx)
            ctx.set(host.addr, address)
            ctx.set(host.w_data, word)
            ctx.set(host.w_en, 1)
            await ctx.tick()
            ctx.set(host.w_en, 0)
            ctx.set(host.w_data, 0xFFFFFFFF)

    async def send(self, ctx, beats):
        stream = self.engine.i
        for beat in beats:
            await self.idle(ctx)
            ctx.set(stream.payload, beat)
            ctx.set(stream.valid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(stream.ready)
            ctx.set(stream.valid, 0)

    async def read(self, ctx, name):
        """A register of the host map."""
        ctx.set(self.engine.host.addr, REGISTERS[name][0])
        await ctx.tick()
        return ctx.get(self.engine.host.r_data)

    def map_of(self, ctx, layer):
        """A layer's output map (H, W, C) as it lies in the feature memory."""
        fetch = self.compiled.config.fetch_bits
        height, width, channels = layer.out_shape
        codes = np.zeros(height * width * channels, np.int64)
        for place in range(-(-len(codes) // fetch)):
            word = layer.out_address + place
            row = ctx.get(self.memories[f"feature.bank{word % 2}"][word >> 1])
            part = codes[place * fetch : (place + 1) * fetch]
            for plane in range(layer.out_bits):
                bits = row >> (plane * fetch)
                part += [((bits >> n) & 1) << plane for n in range(len(part))]
        return codes.reshape(layer.out_shape)

    def run(self, packets, images, before=None):
        """Sends `packets` (lists of beats) of which `images` are right; returns the Outcome.

        `before(ctx)`: what happens after loading and before the first packet.
        """
        outcome = Outcome()
        layers, engine = self.compiled.layers, self.engine
        beats = sum(map(len, packets))
        writes = 0 if self.preload else sum(1 for _ in self.compiled.host_writes())
        work = images * (self.compiled.cycles + 50) + beats + writes
        slower = 1 / (1 - max(self.gaps, self.stalls)) * 3
        ready = []

        async def feed(ctx):
            loaded = ("sequencer.", "weights.", "quantizer.") if self.preload else ()
            fill_memories(ctx, self.memories, self.rng, but=loaded)
            if not self.preload:
                await self.load(ctx)
            if before:
                await before(ctx)
            ready.append(True)
            for packet in packets:
                await self.send(ctx, packet)

        async def take(ctx):
            while not ready:
                await ctx.tick()
            taken, _ = await receive(
                ctx, engine.o, lambda taken: sum(r.last for r in taken) == images, self.rng,
                stalls=self.stalls,
            )  # fmt: skip
            outcome.results.append([])
            for result in taken:
                outcome.results[-1].append(result.data)
                if result.last and len(outcome.results) < images:
                    outcome.results.append([])

        async def watch(ctx):
            while not ready:
                await ctx.tick()
            while len(outcome.cycles) < images:
                began, cycle, spent, maps = None, 0, [], []
                while len(spent) < len(layers):
                    _, _, first, done = await ctx.tick().sample(
                        engine.status.first_read, engine.status.layer_done
                    )
                    cycle += 1
                    if first:
                        assert began is None and not spent
                        began = cycle
                    if done:
                        spent.append(cycle - began)
                        began = cycle
                        if len(spent) < len(layers):
                            maps.append(self.map_of(ctx, layers[len(spent) - 1]))
                outcome.cycles.append(spent)
                outcome.maps.append(maps)
            outcome.register = await self.read(ctx, "cycles")
            status = await self.read(ctx, "status")
            assert not status & 1, "busy after the last image"
            outcome.dropped = bool(status & 2)

        simulate(self.fragment, feed, take, watch, limit=int(work * slower) + 2000)
        return outcome


def compare(compiled, images, outcome):
    """Every result and every layer's map against the integer golden model."""
    expected = run_integer(compiled.network, images)
    names = [layer.name for layer in compiled.layers]
    assert len(outcome.results) == len(images)
    for number in range(len(images)):
        for name, held in zip(names[:-1], outcome.maps[number], strict=True):
            want = expected[name][number].reshape(held.shape)
            assert (held == want).all(), f"image {number}, layer {name}"
        assert outcome.results[number] == expected[names[-1]][number].tolist(), f"image {number}"


def check_cycles(compiled, outcome):
    """Predicted cycles of every layer, and the engine's own count, without stalls."""
    predicted = [layer.cycles for layer in compiled.layers]
    for spent in outcome.cycles:
        assert spent == predicted
    assert outcome.register == compiled.cycles
