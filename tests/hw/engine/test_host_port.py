"""The host port: registers, words put together from pieces, status bits."""

import pytest
from amaranth import ClockDomain, ClockSignal, DomainRenamer, Module, Signal

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine import host_port
from dorefa.hw.engine.host_port import HostPort
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.register import Access, Field, Register
from dorefa.hw.interface.registers import REGISTERS, engine_registers

from ..interface.test_memory_map import AFFINE, CONFIGS, LEAST, ODD, TRAINS
from ..support import simulate

ADDRESS = {name: register.address for name, register in REGISTERS.items()}


async def write(ctx, unit, address, data):
    ctx.set(unit.host.addr, address)
    ctx.set(unit.host.w_data, data)
    ctx.set(unit.host.w_en, 1)
    await ctx.tick()
    ctx.set(unit.host.w_en, 0)


async def read(ctx, unit, address):
    ctx.set(unit.host.addr, address)
    await ctx.tick()
    return ctx.get(unit.host.r_data)


@pytest.mark.parametrize("name", ["least", "odd", "affine", "tiny", "trunks", "stream", "trains"])
def test_words_of_the_memories(name, rng):
    """Random words of random memories arrive once, whole; gaps and reads between pieces."""
    config = CONFIGS[name]
    memory_map = MemoryMap.of(config)
    unit = HostPort(config)
    sent, arrived = [], []

    async def feed(ctx):
        for _ in range(120):
            window = memory_map.windows[rng.integers(len(memory_map.windows))]
            memory, address = int(rng.integers(window.memories)), int(rng.integers(window.depth))
            word = int.from_bytes(rng.bytes(128), "little") & ((1 << window.width) - 1)
            for place, data in memory_map.writes(window, memory, address, word):
                if rng.random() < 0.3:
                    # A read of the same place, and noise on the data, change nothing.
                    ctx.set(unit.host.addr, place)
                    ctx.set(unit.host.w_data, 0xFFFFFFFF)
                    await ctx.tick()
                    assert ctx.get(unit.host.r_data) == 0
                await write(ctx, unit, place, data)
            sent.append((window.name, memory, address, word))
        await ctx.tick()
        assert arrived == sent
        # Memory writes, whatever their low address bits, leave the registers alone.
        for name, value in (("control", 0), ("layers", 1), ("image_bytes", 1)):
            assert await read(ctx, unit, ADDRESS[name]) == value

    async def watch(ctx):
        while True:
            ports = [
                getattr(unit, f"{window.name}_{port}")
                for window in memory_map.windows
                for port in ("en", "address", "data")
            ]
            _, _, *values = await ctx.tick().sample(*ports)
            for number, window in enumerate(memory_map.windows):
                enables, *word = values[3 * number : 3 * number + 3]
                for memory in range(window.memories):
                    if enables >> memory & 1:
                        arrived.append((window.name, memory, *word))

    simulate(unit, feed, limit=20_000, monitors=[watch])


def test_registers():
    unit = HostPort(ODD)

    async def testbench(ctx):
        expected = {
            "identity": 0x444F5245,
            "version": 4,
            "control": 0,
            "layers": 1,
            "image_bytes": 1,
            "status": 0,
            "cycles": 123,
            "array": 97 | 3 << 12 | 1 << 24,
            "widths": 1 | 8 << 8 | 3 << 16 | 3 << 21,
        }
        ctx.set(unit.cycles, 123)
        for name, value in expected.items():
            assert await read(ctx, unit, ADDRESS[name]) == value, name
        # Read-only registers, and addresses without register, ignore writes.
        for address in range(32):
            if address not in (
                ADDRESS[name]
                for name in ("control", "layers", "image_bytes", "interrupts", "watchdog", "load_check")
            ):
                await write(ctx, unit, address, 0xFFFFFFFF)
        for address in range(32):
            assert await read(ctx, unit, address) == dict(enumerate(expected.values())).get(address, 0)
        # Of nothing loaded the checksum is 0.
        await write(ctx, unit, ADDRESS["load_check"], 0)
        await ctx.tick()
        for name, value, port in (
            ("control", 1, unit.enable),
            ("layers", 3, unit.layers),
            ("image_bytes", 0x89ABCDEF % (1 << ODD.image_bytes_bits), unit.image_bytes),
            # Too great by their upper bits alone.
            ("layers", 1 << ODD.layer_depth.bit_length(), unit.layers),
            ("image_bytes", 5 | 1 << ODD.image_bytes_bits, unit.image_bytes),
        ):
            await write(ctx, unit, ADDRESS[name], value)
            await ctx.tick()
            value = value if value < 1 << len(port) else 0
            assert ctx.get(port) == value
            assert await read(ctx, unit, ADDRESS[name]) == value
            # Registers repeat up to the first window.
            first = MemoryMap.of(ODD).address(MemoryMap.of(ODD).program, 0, 0)
            assert await read(ctx, unit, first - 32 + ADDRESS[name]) == value
        await write(ctx, unit, ADDRESS["control"], 2)
        assert ctx.get(unit.enable) == 0

    simulate(unit, testbench, limit=200)


