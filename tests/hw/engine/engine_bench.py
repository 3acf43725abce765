"""Runs a compiled network on an engine in Amaranth's simulator and shows everything it did."""

from dataclasses import dataclass, field

import numpy as np
from amaranth import ResetInserter, Shape, Signal

from dorefa.golden.run.integer import run_integer
from dorefa.hw.compiler.cycles import predict
from dorefa.hw.compiler.packets import weight_packet
from dorefa.hw.engine.engine import Engine
from dorefa.hw.interface.registers import REGISTERS
from dorefa.sim.amaranth.trunk_memory import TrunkMemory
from dorefa.sim.job.design import CORE
from dorefa.sim.job.snapshot import regions, values

from ..support import fill_memories, flat, memories_of, receive, simulate


@dataclass
class Outcome:
    """What an engine did: `results` per image, `values` per image (codes and trunks by golden's
    names), `cycles` per image and pass, `register` the cycles register at the end, `dropped`,
    `wrong_weights` and `wrong_trunks` its status bits."""

    results: list = field(default_factory=list)
    values: list = field(default_factory=list)
    cycles: list = field(default_factory=list)
    register: int = 0
    dropped: bool = False
    wrong_weights: bool = False
    wrong_trunks: bool = False


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


def weight_beats(packet, port_bytes):
    """Beats of one packet of weights, bytes of whole beats."""
    starts = range(0, len(packet), port_bytes)
    return [
        {"data": int.from_bytes(packet[start : start + port_bytes], "little"), "last": start == starts[-1]}
        for start in starts
    ]


