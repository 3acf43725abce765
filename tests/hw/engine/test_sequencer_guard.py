"""The sequencer of a guarded engine: programs that are not there or end elsewhere, hosts that write."""

import pytest

from dorefa.hw.engine.sequencer import Sequencer
from dorefa.hw.interface.registers import Mode

from ..support import simulate
from .test_sequencer import BASE, draw_descriptors
from .training.job_scenarios import ENGINE


@pytest.mark.parametrize("layers", [0, 1])
def test_without_a_program_packets_are_dropped_and_told(layers):
    """Whole, byte by byte, while the engine is not runnable; what it becomes meanwhile is for the next
    one."""
    unit = Sequencer(BASE)
    loads, told, wrong = [], [], []

    async def watch(ctx):
        async for *_, load, no_program, packet in ctx.tick().sample(
            unit.load, unit.no_program, unit.wrong_packet
        ):
            loads.append(load)
            told.append(no_program)
            wrong.append(packet)

    async def testbench(ctx):
        for signal, value in (
            (unit.layers, layers),
            (unit.image_bytes, 8),
            (unit.enable, 1),
            (unit.load_ready, 1),
        ):
            ctx.set(signal, value)
        for number, length in enumerate((2, 3, 1)):
            for beat in range(length):
                ctx.set(unit.i.payload, {"data": 0, "keep": 15, "last": beat == length - 1})
                ctx.set(unit.i.valid, 1)
                taken = False
                while not taken:
                    *_, taken = await ctx.tick().sample(unit.i.ready)
                ctx.set(unit.runnable, beat == 0 and length > 1)
                ctx.set(unit.i.valid, 0)
            assert sum(told) == number + 1
        assert not any(loads) and not any(wrong) and not ctx.get(unit.busy)

    simulate(unit, testbench, limit=50, monitors=[watch])


@pytest.mark.parametrize("config, mode", [(BASE, None), (ENGINE, Mode.IMAGE), (ENGINE, max(Mode) + 1)])
def test_without_checks_the_port_is_shut_until_there_is_something_to_do(config, mode):
    """Nothing would drop the packet."""
    unit = Sequencer(config.replace(checks="none"))

    async def testbench(ctx):
        for name, value in (("image_bytes", 4), ("enable", 1), ("load_ready", 1)):
            ctx.set(getattr(unit, name), value)
        if mode:
            ctx.set(unit.layers, 1)
            ctx.set(unit.job, {"mode": mode})
        for _ in range(6):
            assert not ctx.get(unit.i.ready)
            await ctx.tick()
        ctx.set(unit.layers, 1)
        if mode:
            ctx.set(unit.job, {"mode": Mode.IMAGE})
        while not ctx.get(unit.i.ready):
            await ctx.tick()
        ctx.set(unit.enable, 0)
        for _ in range(6):
            assert not ctx.get(unit.i.ready)
            await ctx.tick()

    simulate(unit, testbench, limit=30)


