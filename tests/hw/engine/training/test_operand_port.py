"""The operand port alone: images pass, words become codes and measures, sums follow codes."""

import numpy as np
import pytest

from dorefa.golden.quantizers.dorefa import quantize_weights
from dorefa.golden.quantizers.gradient import quantize_words, reciprocals
from dorefa.golden.quantizers.noise import noise_bytes, stream_state
from dorefa.golden.quantizers.weight_thresholds import threshold_words, weight_thresholds
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.training.gradient_quantizer import GradientQuantizer, scale_latency
from dorefa.hw.engine.training.greatest import greatest_latency
from dorefa.hw.engine.training.operand_port import OperandPort
from dorefa.hw.engine.training.weight_quantizer import WeightQuantizer
from dorefa.hw.interface.registers import Mode

from ...support import flat, simulate
from .job_bench import beats_of
from .job_scenarios import draw_words

CONFIG = EngineConfig(
    lanes=8,
    rows=1,
    quant=1,
    fetch_bits=8,
    acc_bits=24,
    a_bits=6,
    port_bytes=4,
    results="wide",
    training=1,
)
PLACES = 32  # beats whose codes the port has room for


class Bench:
    """A port that offers what leaves to somebody who takes a beat with probability `takes`: `left` are those
    (codes, last), `images` those to the plane packer."""

    def __init__(self, port_bytes, rng, takes):
        self.config, self.rng, self.takes = CONFIG.replace(port_bytes=port_bytes), rng, takes
        self.unit = OperandPort(self.config)
        self.left, self.images = [], []
        self.owed = 0

    async def take(self, ctx):
        unit, o, rng = self.unit, self.unit.o, self.rng
        while True:
            ready = rng.random() < self.takes
            ctx.set(o.ready, ready)
            sent = unit.load | unit.wrong
            (
                *_,
                valid,
                beat,
                leaving,
                may_come,
                mode,
                sent,
                image,
                codes,
                count,
                last,
            ) = await ctx.tick().sample(
                o.valid,
                o.payload,
                unit.leaving,
                unit.ready,
                unit.job.mode,
                sent,
                unit.image_valid,
                unit.image_codes,
                unit.image_count,
                unit.image_last,
            )
            quantizes = mode in (Mode.QUANTIZE_GRADIENTS, Mode.QUANTIZE_WEIGHTS)
            assert leaving == (self.owed > 0) and may_come == (not quantizes or self.owed < PLACES)
            if valid and ready:
                kept = beat.keep.bit_count()
                assert beat.keep == (1 << kept) - 1
                self.left.append((list(beat.data.to_bytes(4, "little"))[:kept], beat.last))
            if image:
                bits = self.config.a_bits
                kept = [codes >> bits * place & ((1 << bits) - 1) for place in range(count)]
                self.images.append((kept, last))
            self.owed += bool(quantizes and sent)
            self.owed -= bool(valid and ready and self.owed > 0)

    async def write(self, ctx, table, words, first=0):
        for address, word in enumerate(words, first):
            for part, value in (("en", 1), ("address", address), ("data", int(word))):
                ctx.set(getattr(self.unit, f"{table}_{part}"), value)
            await ctx.tick()
        ctx.set(getattr(self.unit, f"{table}_en"), 0)

    async def send(self, ctx, data, *, fault=None, **found):
        """A packet that finds a job. With a fault its last beat is `wrong`, and loads what it has if that is
        "short"."""
        unit, rng = self.unit, self.rng
        state, layers = found.pop("state", 0), found.pop("layers", 0)
        ctx.set(unit.job, found)
        ctx.set(unit.layers, layers)
        beats = beats_of(data, self.config.port_bytes)
        for number, (word, keep, last) in enumerate(beats):
            while not ctx.get(unit.ready) or rng.random() < 0.2:
                await ctx.tick()
            ctx.set(unit.beat, word)
            ctx.set(unit.count, keep.bit_count())
            ctx.set(unit.first, number == 0)
            ctx.set(unit.load, not (fault == "wrong" and last))
            ctx.set(unit.last, last and not fault)
            ctx.set(unit.wrong, bool(last and fault))
            ctx.set(unit.state, state)
            await ctx.tick()
            for name in ("load", "last", "wrong"):
                ctx.set(getattr(unit, name), 0)
            ctx.set(unit.beat, int.from_bytes(rng.bytes(self.config.port_bytes), "little"))
            ctx.set(unit.first, int(rng.integers(2)))
            ctx.set(unit.count, int(rng.integers(self.config.port_bytes + 1)))
        if found["mode"] == Mode.IMAGE:
            assert ctx.get(unit.settled)
        else:
            await self.settle(ctx)

    async def settle(self, ctx):
        """The port has settled when the slower one of the packet's measure and its codes is through."""
        unit, mode = self.unit, ctx.get(self.unit.job.mode)
        gradients, weights = self.config.gradient_lanes, self.config.weight_lanes
        cycles = max(GradientQuantizer.latency, scale_latency(gradients))
        if mode in (Mode.MEASURE_WEIGHTS, Mode.QUANTIZE_WEIGHTS):
            cycles = max(WeightQuantizer.latency, greatest_latency(weights))
        for _ in range(cycles):
            assert not ctx.get(unit.settled)
            await ctx.tick()
        assert ctx.get(unit.settled)
        if mode in (Mode.QUANTIZE_GRADIENTS, Mode.QUANTIZE_WEIGHTS):
            # What the next packet finds is of no importance to these codes any more.
            ctx.set(unit.job.mode, int(self.rng.choice([Mode.QUANTIZE_GRADIENTS, Mode.QUANTIZE_WEIGHTS])))
            ctx.set(unit.layers, int(self.rng.integers(2)))

    async def drained(self, ctx):
        while ctx.get(self.unit.leaving):
            await ctx.tick()

    async def sums(self, ctx):
        """A packet of sums leaves behind the codes."""
        await self.drained(ctx)
        sums, wanted = self.unit.sums, []
        for last in (0, 0, 1):
            kept = int(self.rng.integers(1, 5))
            word = int(self.rng.integers(1 << 32))
            ctx.set(sums.payload, {"data": word, "keep": (1 << kept) - 1, "last": last})
            ctx.set(sums.valid, 1)
            taken = False
            while not taken:
                *_, taken = await ctx.tick().sample(sums.ready)
            ctx.set(sums.valid, 0)
            wanted.append((list(word.to_bytes(4, "little"))[:kept], last))
        return wanted

    def run(self, testbench, limit=3_000):
        simulate(self.unit, testbench, limit=limit, monitors=[self.take])


