"""The serial line: bytes both ways, rates that differ a little, breaks and noise."""

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError
from dorefa.hw.shell.uart import FRAME_BITS, UartReceiver, UartTransmitter, baud_divisor

from ..support import simulate

DIVISORS = [4, 5, 16, 87]


async def hold(ctx, line, level, cycles):
    ctx.set(line, level)
    for _ in range(cycles):
        await ctx.tick()


async def send_byte(ctx, line, byte, cycles):
    """A frame on the line, each bit `cycles(n)` cycles long."""
    for n, bit in enumerate([0, *(byte >> n & 1 for n in range(8)), 1]):
        await hold(ctx, line, bit, cycles(n))


def run_receiver(divisor, feed, limit):
    """Bytes and breaks (None) that a receiver reports while `feed(ctx, line)` drives its line."""
    unit = UartReceiver(divisor)
    events = []

    async def drive(ctx):
        await hold(ctx, unit.rx, 1, 4)
        await feed(ctx, unit.rx)
        await hold(ctx, unit.rx, 1, 2 * divisor)

    async def watch(ctx):
        async for _, _, valid, broken, data in ctx.tick().sample(unit.valid, unit.broken, unit.data):
            assert not (valid and broken)
            if valid or broken:
                events.append(data if valid else None)

    simulate(unit, drive, limit=limit, monitors=[watch])
    return events


@pytest.mark.parametrize("divisor", DIVISORS)
def test_received_bytes(divisor, rng):
    """Random bytes, without a gap or with one of any length."""
    data = [0x00, 0xFF, 0x55, 0xAA, *rng.integers(0, 256, 12).tolist()]

    async def feed(ctx, line):
        for byte in data:
            await send_byte(ctx, line, byte, lambda n: divisor)
            if rng.random() < 0.5:
                await hold(ctx, line, 1, int(rng.integers(1, 3 * divisor)))

    assert run_receiver(divisor, feed, limit=20 * len(data) * divisor) == data


@pytest.mark.parametrize("percent", [-3, 3])
def test_a_sender_that_is_off_by_three_percent(percent, rng):
    divisor = 100
    data = rng.integers(0, 256, 10).tolist()

    async def feed(ctx, line):
        for byte in data:
            await send_byte(ctx, line, byte, lambda n: divisor + percent)

    assert run_receiver(divisor, feed, limit=20 * len(data) * divisor) == data


def test_a_break_is_one_event_and_the_next_byte_arrives():
    async def feed(ctx, line):
        await send_byte(ctx, line, 0x31, lambda n: 8)
        await hold(ctx, line, 0, 5 * FRAME_BITS * 8)
        await hold(ctx, line, 1, 8)
        await send_byte(ctx, line, 0x32, lambda n: 8)

    assert run_receiver(8, feed, limit=2000) == [0x31, None, 0x32]


def test_a_pulse_shorter_than_half_a_bit_is_no_byte():
    async def feed(ctx, line):
        await hold(ctx, line, 0, 6)
        await hold(ctx, line, 1, 40)
        await send_byte(ctx, line, 0x7E, lambda n: 16)

    assert run_receiver(16, feed, limit=2000) == [0x7E]


@pytest.mark.parametrize("cycles, events", [(8, []), (9, [0xFF])])
def test_half_a_bit_is_the_shortest_start(cycles, events):
    async def feed(ctx, line):
        await hold(ctx, line, 0, cycles)
        await hold(ctx, line, 1, 16 * FRAME_BITS)

    assert run_receiver(16, feed, limit=2000) == events


@pytest.mark.parametrize("cycles, events", [(8, [0x31]), (9, [None])])
def test_the_middle_of_the_stop_bit_counts(cycles, events):
    """Low before it is no break, low in it is one, whatever follows."""

    async def feed(ctx, line):
        for bit in [0, *(0x31 >> n & 1 for n in range(8))]:
            await hold(ctx, line, bit, 16)
        await hold(ctx, line, 0, cycles)
        await hold(ctx, line, 1, 32)

    assert run_receiver(16, feed, limit=2000) == events


@pytest.mark.parametrize("divisor", DIVISORS)
def test_sent_bits_last_exactly_the_divisor(divisor, rng):
    """The line, cycle by cycle, with and without gaps between the bytes."""
    unit = UartTransmitter(divisor)
    data = rng.integers(0, 256, 5).tolist()
    line, taken = [], []

    async def feed(ctx):
        for byte in data:
            for _ in range(int(rng.integers(0, 2)) * divisor):
                await ctx.tick()
            ctx.set(unit.i.payload, byte)
            ctx.set(unit.i.valid, 1)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(unit.i.ready)
            taken.append(len(line))
            ctx.set(unit.i.valid, 0)
        for _ in range(12 * divisor):
            await ctx.tick()

    async def watch(ctx):
        async for _, _, level in ctx.tick().sample(unit.tx):
            line.append(level)

    simulate(unit, feed, limit=100 * divisor * len(data), monitors=[watch])
    expected = [1] * len(line)
    for byte, start in zip(data, taken, strict=True):
        frame = [0, *(byte >> n & 1 for n in range(8)), 1]
        bits = [bit for bit in frame for _ in range(divisor)]
        expected[start : start + len(bits)] = bits
    assert line == expected


class _Loop(wiring.Component):
    """A transmitter whose line feeds a receiver."""

    def __init__(self, divisor):
        self._divisor = divisor
        super().__init__({"data": In(8), "valid": In(1), "ready": Out(1), "o": Out(8), "o_valid": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.transmitter = transmitter = UartTransmitter(self._divisor)
        m.submodules.receiver = receiver = UartReceiver(self._divisor)
        m.d.comb += [
            transmitter.i.payload.eq(self.data),
            transmitter.i.valid.eq(self.valid),
            self.ready.eq(transmitter.i.ready),
            receiver.rx.eq(transmitter.tx),
            self.o.eq(receiver.data),
            self.o_valid.eq(receiver.valid),
        ]
        return m


def test_every_byte_comes_back():
    unit = _Loop(4)
    back = []

    async def feed(ctx):
        ctx.set(unit.valid, 1)
        for byte in range(256):
            ctx.set(unit.data, byte)
            await ctx.tick().until(unit.ready)
        ctx.set(unit.valid, 0)
        for _ in range(60):
            await ctx.tick()

    async def watch(ctx):
        async for _, _, valid, data in ctx.tick().sample(unit.o_valid, unit.o):
            if valid:
                back.append(data)

    simulate(unit, feed, limit=256 * 60, monitors=[watch])
    assert back == list(range(256))


def test_divisors():
    assert baud_divisor(12e6, 1_000_000) == 12
    assert baud_divisor(50e6, 115_200) == 434


@pytest.mark.parametrize(
    ("clock", "baud", "message"),
    [
        (12e6, 4_000_000, r"baud is 4000000 at a clock of 12 MHz; accepted: at most 3000000"),
        (13e6, 2_000_000, r"baud is 2000000 at a clock of 13 MHz; .* within 2 %, as 1857142"),
        (12e6, 0, r"baud is 0; accepted: a positive integer"),
    ],
)
def test_refused_rates(clock, baud, message):
    with pytest.raises(InputError, match=message):
        baud_divisor(clock, baud)