class Bench:
    """One engine with a compiled network.

    `preload`: memories and registers from the start instead of host writes. Every other memory word
    is random before the first cycle. `gaps` and `stalls`: probability of an idle cycle of the host,
    image and weight ports and of a refused one of the result port. `packets_of` (image's number)
    gives the weight packets of an image where they are not the network's, `trunk_memory` is the class of
    what streams residual trunks back.
    """

    def __init__(
        self, compiled, rng, *, gaps=0, stalls=0, preload=True, packets_of=None, trunk_memory=TrunkMemory
    ):
        self.trunk_memory = trunk_memory
        self.compiled, self.rng, self.gaps, self.stalls = compiled, rng, gaps, stalls
        self.preload, self.config = preload, compiled.config
        own = [weight_packet(words, self.config) for words in compiled.weight_packets]
        self.packets_of = packets_of or (lambda image: own)
        self.weight_count = sum(map(len, own)) // self.config.port_bytes
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

    async def send(self, ctx, beats, stream=None):
        """Sends beats to the image port, or to another stream."""
        stream = self.engine.i if stream is None else stream
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
        ctx.set(self.engine.host.addr, REGISTERS[name].address)
        await ctx.tick()
        return ctx.get(self.engine.host.r_data)

    def loaded(self):
        """Memories that hold the network of a preloaded engine."""
        if not self.preload:
            return ()
        kinds = ["quantizer.", "residual.lane"]
        kinds += ["weights."] if self.config.weights == "onchip" else []
        slices = range(self.config.engines)
        return ("sequencer.", *(f"slice{number}.{kind}" for number in slices for kind in kinds))

    def copy(self, ctx, region):
        """The words of a Region as they lie in its memory, uint8 (rows, bytes)."""
        memory = self.memories[region.memory.removeprefix(f"{CORE}.")]
        size = -(-Shape.cast(memory.shape).width // 8)
        rows = range(region.first, region.first + region.rows)
        words = b"".join(ctx.get(memory[row]).to_bytes(size, "little") for row in rows)
        return np.frombuffer(words, np.uint8).reshape(region.rows, size)

    def run(self, packets, images, before=None):
        """Sends `packets` (lists of beats) of which `images` are right; returns the Outcome.

        `before(ctx)`: what happens after loading and before the first packet.
        """
        outcome = Outcome()
        engine = self.engine
        copies = regions(self.compiled)
        beats = sum(map(len, packets))
        writes = 0 if self.preload else sum(1 for _ in self.compiled.host_writes())
        work = images * (self.compiled.cycles + 50 + self.weight_count) + beats + writes
        slower = 1 / (1 - max(self.gaps, self.stalls)) * 3
        ready = []

        async def feed(ctx):
            fill_memories(ctx, self.memories, self.rng, but=self.loaded())
            if not self.preload:
                await self.load(ctx)
            if before:
                await before(ctx)
            ready.append(True)
            for packet in packets:
                await self.send(ctx, packet)

        async def stream(ctx):
            while not ready:
                await ctx.tick()
            for image in range(images):
                for packet in self.packets_of(image):
                    await self.send(ctx, weight_beats(packet, self.config.port_bytes), engine.weights)

        async def take(ctx):
            while not ready:
                await ctx.tick()
            taken, _ = await receive(
                ctx,
                engine.o,
                lambda taken: sum(r.last for r in taken) == images,
                self.rng,
                stalls=self.stalls,
            )
            outcome.results.append([])
            for result in taken:
                outcome.results[-1].append(result.data)
                if result.last and len(outcome.results) < images:
                    outcome.results.append([])

        async def watch(ctx):
            while not ready:
                await ctx.tick()
            while len(outcome.cycles) < images:
                began, cycle, spent, copied = None, 0, [], []
                while len(spent) < len(copies):
                    _, _, first, done = await ctx.tick().sample(
                        engine.status.first_read, engine.status.layer_done
                    )
                    cycle += 1
                    if first:
                        assert began is None and not spent
                        began = cycle
                    if done:
                        copied.append([self.copy(ctx, region) for region in copies[len(spent)]])
                        spent.append(cycle - began)
                        began = cycle
                outcome.cycles.append(spent)
                packets = trunks.kept[per_image * len(outcome.values) :] if streams else ()
                outcome.values.append(values(self.compiled, copied, packets))
            outcome.register = await self.read(ctx, "cycles")
            status = await self.read(ctx, "status")
            assert not status & 1, "busy after the last image"
            outcome.dropped = bool(status & 2)
            outcome.wrong_weights = bool(status & 4)
            outcome.wrong_trunks = bool(status & 8)

        monitors = [stream] if self.config.weights == "stream" else []
        streams = self.config.trunks == "stream"
        if streams:
            sent, plan = self.compiled.schedule.trunk_plan
            per_image = len(sent)
            trunks = self.trunk_memory(
                engine, plan, per_image, waits=lambda: self.rng.random() < max(self.gaps, self.stalls)
            )
            monitors += [trunks.take, trunks.give]
        simulate(self.fragment, feed, take, watch, limit=int(work * slower) + 2000, monitors=monitors)
        return outcome


def compare(compiled, images, outcome):
    """Every result, every layer's codes and every kept trunk against the integer golden model."""
    expected = run_integer(compiled.network, images)
    results = expected.pop(compiled.network.layers[-1].name)
    assert len(outcome.results) == len(images)
    for number in range(len(images)):
        assert outcome.values[number].keys() == expected.keys()
        for name, held in outcome.values[number].items():
            want = expected[name][number].reshape(held.shape)
            assert (held == want).all(), f"image {number}, {name}"
        assert outcome.results[number] == results[number].reshape(-1).tolist(), f"image {number}"


def check_cycles(compiled, outcome):
    """Predicted cycles of every pass, and the engine's own count, without stalls."""
    passes = predict(compiled.network, compiled.schedule, compiled.config)
    predicted = [part.cycles for part in passes]
    assert [layer.cycles for layer in compiled.layers] == [
        sum(predicted[layer.passes.start : layer.passes.stop]) for layer in compiled.layers
    ]
    for spent in outcome.cycles:
        assert spent == predicted
    assert outcome.register == compiled.cycles