def test_no_packet_begins_while_the_host_writes():
    """And once it has begun, nothing stops it; `under_way` from the cycle of the first beat on."""
    unit = Sequencer(BASE)

    async def testbench(ctx):
        for name, value in (
            ("layers", 1),
            ("image_bytes", 8),
            ("enable", 1),
            ("load_ready", 1),
            ("runnable", 1),
        ):
            ctx.set(getattr(unit, name), value)
        ctx.set(unit.writing, 1)
        ctx.set(unit.i.payload, {"data": 0, "keep": 15, "last": 0})
        ctx.set(unit.i.valid, 1)
        for _ in range(5):
            assert not ctx.get(unit.i.ready) and not ctx.get(unit.under_way)
            await ctx.tick()
        ctx.set(unit.writing, 0)
        while not ctx.get(unit.i.ready):
            assert not ctx.get(unit.under_way)
            await ctx.tick()
        assert ctx.get(unit.under_way)
        await ctx.tick()
        ctx.set(unit.i.valid, 0)
        ctx.set(unit.writing, 1)
        assert ctx.get(unit.under_way) and ctx.get(unit.i.ready)
        ctx.set(unit.i.payload.last, 1)
        ctx.set(unit.i.valid, 1)
        await ctx.tick()
        ctx.set(unit.i.valid, 0)
        assert ctx.get(unit.busy) and ctx.get(unit.under_way)

    simulate(unit, testbench, limit=50)


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("prefetch", [0, 1])
def test_a_program_ends_where_its_last_pass_says(passes, prefetch, rng):
    """`wrong_program` with the start of each pass that says otherwise, and no other."""
    config = BASE.replace(prefetch=prefetch)
    drawn, words = draw_descriptors(config, rng, 3)
    unit = Sequencer(config, init=words)
    found = []

    async def testbench(ctx):
        for name, value in (("image_bytes", 4), ("enable", 1), ("load_ready", 1), ("runnable", 1)):
            ctx.set(getattr(unit, name), value)
        ctx.set(unit.layers, passes)
        ctx.set(unit.i.payload, {"data": 0, "keep": 15, "last": 1})
        ctx.set(unit.i.valid, 1)
        taken = False
        while not taken:
            *_, taken = await ctx.tick().sample(unit.i.ready)
        ctx.set(unit.i.valid, 0)
        ctx.set(unit.loaded, 1)
        while len(found) < passes:
            *_, start, wrong = await ctx.tick().sample(unit.start, unit.wrong_program)
            ctx.set(unit.layer_ended, start)
            assert start or not wrong
            if start:
                found.append(wrong)

    simulate(unit, testbench, limit=500)
    expected = [drawn[number]["ends_image"] != (number == passes - 1) for number in range(passes)]
    assert found == expected


def test_a_second_network_while_enabled(rng):
    """The number of passes and of bytes that a packet finds are those in front of its first beat."""
    drawn, words = draw_descriptors(BASE, rng, 2)
    unit = Sequencer(BASE, init=words)

    async def testbench(ctx):
        for name, value in (
            ("layers", 1),
            ("image_bytes", 4),
            ("enable", 1),
            ("load_ready", 1),
            ("runnable", 1),
        ):
            ctx.set(getattr(unit, name), value)
        for _ in range(4):
            await ctx.tick()
        ctx.set(unit.layers, 2)
        ctx.set(unit.image_bytes, 8)
        await ctx.tick()
        for beat in range(2):
            ctx.set(unit.i.payload, {"data": 0, "keep": 15, "last": beat})
            ctx.set(unit.i.valid, 1)
            taken = False
            while not taken:
                *_, taken, wrong = await ctx.tick().sample(unit.i.ready, unit.wrong_packet)
            assert not wrong
            # What is written now is for the next one.
            ctx.set(unit.layers, 1)
            ctx.set(unit.image_bytes, 4)
        ctx.set(unit.i.valid, 0)
        ctx.set(unit.loaded, 1)
        starts = finished = 0
        while not finished:
            *_, start, finished = await ctx.tick().sample(unit.start, unit.finished)
            starts += start
            ctx.set(unit.layer_ended, start)
        assert starts == 2

    simulate(unit, testbench, limit=500)


@pytest.mark.parametrize("keep", [0b0010, 0b0101, 0b1110, 0b1011])
def test_only_the_lowest_bytes_of_a_beat_may_be_kept(keep):
    """Whatever their number."""
    unit = Sequencer(BASE)

    async def testbench(ctx):
        count = keep.bit_count()
        for name, value in (("layers", 1), ("enable", 1), ("load_ready", 1), ("runnable", 1)):
            ctx.set(getattr(unit, name), value)
        ctx.set(unit.image_bytes, count)
        for own, right in ((keep, False), ((1 << count) - 1, True)):
            ctx.set(unit.i.payload, {"data": 0, "keep": own, "last": 1})
            ctx.set(unit.i.valid, 1)
            taken = False
            while not taken:
                *_, taken, wrong, load, last = await ctx.tick().sample(
                    unit.i.ready, unit.wrong_packet, unit.load, unit.load_last
                )
            assert (wrong, load, last) == (not right, right, right)
            ctx.set(unit.i.valid, 0)

    simulate(unit, testbench, limit=50)
