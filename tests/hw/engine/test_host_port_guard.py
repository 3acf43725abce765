"""The host port of a guarded engine: locks, programs that were found right, interrupts."""

import pytest

from dorefa.hw.engine.host_port import HostPort
from dorefa.hw.interface.faults import FAULTS
from dorefa.hw.interface.load_check import load_crc
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import REGISTERS

from ..interface.test_memory_map import LEAST, ODD
from ..support import simulate
from .test_host_port import ADDRESS, read, write


def test_writes_while_an_image_is_under_way_change_nothing(rng):
    """Of memories and registers, but of those that are free; the lock counts in the cycle before the
    write."""
    unit = HostPort(ODD)
    program = MemoryMap.of(ODD).program
    enables = []

    async def watch(ctx):
        async for *_, enable in ctx.tick().sample(unit.program_en):
            enables.append(enable)

    async def testbench(ctx):
        under_way, locked = unit.under_way, unit.host.locked
        place = MemoryMap.of(ODD).address(program, 0, 0)
        for lock in (0, 1, 0, 1):
            ctx.set(under_way, lock)
            assert ctx.get(locked) == lock
            await ctx.tick()
            ctx.set(under_way, 1 - lock)  # what comes in the cycle of the write is too late
            before = sum(enables)
            await write(ctx, unit, ADDRESS["layers"], 3 + lock)
            assert ctx.get(unit.layers) == 3
            ctx.set(under_way, lock)
            await ctx.tick()
            await write(ctx, unit, place, 77)
            await ctx.tick()
            await ctx.tick()
            assert sum(enables) - before == 1 - lock
            await write(ctx, unit, ADDRESS["interrupts"], 0x7E + lock * 128)
            assert ctx.get(unit.interrupts) == 0x3F + lock * 64
            status = REGISTERS["status"].decode(await read(ctx, unit, ADDRESS["status"]))
            assert status["write_refused"] == lock
            await write(ctx, unit, ADDRESS["status"], REGISTERS["status"].clear_word)

    simulate(unit, testbench, limit=200, monitors=[watch])


def test_writing_lasts_until_the_memories_have_the_word():
    unit = HostPort(ODD)

    async def testbench(ctx):
        assert not ctx.get(unit.writing)
        ctx.set(unit.host.w_en, 1)
        assert ctx.get(unit.writing)
        await ctx.tick()
        ctx.set(unit.host.w_en, 0)
        assert ctx.get(unit.writing)
        await ctx.tick()
        assert not ctx.get(unit.writing)

    simulate(unit, testbench, limit=10)


@pytest.mark.parametrize("checks", ["full", "basic"])
def test_enabled_only_with_a_program(checks):
    """Without passes it is refused, with `full` also without a load that was found right; and told."""
    unit = HostPort(LEAST.replace(checks=checks))
    full = checks == "full"
    place = MemoryMap.of(LEAST).address(MemoryMap.of(LEAST).program, 0, 0)

    async def enabled(ctx):
        await write(ctx, unit, ADDRESS["control"], 1)
        await ctx.tick()
        seen = REGISTERS["status"].decode(await read(ctx, unit, ADDRESS["status"]))
        await write(ctx, unit, ADDRESS["status"], REGISTERS["status"].clear_word)
        assert seen["invalid_program"] == 1 - ctx.get(unit.enable)
        assert seen["wrong_load"] == 0
        return ctx.get(unit.enable)

    async def testbench(ctx):
        assert await enabled(ctx) == (not full)
        await write(ctx, unit, ADDRESS["layers"], 0)
        assert not await enabled(ctx)
        await write(ctx, unit, ADDRESS["layers"], 1)
        pair = (place, 0x12345678)
        await write(ctx, unit, ADDRESS["load_begin"], 0)
        await write(ctx, unit, *pair)
        await write(ctx, unit, ADDRESS["load_check"], load_crc([pair]))
        assert await enabled(ctx)
        # Once enabled it stays so, but no image runs until what was written is checked.
        await write(ctx, unit, *pair)
        await ctx.tick()
        await ctx.tick()
        assert ctx.get(unit.enable) and ctx.get(unit.runnable) == (not full)
        await write(ctx, unit, ADDRESS["control"], 0)
        assert not ctx.get(unit.enable)
        assert await enabled(ctx) == (not full)

    simulate(unit, testbench, limit=100)