@pytest.mark.parametrize("bit, pulse, other", [(2, "wrong_packet", 4), (4, "wrong_weights", 2)])
def test_status(bit, pulse, other):
    unit = HostPort(LEAST)
    status, wrong = ADDRESS["status"], getattr(unit, pulse)

    async def testbench(ctx):
        ctx.set(unit.busy, 1)
        assert await read(ctx, unit, status) == 1
        ctx.set(unit.busy, 0)
        ctx.set(wrong, 1)
        await ctx.tick()
        ctx.set(wrong, 0)
        assert await read(ctx, unit, status) == bit
        await write(ctx, unit, status, 1 | other)
        assert await read(ctx, unit, status) == bit  # only a one in its own bit clears it
        await write(ctx, unit, status, bit)
        assert await read(ctx, unit, status) == 0
        # What happens in the very cycle of the clearing write is not forgotten.
        ctx.set(wrong, 1)
        await write(ctx, unit, status, bit)
        ctx.set(wrong, 0)
        assert await read(ctx, unit, status) == bit

    simulate(unit, testbench, limit=50)


def test_registers_of_jobs():
    """Those of an engine that trains; others read 0 there."""
    unit, other = HostPort(TRAINS), HostPort(LEAST)
    top = Module()
    top.submodules += [unit, other]
    written = {
        "program_start": ({"program_start": 9}, [(unit.program_start, 9)]),
        "job": (
            {"mode": 4, "hold_weights": 1, "code_bits": 8},
            [(unit.mode, 4), (unit.hold_weights, 1), (unit.noise, 0), (unit.code_bits, 8)],
        ),
        "noise_seed_0": ({"noise_seed_0": 0xFFFFFFFF}, [(unit.noise_seed_0, 0xFFFFFFFF)]),
        "noise_seed_3": ({"noise_seed_3": 0x7FFFFFFF}, [(unit.noise_seed_3, 0x7FFFFFFF)]),
    }

    async def testbench(ctx):
        ctx.set(unit.measured, 0x7F7FFFFF)
        assert await read(ctx, unit, ADDRESS["measured"]) == 0x7F7FFFFF
        for name, (values, ports) in written.items():
            word = REGISTERS[name].encode(**values)
            for one in (unit, other):
                await write(ctx, one, ADDRESS[name], word)
            assert [ctx.get(port) for port, _ in ports] == [value for _, value in ports], name
            assert await read(ctx, unit, ADDRESS[name]) == word
            assert await read(ctx, other, ADDRESS[name]) == 0

    simulate(top, testbench, limit=100)


def test_an_engine_that_quantizes_256_channels_a_cycle():
    """All of them can be read."""
    config = EngineConfig(lanes=256, rows=64, fetch_bits=256, quant=64, engines=4)
    unit = HostPort(config)

    async def testbench(ctx):
        widths = REGISTERS["widths"].decode(await read(ctx, unit, ADDRESS["widths"]))
        assert widths == {"w_bits": 1, "a_bits": 8, "out_bits": 2, "quant": 256}
        array = REGISTERS["array"].decode(await read(ctx, unit, ADDRESS["array"]))
        assert array == {"lanes": 256, "rows": 256, "cols": 1}

    simulate(unit, testbench, limit=10)


