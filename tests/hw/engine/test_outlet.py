"""The outlet: beats pass, and whenever it stops the stream keeps its rules and ends its packet."""

import pytest
from amaranth import Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dorefa.hw.engine.outlet import Outlet

from ..support import simulate

LAYOUT = data.StructLayout({"data": 8, "keep": 2, "last": 1, "error": 1})
PACKET = 5


def keep_of(number):
    """The bytes of a beat."""
    return 1 + number % 2


class Maker(wiring.Component):
    """Endless packets of PACKET beats, numbered from 1 after every reset; no beat in every fourth cycle, or
    none at all until it is `awake`."""

    def __init__(self, pauses=True):
        self._pauses = pauses
        super().__init__({"o": Out(stream.Signature(LAYOUT)), "awake": In(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        number, pause = Signal(8, init=1), Signal(2)
        if self._pauses:
            m.d.sync += pause.eq(pause + 1)
        m.d.comb += [
            self.o.valid.eq(self.awake & ((pause != 0) | (not self._pauses))),
            self.o.payload.data.eq(number),
            self.o.payload.keep.eq(keep_of(number)),
            self.o.payload.last.eq(number % PACKET == 0),
        ]
        with m.If(self.o.valid & ~self.o.ready):
            m.d.sync += pause.eq(pause)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += number.eq(number + 1)
        return m


def connected(maker):
    """(an outlet with what makes its beats, the module of both)."""
    outlet, top = Outlet(LAYOUT), Module()
    top.submodules.outlet = outlet
    top.submodules.maker = ResetInserter(outlet.reset)(maker)
    wiring.connect(top, maker.o, outlet.i)
    return outlet, top


@pytest.mark.parametrize("answer", [0, 1])
@pytest.mark.parametrize("pauses, eager", [(True, 0.6), (False, 1)])
def test_stops_at_any_time(answer, pauses, eager, rng):
    outlet, top = connected(Maker(pauses))
    packets, stops = [], []

    async def sink(ctx):
        beats, begun, waiting = [], 0, None
        while True:
            ready = rng.random() < eager
            ctx.set(outlet.o.ready, ready)
            *_, valid, payload = await ctx.tick().sample(outlet.o.valid, outlet.o.payload)
            beat = tuple(payload[name] for name in ("data", "keep", "last", "error"))
            if waiting is not None:
                assert valid and beat == waiting, f"{waiting} became {beat}, valid {valid}"
            waiting = beat if valid and not ready else None
            if valid and ready:
                begun = begun if beats else len(stops)
                beats.append(beat)
                if beat[2]:
                    packets.append((begun, beats))
                    beats = []

    async def testbench(ctx):
        for _ in range(60):
            for _ in range(int(rng.integers(1, 40))):
                await ctx.tick()
            ended = len(packets)
            ctx.set(outlet.stop, 1)
            ctx.set(outlet.answer, answer)
            await ctx.tick()
            ctx.set(outlet.answer, 0)
            for _ in range(200):
                if ctx.get(outlet.stopped):
                    break
                await ctx.tick()
            assert ctx.get(outlet.stopped)
            # Where a packet is wanted there is one: an error, or that which ended just then.
            assert len(packets) > ended or not answer
            stops.append(True)
            for _ in range(int(rng.integers(0, 5))):
                await ctx.tick()
                assert ctx.get(outlet.stopped) and not ctx.get(outlet.o.valid)
                assert not ctx.get(outlet.i.ready)
            ctx.set(outlet.stop, 0)

    simulate(top, testbench, limit=20_000, monitors=[sink])
    ended, before = 0, 0
    for begun, beats in packets:
        numbers = [number for number, _, _, error in beats if not error]
        # What makes the beats begins anew behind every stop.
        assert not numbers or begun == before or numbers[0] == 1
        before = begun
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else answer
        if beats[-1][3]:
            ended += 1
            assert beats[-1][1:] == (0, 1, 1)
        else:
            assert numbers[-1] % PACKET == 0
        assert all(beat[1:] == (keep_of(beat[0]), beat[0] % PACKET == 0, 0) for beat in beats if not beat[3])
    assert ended > 10


def test_nothing_waits_for_a_receiver():
    """Where no packet is open, and no beat waits, none is needed to stop."""
    maker = Maker()
    outlet, top = connected(maker)

    async def testbench(ctx):
        ctx.set(maker.awake, 0)
        ctx.set(outlet.stop, 1)
        for _ in range(4):
            await ctx.tick()
        assert ctx.get(outlet.stopped) and not ctx.get(outlet.o.valid)

    simulate(top, testbench, limit=10)
