"""Runs a compiled network on an engine in Amaranth's simulator and shows everything it did."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np

from dorefa.golden.run.integer import run_integer
from dorefa.hw.compiler.cycles import predict
from dorefa.hw.interface.registers import REGISTERS
from dorefa.sim.amaranth import bench
from dorefa.sim.amaranth.streams import Stalls
from dorefa.sim.amaranth.trunk_memory import TrunkMemory
from dorefa.sim.job.beats import Beat
from dorefa.sim.job.job import Job

from ..support import fill_memories, flat, waves_of


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
        beats.append(Beat(data=flat(data[:kept], 8), keep=(1 << kept) - 1, last=False))
        data = data[kept:]
    if rng is not None and rng.random() < 0.3:
        beats.append(Beat(data=0, keep=0, last=False))
    beats[-1] = beats[-1]._replace(last=True)
    return beats


class Bench:
    """One engine with a compiled network.

    `preload`: memories and registers from the start instead of host writes. Every other memory word
    is random before the first cycle. `gaps` and `stalls`: probability of an idle cycle of the ports that send
    and of a refused one of those that take. `packets_of` (image's number) gives the weight packets of an
    image where they are not the network's, `trunk_memory` is the class of what streams residual trunks back.
    """

    def __init__(
        self, compiled, rng, *, gaps=0, stalls=0, preload=True, packets_of=None, trunk_memory=TrunkMemory
    ):
        self.compiled, self.rng, self.preload = compiled, rng, preload
        self.stalls = Stalls(rng, source=round(100 * gaps), sink=round(100 * stalls))
        job = Job(
            compiled=compiled,
            images=np.empty((0, *compiled.network.input_shape), np.uint8),
            stalls=round(100 * max(gaps, stalls)),
            through_port=not preload,
        )
        self.bench = bench.Bench(
            job,
            stalls=self.stalls,
            preload=preload,
            weight_packets=packets_of,
            trunk_memory=trunk_memory,
        )
        self.engine, self.reset, self.send = self.bench.engine, self.bench.reset, self.bench.send

    async def load(self, ctx):
        """Writes program, memories and registers through the host port."""
        host = self.engine.host
        for address, word in self.compiled.host_writes():
            while self.stalls.source():
                await ctx.tick()
            ctx.set(host.addr, address)
            ctx.set(host.w_data, word)
            ctx.set(host.w_en, 1)
            await ctx.tick()
            ctx.set(host.w_en, 0)
            ctx.set(host.w_data, 0xFFFFFFFF)

    async def read(self, ctx, name):
        """A register of the host map."""
        ctx.set(self.engine.host.addr, REGISTERS[name].address)
        await ctx.tick()
        return ctx.get(self.engine.host.r_data)

    def loaded(self):
        """Memories that hold the network of a preloaded engine."""
        if not self.preload:
            return ()
        config = self.compiled.config
        kinds = ["quantizer.", "residual.lane"]
        kinds += ["weights."] if config.weights == "onchip" else []
        slices = range(config.engines)
        return ("core.sequencer.", *(f"core.slice{number}.{kind}" for number in slices for kind in kinds))

    def run(self, packets, images, before=None):
        """Sends `packets` (lists of beats) of which `images` are right; returns the Outcome.

        `before(ctx)`: what happens after loading and before the first packet.
        """
        outcome = Outcome()
        # Of the images the bench needs their number and size: what it sends are the packets.
        shape = (images, *self.compiled.network.input_shape)
        self.bench.job = dataclasses.replace(self.bench.job, images=np.empty(shape, np.uint8))

        async def prepare(ctx):
            fill_memories(ctx, self.bench.memories, self.rng, but=self.loaded())
            if not self.preload:
                await self.load(ctx)
            if before:
                await before(ctx)

        async def watch(ctx):
            await self.bench.watch(ctx)
            outcome.register = await self.read(ctx, "cycles")
            status = await self.read(ctx, "status")
            assert not status & 1, "busy after the last image"
            outcome.dropped = bool(status & 2)
            outcome.wrong_weights = bool(status & 4)
            outcome.wrong_trunks = bool(status & 8)

        self.bench.run(watch, packets=packets, before=prepare, waves=waves_of(self.engine))
        for trace in self.bench.traces:
            outcome.results.append(trace.results.tolist())
            outcome.values.append(trace.values)
            outcome.cycles.append(np.diff([trace.first_read, *trace.ends]).tolist())
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
