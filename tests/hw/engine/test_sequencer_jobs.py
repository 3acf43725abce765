"""The sequencer of an engine that trains: what packets of every job load, and what follows them."""

from dataclasses import dataclass

import pytest

from dorefa.hw.engine.sequencer import Sequencer
from dorefa.hw.interface import program
from dorefa.hw.interface.registers import Mode

from ..support import simulate
from .test_sequencer import beats_of, check_descriptor, distances_of, draw_descriptors
from .training.job_scenarios import ENGINE

# Words of weights have four bytes.
WORD_BYTES = {Mode.MEASURE_GRADIENTS: 2, Mode.QUANTIZE_GRADIENTS: 2}
FAULTS = (
    None,
    None,
    None,
    "short",
    "long",
    "beat",
    "byte",
    "two bytes",
    "nothing",
    "nothing last",
    "gap",
    "shut",
)
NO_MODE = max(Mode) + 1


@dataclass
class Packet:
    """A packet: `size`, the bytes that it must have; `first`, the descriptor of the first of its `layers`;
    what is wrong with it."""

    mode: Mode
    size: int
    layers: int
    first: int
    beats: list
    fault: str | None

    def is_dropped(self, config):
        """Whether nothing takes it."""
        return config.guarded and (self.fault == "shut" or not self.is_job)

    @property
    def is_job(self):
        """Whether an engine takes such packets."""
        return self.layers > 0 if self.mode == Mode.IMAGE else self.mode != NO_MODE

    def fits(self, port_bytes):
        """Of every beat, whether all is right up to it; and whether the whole packet is right."""
        fits, left = [], self.size
        for beat in self.beats:
            kept = beat["keep"].bit_count()
            right = beat["keep"] == (1 << kept) - 1 and kept <= left
            if self.mode != Mode.IMAGE and kept != port_bytes:
                right &= bool(beat["last"] and kept and kept % WORD_BYTES.get(self.mode, 4) == 0)
            left -= kept
            fits.append(right and all(fits))
        return fits, fits[-1] and left == 0


def draw_packet(rng, config, mode, fault):
    """A packet for a job, right or with a fault."""
    port, unit = config.port_bytes, 1 if mode == Mode.IMAGE else WORD_BYTES.get(mode, 4)
    size = unit * int(rng.integers(1, 9 if unit > 1 else 20))
    kept = size + {"short": -1, "long": int(rng.integers(1, 9))}.get(fault, 0)
    if mode == Mode.IMAGE:
        beats = beats_of(kept, rng, port, empty_last=rng.random() < 0.3)
    else:
        sizes = [min(port, kept - first) for first in range(0, max(kept, 1), port)]
        beats = [{"data": 0, "keep": (1 << size) - 1, "last": 0} for size in sizes]
        beats[-1]["last"] = 1
    if fault == "beat":
        # One that is not full in front.
        beats.insert(0, {"data": 0, "keep": 3, "last": 0})
        size += 2
    elif fault in ("byte", "two bytes"):
        # Of weights both are a part of a word.
        beats[-1]["keep"] = 1 if fault == "byte" else 3
    elif fault == "nothing":
        beats = [{"data": 0, "keep": 0, "last": 1}]
    elif fault == "nothing last":
        beats[-1]["last"] = 0
        beats.append({"data": 0, "keep": 0, "last": 1})
    elif fault == "gap":
        beats[-1]["keep"] = 0b1100
    layers = int(rng.integers(4))
    first = int(rng.integers(4 - layers))
    return Packet(mode, size, layers, first, beats, fault)


