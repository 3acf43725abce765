"""The sequencer: image packets, wrong ones dropped, descriptors loaded, layers in order."""

import numpy as np
import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.sequencer import Sequencer
from dorefa.hw.interface import program

from ..support import fields_of, flat, simulate, stored

BASE = EngineConfig(lanes=32, rows=4, quant=2, fetch_bits=32, port_bytes=4, layer_depth=3, feature_depth=64)


def draw_descriptors(config, rng, layers):
    """Random field values per layer, and the program's words."""
    drawn, words = [], []
    for number in range(layers):
        values = {}
        for name, (least, greatest) in program.accepted(config).items():
            values[name] = int(rng.integers(least, greatest + 1))
        drawn.append(values)
        words += program.encode(config, f"layer{number}", values)
    return drawn, words


def beats_of(length, rng, port_bytes, *, empty_last=False):
    """Beats of a packet of `length` bytes with random keep (a prefix of each beat)."""
    beats, sent = [], 0
    while sent < length or not beats:
        kept = min(int(rng.integers(0, port_bytes + 1)), length - sent)
        data = rng.integers(0, 256, port_bytes)
        beats.append({"data": flat(data, 8), "keep": (1 << kept) - 1, "last": 0})
        sent += kept
    if empty_last:
        beats.append({"data": (1 << (8 * port_bytes)) - 1, "keep": 0, "last": 0})
    beats[-1]["last"] = 1
    return beats


def distances_of(config, unit, table, descriptors):
    """A monitor that keeps the table as the run generator has it; nothing is written to it but what begins
    one of the `descriptors`, lists of words, at its place."""
    places = 1 << (len(unit.table.address) - config.prefetch)
    allowed = {(place, word) for words in descriptors for place, word in enumerate(words)}

    async def distances(ctx):
        while True:
            _, _, en, address, data = await ctx.tick().sample(
                unit.table.en, unit.table.address, unit.table.data
            )
            if en:
                assert (address % places, data) in allowed
                table[address] = data

    return distances


def check_descriptor(ctx, config, unit, table, values):
    """Of a pass that runs everything is there; returns where in the table its distances begin."""
    # The half of the pass that runs is not the one that is written.
    first = ~ctx.get(unit.table.address) & (1 << (len(unit.table.address) - 1) if config.prefetch else 0)
    words = program.table_words(config)
    held = [table[first + word] for word in range(words)]
    assert held == program.encode(config, "", values)[:words]
    fields = stored(config, values)
    for name in program.fields(config):
        assert ctx.get(unit.layer[name]) == fields[name], name
    return first


def run(config, unit, packets, drawn, rng, *, image_bytes, gaps, words=(), limit=4_000):
    """Sends packets (beats, expected: right or not); checks loads, layers, starts and pulses."""
    layers, table = len(drawn), {}
    right = [good for _, good in packets]
    loads, drops, finished = [], [], []

    async def feed(ctx):
        if config.guarded:
            ctx.set(unit.runnable, 1)
        for address, word in enumerate(words):
            ctx.set(unit.w_en, 1)
            ctx.set(unit.w_address, address)
            ctx.set(unit.w_data, word)
            await ctx.tick()
        ctx.set(unit.w_en, 0)
        ctx.set(unit.layers, layers)
        ctx.set(unit.image_bytes, image_bytes)
        await ctx.tick()
        ctx.set(unit.enable, 1)
        for beats, _ in packets:
            for beat in beats:
                while rng.random() < gaps:
                    await ctx.tick()
                ctx.set(unit.i.payload, beat)
                ctx.set(unit.i.valid, 1)
                taken = False
                while not taken:
                    _, _, taken = await ctx.tick().sample(unit.i.ready)
                ctx.set(unit.i.valid, 0)
        while len(finished) < sum(right):
            await ctx.tick()

    async def packer(ctx):
        """Keeps what would be stored since the last start of a map."""
        held, wait = [], None
        while True:
            ctx.set(unit.load_ready, rng.random() >= gaps)
            beat = unit.i.valid & unit.i.ready
            _, _, start, load, count, last, data, wrong, taken, begins, ready = await ctx.tick().sample(
                unit.load_start,
                unit.load,
                unit.load_count,
                unit.load_last,
                unit.i.payload.data,
                unit.wrong_packet,
                beat,
                unit.image_begins,
                unit.load_ready,
            )
            assert begins == taken and ready >= taken >= load
            if start:
                held = []
            if load:
                held += fields_of(data, 8, config.port_bytes)[:count]
                assert len(held) <= image_bytes, "bytes beyond the image"
            if wrong:
                drops.append(len(loads) + len(drops))
            ctx.set(unit.loaded, 0)
            if load and last:
                loads.append(held)
                wait = int(rng.integers(0, 4))
            if wait is not None:
                ctx.set(unit.loaded, wait == 0)
                wait = wait - 1 if wait else None

    async def engine(ctx):
        """Ends each layer some cycles after its start; checks the descriptor until then."""
        while True:
            for number in range(layers):
                started = False
                while not started:
                    _, _, started, busy = await ctx.tick().sample(unit.start, unit.busy)
                assert busy
                first = check_descriptor(ctx, config, unit, table, drawn[number])
                for _ in range(int(rng.integers(1, 6))):
                    assert check_descriptor(ctx, config, unit, table, drawn[number]) == first
                    _, _, again, ready = await ctx.tick().sample(unit.start, unit.i.ready)
                    assert not again and not ready
                ctx.set(unit.layer_ended, 1)
                _, _, ends = await ctx.tick().sample(unit.finished)
                ctx.set(unit.layer_ended, 0)
                assert ends == (number == layers - 1)
            finished.append(True)

    descriptors = [program.encode(config, "", values) for values in drawn]
    distances = distances_of(config, unit, table, descriptors)
    simulate(unit, feed, limit=limit, monitors=[packer, distances, engine])
    images = [
        np.concatenate(
            [fields_of(beat["data"], 8, config.port_bytes)[: beat["keep"].bit_count()] for beat in beats]
        ).tolist()
        for beats, good in packets
        if good
    ]
    assert loads == images
    assert drops == [number for number, good in enumerate(right) if not good]