def cut(codes, each, *, last=1, wrong=None):
    """Codes as they leave a beat of `each` at a time; the beat of a packet that is `wrong` has none."""
    beats = [(codes[at : at + each].tolist(), 0) for at in range(0, len(codes), each)]
    beats[-1] = (beats[-1][0] if wrong is None else [], last)
    return beats


async def image_passes(ctx, bench):
    """Whole bytes in, of each as many bits as a code has, in the same cycle."""
    data = bench.rng.integers(0, 256, int(bench.rng.integers(1, 20)))
    images, left = list(bench.images), list(bench.left)
    await bench.send(ctx, bytes(data.tolist()), mode=Mode.IMAGE, layers=1)
    mask = (1 << bench.config.a_bits) - 1
    wanted = cut(data & mask, bench.config.port_bytes)
    assert bench.images == images + wanted and bench.left == left


async def gradients_pass(ctx, bench, fault, layers):
    """Measured, then quantized, with passes behind them or without."""
    rng, unit, each = bench.rng, bench.unit, bench.config.gradient_lanes
    bits = int(rng.integers(1, 9))
    words, noise, state = draw_words(rng, int(rng.integers(1, 40))), None, 0
    if rng.random() < 0.5:
        seed = int(rng.integers(1000))
        noise, state = noise_bytes(seed, 0, 0, 1, len(words)), stream_state(seed, 0, 0, 0)
    codes, scales = quantize_words(words[None], bits, noise)
    await bench.write(ctx, "reciprocals", reciprocals(bits))
    await bench.send(ctx, words.tobytes(), mode=Mode.MEASURE_GRADIENTS)
    measured = scales[0]
    assert ctx.get(unit.measured) == measured
    if layers:
        # What was measured last stays, and so does what gradients are quantized with.
        weights = rng.normal(size=3).astype(np.float32)
        await bench.send(ctx, weights.tobytes(), mode=Mode.MEASURE_WEIGHTS)
        measured = np.abs(weights).max().view(np.uint32)
    images, left = list(bench.images), list(bench.left)
    await bench.send(
        ctx,
        words.tobytes(),
        fault=fault,
        mode=Mode.QUANTIZE_GRADIENTS,
        layers=layers,
        code_bits=bits,
        noise=noise is not None,
        state=state,
    )
    await bench.drained(ctx)
    assert ctx.get(unit.measured) == measured
    # A packet that was dropped has no sums.
    left += cut(codes[0], each, last=int(not layers or fault is not None), wrong=fault)
    images += cut(codes[0] & ((1 << bench.config.a_bits) - 1), each, wrong=fault)
    assert bench.left == left, f"G {bits}, {len(words)} words, k {scales[0]}, {fault}"
    assert bench.images == images
    if layers and not fault:
        left += await bench.sums(ctx)
        assert bench.left == left


