"""The outlet: beats pass, and whenever it stops the stream keeps its rules and ends its packet."""

import pytest
from amaranth import Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import Out

from dorefa.hw.engine.outlet import Outlet

from ..support import simulate

LAYOUT = data.StructLayout({"data": 8, "keep": 2, "last": 1, "error": 1})
PACKET = 5


class Maker(wiring.Component):
    """Endless packets of PACKET beats, numbered from 1 after every reset."""

    o: Out(stream.Signature(LAYOUT))

    def elaborate(self, platform):
        m = Module()
        number, pause = Signal(8, init=1), Signal(2)
        m.d.sync += pause.eq(pause + 1)
        m.d.comb += [
            self.o.valid.eq(pause != 0),
            self.o.payload.data.eq(number),
            self.o.payload.keep.eq(3),
            self.o.payload.last.eq(number % PACKET == 0),
        ]
        with m.If(self.o.valid & ~self.o.ready):
            m.d.sync += pause.eq(pause)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += number.eq(number + 1)
        return m


@pytest.mark.parametrize("answer", [0, 1])
def test_stops_at_any_time(answer, rng):
    outlet, maker, top = Outlet(LAYOUT), Maker(), Module()
    top.submodules.outlet = outlet
    top.submodules.maker = ResetInserter(outlet.reset)(maker)
    wiring.connect(top, maker.o, outlet.i)
    packets, stops = [], []

    async def sink(ctx):
        beats, waiting = [], None
        while True:
            ready = rng.random() < 0.6
            ctx.set(outlet.o.ready, ready)
            *_, valid, payload = await ctx.tick().sample(outlet.o.valid, outlet.o.payload)
            beat = tuple(payload[name] for name in ("data", "keep", "last", "error"))
            if waiting is not None:
                assert valid and beat == waiting, f"{waiting} became {beat}, valid {valid}"
            waiting = beat if valid and not ready else None
            if valid and ready:
                beats.append(beat)
                if beat[2]:
                    packets.append((len(stops), beats))
                    beats = []

    async def testbench(ctx):
        for _ in range(60):
            for _ in range(int(rng.integers(1, 40))):
                await ctx.tick()
            stops.append(True)
            ctx.set(outlet.stop, 1)
            ctx.set(outlet.answer, answer)
            await ctx.tick()
            ctx.set(outlet.answer, 0)
            for _ in range(200):
                if ctx.get(outlet.stopped):
                    break
                await ctx.tick()
            assert ctx.get(outlet.stopped)
            for _ in range(int(rng.integers(0, 5))):
                await ctx.tick()
                assert ctx.get(outlet.stopped) and not ctx.get(outlet.o.valid)
            ctx.set(outlet.stop, 0)

    simulate(top, testbench, limit=20_000, monitors=[sink])
    ended = 0
    for _, beats in packets:
        numbers = [number for number, _, _, error in beats if not error]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else answer
        if beats[-1][3]:
            ended += 1
            assert beats[-1][1:] == (0, 1, 1)
        else:
            assert numbers[-1] % PACKET == 0
        assert all(beat[1:] == (3, beat[0] % PACKET == 0, 0) for beat in beats if not beat[3])
    # Where a packet is wanted every stop ends one, or the one that ended in that very cycle.
    assert ended > 10 and (not answer or ended >= 50)