@pytest.mark.parametrize("port_bytes", [1, 4])
@pytest.mark.parametrize("gaps", [0, 0.5])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("prefetch", [0, 1])
def test_packets(port_bytes, gaps, layers, prefetch, rng):
    """Right ones, too short, too long by one and by many, empty, in random order."""
    # Without checks half of the time.
    checks = "none" if (port_bytes > 1) ^ (layers > 1) ^ prefetch else "full"
    config = BASE.replace(port_bytes=port_bytes, prefetch=prefetch, checks=checks)
    drawn, words = draw_descriptors(config, rng, layers)
    lengths = [19, 18, 19, 20, 19, 57, 1, 19, 0, 19, 38]
    packets = [
        (beats_of(length, rng, port_bytes, empty_last=rng.random() < 0.3), length == 19) for length in lengths
    ]
    run(config, Sequencer(config), packets, drawn, rng, image_bytes=19, gaps=gaps, words=words)


@pytest.mark.parametrize("prefetch", [0, 1])
def test_one_byte_image_preloaded(prefetch, rng):
    """The least of everything: one beat, one layer, program memory of one descriptor."""
    config = BASE.replace(layer_depth=1, port_bytes=1, prefetch=prefetch)
    drawn, words = draw_descriptors(config, rng, 1)
    unit = Sequencer(config, init=words)
    packets = [([{"data": 7, "keep": 1, "last": 1}], True)] * 3
    run(config, unit, packets, drawn, rng, image_bytes=1, gaps=0, limit=300)


def test_not_ready_until_enabled(rng):
    config = BASE
    _, words = draw_descriptors(config, rng, 1)
    unit = Sequencer(config, init=words)

    async def testbench(ctx):
        ctx.set(unit.runnable, 1)
        ctx.set(unit.layers, 1)
        ctx.set(unit.image_bytes, 8)
        ctx.set(unit.i.valid, 1)
        ctx.set(unit.i.payload, {"data": 0, "keep": 15, "last": 0})
        for _ in range(5):
            _, _, ready, busy = await ctx.tick().sample(unit.i.ready, unit.busy)
            assert not ready and not busy
        # Disabled after one beat: the packet is still taken to its end.
        ctx.set(unit.enable, 1)
        ctx.set(unit.load_ready, 1)
        taken = False
        while not taken:
            _, _, taken = await ctx.tick().sample(unit.i.ready)
        ctx.set(unit.enable, 0)
        ctx.set(unit.i.payload, {"data": 0, "keep": 15, "last": 1})
        _, _, ready, last = await ctx.tick().sample(unit.i.ready, unit.load_last)
        assert ready and last

    simulate(unit, testbench, limit=50)


def test_disabled_between_packets(rng):
    """Clearing the control bit while no packet is under way closes the port."""
    unit = Sequencer(BASE)

    async def testbench(ctx):
        ctx.set(unit.runnable, 1)
        ctx.set(unit.layers, 1)
        ctx.set(unit.image_bytes, 8)
        ctx.set(unit.enable, 1)
        ctx.set(unit.load_ready, 1)
        for _ in range(3):
            await ctx.tick()
        assert ctx.get(unit.i.ready)
        ctx.set(unit.enable, 0)
        ctx.set(unit.i.valid, 1)
        for _ in range(4):
            _, _, ready = await ctx.tick().sample(unit.i.ready)
            assert not ready

    simulate(unit, testbench, limit=20)