class Bench:
    """A sequencer with the descriptors of three passes somewhere in its program memory."""

    def __init__(self, config, rng):
        self.config, self.rng = config, rng
        self.drawn, words = draw_descriptors(config, rng, 3)
        self.base, self.size = int(rng.integers(9)), program.words_per_layer(config)
        self.unit = Sequencer(config, init=[0xFFFFFFFF] * self.base + words)
        # Behind them there is a descriptor of zeros, which nothing runs.
        places = range(0, len(words) + self.size, self.size)
        self.descriptors = [(words + [0] * self.size)[first : first + self.size] for first in places]

    def set(self, ctx, **values):
        """Sets the inputs that this sequencer has."""
        for name, value in values.items():
            if name in self.unit.signature.members:
                ctx.set(getattr(self.unit, name), value)

    async def some_cycles(self, ctx, **ports):
        """For a while outputs are as said, and nothing is taken."""
        self.set(ctx, load_ready=1)
        for _ in range(int(self.rng.integers(25))):
            for name, value in ports.items():
                assert ctx.get(getattr(self.unit, name)) == value, name
            assert not ctx.get(self.unit.i.ready)
            await ctx.tick()

    async def job(self, ctx, packet):
        """Sends a packet and runs its passes, if it has any."""
        config, rng, unit = self.config, self.rng, self.unit
        job = {"mode": packet.mode, **{name: int(rng.integers(2)) for name in ("hold_weights", "noise")}}
        job["code_bits"] = int(rng.integers(16))
        start = self.base + packet.first * self.size
        self.set(ctx, image_bytes=packet.size, layers=packet.layers, program_start=start, job=job, enable=1)
        self.set(ctx, runnable=packet.fault != "shut", settled=0)
        await ctx.tick()
        dropped, (fits, right) = packet.is_dropped(config), packet.fits(config.port_bytes)
        right &= not dropped
        computes = packet.layers and packet.mode in (Mode.IMAGE, Mode.QUANTIZE_GRADIENTS)
        for number, beat in enumerate(packet.beats):
            await self._beat(ctx, number, beat, dropped)
            now = {"begins": computes and not dropped, "load": fits[number] and not dropped}
            now["load"] = now["load"] and (beat["keep"] or beat["last"])
            now |= {"last": beat["last"] and right, "wrong": beat["last"] and not right and not dropped}
            assert self.seen == {name: bool(value) for name, value in now.items()}, (packet, number)
        taken = unit.taken_job
        assert ctx.get(unit.taken_layers) == packet.layers
        assert {name: ctx.get(taken[name]) for name in job} == job
        if packet.mode != Mode.IMAGE and not (packet.mode == Mode.QUANTIZE_GRADIENTS and right):
            await self.some_cycles(ctx, busy=1, start=0)
            self.set(ctx, settled=1)
            await ctx.tick()
        elif right:
            await self.some_cycles(ctx, busy=1, start=0)
            self.set(ctx, loaded=1)
            await ctx.tick()
            self.set(ctx, loaded=0)
            for number in range(packet.layers):
                await self._pass(ctx, self.drawn[packet.first + number], number == packet.layers - 1)
        assert not ctx.get(unit.busy) and not ctx.get(unit.i.ready)

    async def _beat(self, ctx, number, beat, dropped):
        """Sends a beat, with the first one of which the registers may change."""
        rng, unit = self.rng, self.unit
        while rng.random() < 0.3:
            await ctx.tick()
        ctx.set(unit.i.payload, beat)
        ctx.set(unit.i.valid, 1)
        taken = False
        while not taken:
            self.set(ctx, load_ready=rng.random() < 0.7)
            taken = ctx.get(unit.i.ready)
            if self.config.guarded:
                assert ctx.get(unit.under_way) == (taken or number > 0)
                assert ctx.get(unit.no_program) == (taken and number == 0 and dropped)
            if taken and number == 0:
                self.set(ctx, enable=1, layers=int(rng.integers(4)), image_bytes=int(rng.integers(20)))
                self.set(ctx, program_start=int(rng.integers(9)), job={"mode": int(rng.integers(5))})
            assert ctx.get(unit.load_first) == (number == 0)
            names = {"begins": "image_begins", "load": "load", "last": "load_last", "wrong": "wrong_packet"}
            self.seen = {name: bool(ctx.get(getattr(unit, port))) for name, port in names.items()}
            assert taken or not any(self.seen.values())
            assert ctx.get(unit.load_count) == beat["keep"].bit_count()
            await ctx.tick()
        ctx.set(unit.i.valid, 0)
        if number == 0:
            self.set(ctx, enable=int(rng.integers(2)), runnable=int(rng.integers(2)))

    async def _pass(self, ctx, values, last):
        """A pass begins once no codes leave any more, and runs."""
        unit = self.unit
        self.set(ctx, leaving=1)
        await self.some_cycles(ctx, busy=1, start=0)
        self.set(ctx, leaving=0)
        while not ctx.get(unit.start):
            await ctx.tick()
        if self.config.guarded:
            assert ctx.get(unit.wrong_program) == (values["ends_image"] != last)
        check_descriptor(ctx, self.config, unit, self.table, values)
        await ctx.tick()
        await self.some_cycles(ctx, busy=1, start=0, ended=0)
        check_descriptor(ctx, self.config, unit, self.table, values)
        self.set(ctx, layer_ended=1, leaving=not last)
        assert (ctx.get(unit.ended), ctx.get(unit.finished)) == (1, last)
        await ctx.tick()
        self.set(ctx, layer_ended=0)

    def run(self, packets):
        """One packet after another."""

        async def testbench(ctx):
            for packet in packets:
                await self.job(ctx, packet)

        self.table = {}
        distances = distances_of(self.config, self.unit, self.table, self.descriptors)
        simulate(self.unit, testbench, limit=4_000, monitors=[distances])


@pytest.mark.parametrize("checks", ["none", "full"])
@pytest.mark.parametrize("prefetch, port_bytes", [(0, 4), (1, 8)])
def test_jobs(prefetch, port_bytes, checks, rng):
    """Of all modes, right and with every fault."""
    config = ENGINE.replace(prefetch=prefetch, port_bytes=port_bytes, checks=checks)
    packets = [draw_packet(rng, config, mode, fault) for mode in [*Mode, NO_MODE] for fault in FAULTS]
    # What is no job finds the port shut where nothing drops it.
    packets = [packet for packet in packets if packet.is_job or config.guarded]
    Bench(config, rng).run([packets[number] for number in rng.permutation(len(packets))])
