"""dorefa.sim.amaranth.bench: engines that break the protocol are caught, observers see what is inside."""

import re

import numpy as np
import pytest
from amaranth import Signal

from dorefa.hw.engine.engine import Engine
from dorefa.sim.amaranth import bench as module
from dorefa.sim.amaranth.bench import Bench
from dorefa.sim.amaranth.streams import Stalls
from dorefa.sim.job.errors import SimulationError
from dorefa.sim.job.job import Job


def deaf(engine, m):
    m.d.comb += engine.i.ready.eq(0)


def fickle(engine, m):
    count = Signal(8)
    m.d.sync += count.eq(count + 1)
    m.d.comb += engine.o.payload.data.eq(count)


def endless(engine, m):
    m.d.comb += engine.o.payload.last.eq(0)


def restless(engine, m):
    m.d.comb += engine.status.first_read.eq(1)


@pytest.mark.parametrize(
    "bug, message",
    [
        (deaf, "image 0: no result after {limit} cycles, stopped before its first layer; predicted are "),
        (fickle, "image 0: a result changed while it waited: "),
        (endless, "image 0: `last` after {beats} results"),
        (restless, "image 0: a second first read"),
    ],
)
def test_broken_engines_are_caught(small, bug, message, monkeypatch):
    class Broken(Engine):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            bug(self, m)
            return m

    monkeypatch.setattr(module, "Engine", Broken)
    job = Job(compiled=small.compiled, images=small.images[:1])
    bench = Bench(job, stalls=Stalls(np.random.default_rng(1), sink=50))
    message = message.format(limit=job.image_limit, beats=job.result_count)
    with pytest.raises(SimulationError, match=f"^{re.escape(message)}"):
        bench.run(bench.watch)
    assert bench.traces == []


def test_what_comes_before_must_end(small):
    job = Job(compiled=small.compiled, images=small.images[:1])
    bench = Bench(job)

    async def forever(ctx):
        while True:
            await ctx.tick()

    message = f"^loading the network did not end within {job.load_limit} cycles$"
    with pytest.raises(SimulationError, match=message):
        bench.run(bench.watch, before=forever)


def test_observers_see_inside_and_a_waveform_is_written(small, tmp_path):
    job = Job(compiled=small.compiled, images=small.images[:1])
    bench = Bench(job)
    issue = bench.component("core.slice0.issue")
    steps = []

    async def count(ctx):
        while len(steps) < 20:
            _, _, step, memory = await ctx.tick().sample(issue.step.enable, bench.engine.status.busy)
            steps.append((step, memory))

    bench.run(bench.watch, count, waves=tmp_path / "engine.vcd")
    assert len(bench.traces) == 1 and len(steps) == 20
    assert "issue" in (tmp_path / "engine.vcd").read_text()
    assert {"core.sequencer.program", "core.slice0.feature.bank0"} < set(bench.memories)


def test_packets_of_the_caller_and_reset(small):
    """An image is cut off by a reset; the next one is right."""
    job = Job(compiled=small.compiled, images=small.images[:1])
    whole, bench = Bench(job), Bench(job)
    whole.run(whole.watch)

    async def reset(ctx):
        ctx.set(bench.engine.i.valid, 1)
        await ctx.tick()
        ctx.set(bench.engine.i.valid, 0)
        ctx.set(bench.reset, 1)
        await ctx.tick()
        ctx.set(bench.reset, 0)

    bench.run(bench.watch, before=reset)
    (expected,), (found,) = whole.traces, bench.traces
    assert (found.results == expected.results).all()
    assert np.diff(found.ends).tolist() == np.diff(expected.ends).tolist()
