"""A board's core: what its line brings reaches the engine, and what that answers the line."""

import pytest
from amaranth import Module, Signal

from dorefa.hw.config.engine import preset
from dorefa.hw.interface.registers import board_registers
from dorefa.hw.shell import board_core
from dorefa.hw.shell.board_core import BoardCore
from dorefa.hw.shell.serial_host import IMAGE, READ, WRITE
from dorefa.hw.shell.uart import FRAME_BITS, UartReceiver, UartTransmitter

from ..support import simulate
from .bare_engine import BareEngine

DIVISOR = 4


class Bench:
    """A board whose engine is a test bench, and the other end of its line: `beats` of the engine's image
    port, `writes` to its bus, and bytes that came `back`."""

    def __init__(self, monkeypatch):
        engines = []

        def engine(config, memories):
            engines.append(BareEngine(config, memories=memories))
            return engines[-1]

        monkeypatch.setattr(board_core, "Engine", engine)
        registers = board_registers((1, 1, 2), classes=1, result_bytes=4)
        self.core = BoardCore(preset("tiny"), registers, clock_hz=1e6 * DIVISOR, baud=1_000_000)
        self.sender, self.receiver = UartTransmitter(DIVISOR), UartReceiver(DIVISOR)
        self.cut = Signal()
        self.engines, self.beats, self.writes, self.back = engines, [], [], []

    @property
    def engine(self):
        return self.engines[0]

    async def watch(self, ctx):
        ctx.set(self.engine.i.ready, 1)
        i, host = self.engine.i, self.engine.host
        while True:
            *_, valid, payload, enable, address, data, came, byte = await ctx.tick().sample(
                i.valid,
                i.payload,
                host.w_en,
                host.addr,
                host.w_data,
                self.receiver.valid,
                self.receiver.data,
            )
            # The bus answers a cycle later.
            ctx.set(host.r_data, 0x1234_5670 + address)
            if valid:
                self.beats.append((payload.data, payload.keep, payload.last))
            if enable:
                self.writes.append((address, data))
            if came:
                self.back.append(byte)

    async def send(self, ctx, command, *words, data=()):
        """A command to the board, until it has its last bit."""
        for byte in [command, *(byte for word in words for byte in word.to_bytes(4, "little")), *data]:
            ctx.set(self.sender.i.payload, byte)
            ctx.set(self.sender.i.valid, 1)
            while not ctx.get(self.sender.i.ready):
                await ctx.tick()
            await ctx.tick()
            ctx.set(self.sender.i.valid, 0)
        await ctx.tick().repeat((FRAME_BITS + 1) * DIVISOR)

    async def answer(self, ctx):
        """The word that comes back next."""
        while len(self.back) < 4:
            await ctx.tick()
        word, self.back = int.from_bytes(self.back, "little"), []
        return word

    def run(self, testbench):
        top = Module()
        top.submodules += [self.core, self.sender, self.receiver]
        top.d.comb += [
            self.core.rx.eq(self.sender.tx & ~self.cut),
            self.receiver.rx.eq(self.core.tx),
        ]
        simulate(top, testbench, limit=5_000, monitors=[self.watch])


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


def test_words(bench):
    async def testbench(ctx):
        assert not ctx.get(bench.core.busy) and not ctx.get(bench.core.error)
        await bench.send(ctx, WRITE, 3, 0x89ABCDEF)
        assert bench.writes == [(3, 0x89ABCDEF)]
        await bench.send(ctx, READ, 5)
        assert await bench.answer(ctx) == 0x1234_5675
        assert not ctx.get(bench.core.error)

    bench.run(testbench)


def test_an_image_and_its_results(bench):
    """The board is busy while an image comes in, and as long as the engine says so."""

    async def testbench(ctx):
        core, engine = bench.core, bench.engine
        await bench.send(ctx, IMAGE, 2, data=[7])
        assert ctx.get(core.busy)
        # The rest of the image is a byte like any other.
        await bench.send(ctx, 9)
        assert bench.beats == [(7, 1, 0), (9, 1, 1)]
        for level in (0, 1, 0):
            ctx.set(engine.status.busy, level)
            assert ctx.get(core.busy) == level
        ctx.set(engine.o.payload, {"data": -5, "last": 1})
        ctx.set(engine.o.valid, 1)
        assert ctx.get(engine.o.ready)
        await ctx.tick()
        assert not ctx.get(engine.o.ready)
        ctx.set(engine.o.valid, 0)
        assert await bench.answer(ctx) == (1 << 32) - 5

    bench.run(testbench)


def test_a_break_is_an_error(bench):
    async def testbench(ctx):
        ctx.set(bench.cut, 1)
        await ctx.tick().repeat(2 * FRAME_BITS * DIVISOR)
        ctx.set(bench.cut, 0)
        await ctx.tick()
        assert ctx.get(bench.core.error)

    bench.run(testbench)