async def weights_pass(ctx, bench, fault):
    rng, unit, images = bench.rng, bench.unit, list(bench.images)
    bits = int(rng.integers(1, 9))
    weights = rng.normal(size=int(rng.integers(1, 40))).astype(np.float32)
    largest = np.abs(weights).max()
    await bench.send(ctx, weights.tobytes(), mode=Mode.MEASURE_WEIGHTS)
    assert ctx.get(unit.measured) == largest.view(np.uint32)
    await bench.write(ctx, "thresholds", threshold_words(weight_thresholds(largest, bits)), first=1)
    left = list(bench.left)
    await bench.send(
        ctx, weights.tobytes(), fault=fault, mode=Mode.QUANTIZE_WEIGHTS, layers=1, code_bits=bits
    )
    await bench.drained(ctx)
    left += cut(quantize_weights(weights, bits)[0], bench.config.weight_lanes, wrong=fault)
    assert bench.left == left and bench.images == images, f"W {bits}, {fault}"
    assert ctx.get(unit.measured) == largest.view(np.uint32)


@pytest.mark.parametrize("port_bytes, takes", [(4, 1), (8, 0.3)])
def test_packets_of_every_kind(port_bytes, takes, rng):
    """In any order, right and dropped ones."""
    bench = Bench(port_bytes, rng, takes)

    async def testbench(ctx):
        kinds = [(weights_pass, fault) for fault in (None, None, "short", "wrong")]
        kinds += [(gradients_pass, fault, layers) for fault in (None, "short", "wrong") for layers in (0, 1)]
        kinds += 4 * [(image_passes,)]
        for number in rng.permutation(len(kinds)):
            pass_, *options = kinds[number]
            await pass_(ctx, bench, *options)
        # None is dropped behind the last one that was.
        await gradients_pass(ctx, bench, None, 1)

    bench.run(testbench)


def test_no_room(rng):
    """Beats wait where nothing leaves, once all places are taken."""
    bench = Bench(4, rng, 0)

    async def testbench(ctx):
        unit = bench.unit
        ctx.set(unit.job.mode, Mode.QUANTIZE_WEIGHTS)
        ctx.set(unit.beat, flat([1, 2, 3, 4], 8))
        ctx.set(unit.count, 4)
        for _ in range(PLACES):
            assert ctx.get(unit.ready)
            ctx.set(unit.load, 1)
            await ctx.tick()
            ctx.set(unit.load, 0)
        for _ in range(40):
            assert not ctx.get(unit.ready)
            await ctx.tick()
        # What is measured has no codes.
        ctx.set(unit.job.mode, Mode.MEASURE_WEIGHTS)
        assert ctx.get(unit.ready)
        ctx.set(unit.job.mode, Mode.QUANTIZE_WEIGHTS)
        bench.takes = 1
        while not ctx.get(unit.ready):
            await ctx.tick()
        await bench.drained(ctx)
        assert len(bench.left) == PLACES

    bench.run(testbench, limit=300)
