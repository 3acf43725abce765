"""The plane packer: any counts in, dense words out, exact ends."""

import numpy as np
import pytest

from dorefa.hw.config import EngineConfig
from dorefa.hw.packer import PlanePacker

from .support import bits_of, fields_of, flat, simulate

CONFIGS = {
    "plain": EngineConfig(lanes=16, quant=3, rows=3, fetch_bits=16, a_bits=4, feature_depth=64),
    # One code per cycle, one plane, the narrowest word.
    "least": EngineConfig(
        lanes=8, quant=1, rows=1, fetch_bits=8, a_bits=1, out_bits=1, feature_depth=2
    ),
    # A beat fills a whole word: it may fill one and begin the next at once.
    "word_per_beat": EngineConfig(lanes=8, quant=2, rows=2, fetch_bits=8, port_bytes=8, a_bits=8),
    # Planes in three groups, the last of which is not full.
    "groups": EngineConfig(
        lanes=16, quant=3, rows=3, fetch_bits=8, a_bits=8, plane_groups=3, feature_depth=64
    ),
    "word_per_beat_groups": EngineConfig(
        lanes=8, quant=1, rows=1, fetch_bits=8, port_bytes=8, a_bits=4, plane_groups=2, feature_depth=32
    ),
}
DISTANCE = 7


def packer_of(config):
    """(packer, codes per cycle)"""
    width = max(config.quant, config.port_bytes)
    return PlanePacker(config, width=width, groups=config.plane_groups), width


def run(config, maps, rng, gaps):
    """Packs `maps`, lists of (codes of one cycle); returns per map (address, words written)."""
    packer, width = packer_of(config)
    cycles = sum(map(len, maps))
    written = []

    async def feed(ctx):
        for number, chunks in enumerate(maps):
            ctx.set(packer.start, 1)
            ctx.set(packer.address, number % config.feature_depth)
            ctx.set(packer.distance, DISTANCE)
            await ctx.tick()
            ctx.set(packer.start, 0)
            for chunk in chunks:
                while rng.random() < gaps or not ctx.get(packer.ready):
                    await ctx.tick()
                # Codes beyond the count are noise.
                noise = rng.integers(0, 1 << config.a_bits, width - len(chunk))
                ctx.set(packer.codes, flat([*chunk, *noise], config.a_bits))
                ctx.set(packer.count, len(chunk))
                ctx.set(packer.valid, 1)
                ctx.set(packer.last, chunk is chunks[-1])
                await ctx.tick()
                ctx.set(packer.valid, 0)
                ctx.set(packer.last, 0)
            done = False
            while not done:
                _, _, done = await ctx.tick().sample(packer.done)

    async def check(ctx):
        words = []
        while len(written) < len(maps):
            _, _, en, address, word, done = await ctx.tick().sample(
                packer.w_en, packer.w_address, packer.w_data, packer.done
            )
            if en:
                words.append((address, word))
            if done:
                written.append(words)
                words = []

    simulate(packer, feed, check, limit=20 * cycles + 10 * len(maps) + 50)
    return written


def compare(config, maps, rng, gaps=0.3):
    for number, (chunks, words) in enumerate(zip(maps, run(config, maps, rng, gaps), strict=True)):
        codes = np.concatenate(chunks)
        fetch = config.fetch_bits
        groups, planes = config.plane_groups, config.fetch_planes
        assert len(words) == groups * -(-len(codes) // fetch), (number, len(codes))
        for at, (address, word) in enumerate(words):
            place, group = divmod(at, groups)
            size = 1 << (config.feature_depth - 1).bit_length()
            assert address == (number + place + group * DISTANCE) % size
            held = fields_of(word, fetch, planes)
            part = codes[place * fetch : (place + 1) * fetch] >> (group * planes)
            # The rest of the last word is zero, not what was there before.
            assert held == [bits_of(part, plane) for plane in range(planes)], (number, place)


@pytest.mark.parametrize("name", CONFIGS)
def test_random_chunks(name, rng):
    config = CONFIGS[name]
    width = max(config.quant, config.port_bytes)
    maps = []
    for _ in range(12):
        counts = rng.integers(1, width + 1, rng.integers(1, 40))
        maps.append([rng.integers(0, 1 << config.a_bits, count) for count in counts])
    compare(config, maps, rng)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_end(name, rng):
    """Maps of every length up to two words: the end in a word, at its end, and across it."""
    config = CONFIGS[name]
    width = max(config.quant, config.port_bytes)
    maps = []
    for length in range(1, 2 * config.fetch_bits + 2):
        first = int(rng.integers(1, min(width, length) + 1))
        codes = rng.integers(0, 1 << config.a_bits, length)
        maps.append([codes[:first], *np.split(codes[first:], range(width, length - first, width))])
        maps[-1] = [chunk for chunk in maps[-1] if len(chunk)]
    compare(config, maps, rng, gaps=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_empty_end(name, rng):
    """An end without codes writes the partial word, and nothing after full words."""
    config = CONFIGS[name]
    maps = []
    for length in range(1, 2 * config.fetch_bits + 1):
        maps.append([*rng.integers(0, 1 << config.a_bits, (length, 1)), np.zeros(0, int)])
    compare(config, maps, rng, gaps=0)


def test_start_drops_what_was_begun(rng):
    """A packet that was dropped leaves nothing behind."""
    config = CONFIGS["plain"]
    packer, _ = packer_of(config)
    seen = []

    async def testbench(ctx):
        for codes, last in (([15, 15, 15], 0), ([3, 1], 1)):
            ctx.set(packer.start, 1)
            await ctx.tick()
            ctx.set(packer.start, 0)
            ctx.set(packer.codes, flat(codes, 4))
            ctx.set(packer.count, len(codes))
            ctx.set(packer.valid, 1)
            ctx.set(packer.last, last)
            await ctx.tick()
            ctx.set(packer.valid, 0)
        for _ in range(3):
            if ctx.get(packer.w_en):
                seen.append(ctx.get(packer.w_data))
            await ctx.tick()
        assert seen == [flat([0b11, 0b01, 0, 0], 16)]

    simulate(packer, testbench, limit=20)
