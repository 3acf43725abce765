"""Streamed weights of an engine that trains: a packet that stays for all images of a job."""

import pytest

from dorefa.hw.engine.array.weight_loader import WeightLoader
from dorefa.hw.interface.streams import beats_per_address, rows_per_beat

from ...support import fields_of, flat, simulate
from ..training.job_scenarios import ENGINE

HALF = 3


class Bench:
    """A loader whose source offers a packet of random weights after another, `taken` beats of them so far;
    `memory`, what of them was written."""

    def __init__(self, checks, rng):
        self.config, self.rng = ENGINE.replace(checks=checks, weight_depth=2 * HALF), rng
        self.unit = WeightLoader(self.config)
        self.memory = [[None] * 2 * HALF for _ in range(self.config.total_rows)]
        self.packets, self.taken, self.came = [], 0, 0

    async def source(self, ctx):
        unit, beats, together = self.unit, [], rows_per_beat(self.config)
        while True:
            if not beats:
                shape = (self.config.total_rows, int(self.rng.integers(1, HALF + 1)))
                words = self.rng.integers(0, 1 << self.config.lanes, shape)
                self.packets.append(words.tolist())
                beats = [
                    flat(column[first : first + together], self.config.lanes)
                    for column in words.T
                    for first in range(0, len(column), together)
                ]
            ctx.set(unit.i.payload.data, beats[0])
            ctx.set(unit.i.payload.last, len(beats) == 1)
            ctx.set(unit.i.valid, 1)
            *_, taken = await ctx.tick().sample(unit.i.ready)
            if taken:
                beats.pop(0)
                self.taken += 1

    async def store(self, ctx):
        unit, together = self.unit, rows_per_beat(self.config)
        async for *_, enables, address, data in ctx.tick().sample(unit.w_en, unit.w_address, unit.w_data):
            held = fields_of(data, self.config.lanes, together)
            for row in range(self.config.total_rows):
                if enables >> row & 1:
                    self.memory[row][address] = held[row % together]

    async def some_cycles(self, ctx, least=0):
        for _ in range(int(self.rng.integers(least, 9))):
            await ctx.tick()

    async def image(self, ctx, *, packet, hold, drops=False):
        """An image of one pass with the weights of a packet; `drops`: with its first byte what was held is
        dropped."""
        unit = self.unit
        if drops:
            ctx.set(unit.hold, 0)
        ctx.set(unit.image_begins, 1)
        await ctx.tick()
        ctx.set(unit.hold, hold)
        # With every byte of it, one or two.
        ctx.set(unit.image_begins, int(self.rng.integers(2)))
        await ctx.tick()
        ctx.set(unit.image_begins, 0)
        words = self.packets[packet]
        ctx.set(unit.expected, len(words[0]))
        ctx.set(unit.start, 1)
        await ctx.tick()
        ctx.set(unit.start, 0)
        while not ctx.get(unit.available):
            await ctx.tick()
        for _ in range(int(self.rng.integers(1, 20))):
            assert ctx.get(unit.available) and not ctx.get(unit.wrong)
            assert [row[: len(words[0])] for row in self.memory] == words
            await ctx.tick()
        if packet == self.came:
            self.came += 1
        beats = sum(len(words[0]) for words in self.packets[: self.came]) * beats_per_address(self.config)
        assert self.taken == beats
        ctx.set(unit.taken, 1)
        await ctx.tick()
        ctx.set(unit.taken, 0)
        await self.some_cycles(ctx)
        ctx.set(unit.finished, 1)
        await ctx.tick()
        ctx.set(unit.finished, 0)

    def run(self, testbench):
        simulate(self.unit, testbench, limit=2_500, monitors=[self.source, self.store])


@pytest.mark.parametrize("checks", ["none", "full"])
def test_jobs_with_held_weights_and_without(checks, rng):
    """What is held ends in a cycle between images, with the first byte of the next one, or in a restart."""
    bench = Bench(checks, rng)
    ends = ["cycle", "byte"] + (["restart"] if checks == "full" else [])

    async def testbench(ctx):
        unit = bench.unit
        ctx.set(unit.passes, 1)
        for _ in range(20):
            hold, images, drops = int(rng.integers(2)), int(rng.integers(1, 4)), False
            end = ends[rng.integers(len(ends))]
            if end == "restart":
                ctx.set(unit.restart, 1)
                await ctx.tick()
                ctx.set(unit.restart, 0)
            elif end == "cycle" or bench.came == 0:
                ctx.set(unit.hold, 0)
                await bench.some_cycles(ctx, least=1)
            else:
                drops = True
            if not drops:
                ctx.set(unit.hold, hold)
                await bench.some_cycles(ctx, least=2)
                assert not ctx.get(unit.available)
            first = bench.came
            for number in range(images):
                packet = first if hold else first + number
                await bench.image(ctx, packet=packet, hold=hold, drops=drops and not number)
                await bench.some_cycles(ctx)

    bench.run(testbench)