def test_trunks_raise_a_bit_where_they_stream():
    """Elsewhere the bit stays 0."""
    status = ADDRESS["status"]
    for config, seen in (
        (LEAST, 0),
        (LEAST.replace(trunk_bits=16, trunk_depth=4), 0),
        (LEAST.replace(trunk_bits=16, trunk_depth=4, trunks="stream"), 1),
    ):
        unit = HostPort(config)

        async def testbench(ctx, unit=unit, seen=seen):
            if seen:
                ctx.set(unit.wrong_trunks, 1)
            await ctx.tick()
            assert REGISTERS["status"].decode(await read(ctx, unit, status))["wrong_trunks"] == seen

        simulate(unit, testbench, limit=10)


def test_fields_of_every_kind_side_by_side(monkeypatch):
    """A register that no engine has yet: all it takes is a line of the table."""
    kinds = {
        "made": (0, 3, Access.CONSTANT, {"reset": "w_bits"}),
        "level": (4, 5, Access.READ_ONLY, {}),
        "first": (9, 1, Access.CLEAR, {}),
        "mode": (12, 4, Access.READ_WRITE, {"reset": 9}),
        "second": (31, 1, Access.CLEAR, {}),
    }
    fields = tuple(
        Field(name=name, lsb=lsb, width=width, access=access, meaning="", **more)
        for name, (lsb, width, access, more) in kinds.items()
    )
    planted = Register(name="planted", address=11, meaning="", fields=fields)

    def table(config, words):
        made = planted.with_constants(lambda name: getattr(config, name))
        return engine_registers(config, words) | {"planted": made}

    monkeypatch.setattr(host_port, "engine_registers", table)
    unit = HostPort(LEAST)

    async def testbench(ctx):
        ctx.set(unit.level, 21)
        ctx.set(unit.first, 1)
        ctx.set(unit.second, 1)
        ctx.set(unit.wrong_weights, 1)
        await ctx.tick()
        for name in ("first", "second", "wrong_weights"):
            ctx.set(getattr(unit, name), 0)
        assert ctx.get(unit.mode) == 9
        expected = {"made": 1, "level": 21, "first": 1, "mode": 9, "second": 1}
        assert planted.decode(await read(ctx, unit, 11)) == expected
        await write(ctx, unit, 11, planted.encode(mode=6, second=1, made=7, level=0))
        assert ctx.get(unit.mode) == 6
        assert planted.decode(await read(ctx, unit, 11)) == expected | {"mode": 6, "second": 0}
        assert REGISTERS["status"].decode(await read(ctx, unit, ADDRESS["status"]))["wrong_weights"] == 1
        await write(ctx, unit, ADDRESS["status"], REGISTERS["status"].clear_word)
        assert await read(ctx, unit, ADDRESS["status"]) == 0
        assert planted.decode(await read(ctx, unit, 11)) == expected | {"mode": 6, "second": 0}

    simulate(unit, testbench, limit=30)


def test_reset_values_of_a_preloaded_engine():
    unit = HostPort(AFFINE, init={"control": 1, "layers": 3, "image_bytes": 784})

    async def testbench(ctx):
        assert ctx.get(unit.enable) == 1
        assert await read(ctx, unit, ADDRESS["layers"]) == 3
        assert await read(ctx, unit, ADDRESS["image_bytes"]) == 784

    simulate(unit, testbench, limit=10)


def test_a_preloaded_engine_is_written_but_not_in_a_reset():
    """What the registers in front of the memories hold before a reset would be written by it."""
    unit, reset = HostPort(AFFINE, init={"control": 1, "layers": 3, "image_bytes": 784}), Signal()
    domain = ClockDomain("own")
    m = Module()
    m.domains += domain
    m.d.comb += [domain.clk.eq(ClockSignal()), domain.rst.eq(reset)]
    m.submodules.unit = DomainRenamer("own")(unit)
    memory_map = MemoryMap.of(AFFINE)

    async def testbench(ctx):
        for window in memory_map.windows:
            enables = getattr(unit, f"{window.name}_en")
            for place, data in memory_map.writes(window, 0, 1, 5):
                assert ctx.get(enables) == 0
                await write(ctx, unit, place, data)
            assert ctx.get(enables) == 1
            ctx.set(reset, 1)
            assert ctx.get(enables) == 0
            ctx.set(reset, 0)
            await ctx.tick()

    simulate(m, testbench, limit=100)