@pytest.mark.parametrize("layers", [0, 1])
def test_what_does_not_enable_says_nothing(layers):
    """A 0, and the reset, with a program and without one: neither is told, nor does the engine become enabled
    behind it; the reset needs no enabled engine."""
    unit = HostPort(LEAST.replace(checks="basic"))
    reset = REGISTERS["control"].encode(reset=1)

    async def testbench(ctx):
        await write(ctx, unit, ADDRESS["layers"], layers)
        for word in (0, reset, 0):
            await write(ctx, unit, ADDRESS["control"], word)
            for _ in range(3):
                assert not ctx.get(unit.enable) and ctx.get(unit.reset) == (word == reset)
                await ctx.tick()
        status = REGISTERS["status"].decode(await read(ctx, unit, ADDRESS["status"]))
        assert status["invalid_program"] == 0
        await write(ctx, unit, ADDRESS["control"], 1)
        await ctx.tick()
        assert ctx.get(unit.enable) == layers
        await write(ctx, unit, ADDRESS["control"], 0)
        for _ in range(3):
            assert not ctx.get(unit.enable)
            await ctx.tick()

    simulate(unit, testbench, limit=100)


def test_a_load_with_another_checksum_is_told():
    unit = HostPort(LEAST)
    place = MemoryMap.of(LEAST).address(MemoryMap.of(LEAST).program, 0, 0)
    pairs = [(place, 1), (place + 1, 2)]

    async def testbench(ctx):
        for said in (load_crc(pairs) ^ 4, load_crc(pairs)):
            await write(ctx, unit, place, 99)
            await write(ctx, unit, ADDRESS["load_begin"], 5)
            for pair in pairs:
                await write(ctx, unit, *pair)
            await ctx.tick()
            assert await read(ctx, unit, ADDRESS["load_crc"]) == load_crc(pairs)
            await write(ctx, unit, ADDRESS["load_check"], said)
            await ctx.tick()
            seen = REGISTERS["status"].decode(await read(ctx, unit, ADDRESS["status"]))
            right = said == load_crc(pairs)
            assert seen["wrong_load"] == (not right) and ctx.get(unit.runnable) == right
            await write(ctx, unit, ADDRESS["status"], REGISTERS["status"].clear_word)
            # Commands cannot be read.
            assert await read(ctx, unit, ADDRESS["load_check"]) == 0

    simulate(unit, testbench, limit=100)


def test_interrupts():
    """High while a status bit is set whose own is enabled."""
    unit = HostPort(LEAST)

    async def testbench(ctx):
        for fault in FAULTS:
            if fault.name in ("wrong_trunks", "write_refused", "wrong_load"):
                continue  # of other engines, or made by the port itself
            ctx.set(getattr(unit, fault.name), 1)
            await ctx.tick()
            ctx.set(getattr(unit, fault.name), 0)
            for enables, expected in ((0, 0), (0xFF & ~(1 << fault.bit), 0), (1 << fault.bit, 1)):
                await write(ctx, unit, ADDRESS["interrupts"], enables)
                assert ctx.get(unit.interrupt) == expected, fault.name
            await write(ctx, unit, ADDRESS["status"], 1 << fault.bit)
            assert not ctx.get(unit.interrupt)

    simulate(unit, testbench, limit=100)


def test_an_engine_without_checks_has_their_registers_not():
    unit = HostPort(LEAST.replace(checks="none"))

    async def testbench(ctx):
        for name in ("interrupts", "watchdog", "load_begin", "load_crc", "load_check"):
            await write(ctx, unit, ADDRESS[name], 0xFFFFFFFF)
            assert await read(ctx, unit, ADDRESS[name]) == 0
        await write(ctx, unit, ADDRESS["control"], REGISTERS["control"].encode(enable=1, reset=1))
        assert ctx.get(unit.enable) and ctx.get(unit.reset)

    simulate(unit, testbench, limit=50)
