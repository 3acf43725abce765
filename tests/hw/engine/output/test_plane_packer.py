"""The plane packer: any counts in, dense words out, exact ends."""

import numpy as np
import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.plane_packer import PlanePacker, image_waits

from ...support import bits_of, fields_of, flat, simulate

CONFIGS = {
    "plain": EngineConfig(lanes=16, quant=3, rows=3, fetch_bits=16, a_bits=4, feature_depth=64),
    # One code per cycle, one plane, the narrowest word.
    "least": EngineConfig(lanes=8, quant=1, rows=1, fetch_bits=8, a_bits=1, out_bits=1, feature_depth=2),
    # A beat, or a group of channels, fills a whole word: it may fill one and begin the next at once.
    "word_per_beat": EngineConfig(
        lanes=8, quant=7, rows=7, fetch_bits=8, port_bytes=8, a_bits=8, feature_depth=64
    ),
    # Planes in three groups, the last of which is not full; the next word takes longer than they.
    "groups": EngineConfig(
        lanes=16, quant=3, rows=3, fetch_bits=8, a_bits=8, plane_groups=3, feature_depth=64
    ),
    # The next word comes just as fast as the groups are written.
    "groups_in_time": EngineConfig(
        lanes=16, quant=4, rows=4, fetch_bits=16, port_bytes=4, a_bits=8, plane_groups=4, feature_depth=64
    ),
    # It would come faster, and waits.
    "groups_wait": EngineConfig(
        lanes=16, quant=2, rows=2, fetch_bits=8, port_bytes=3, a_bits=8, plane_groups=4, feature_depth=64
    ),
    "word_per_beat_groups": EngineConfig(
        lanes=8, quant=1, rows=1, fetch_bits=8, port_bytes=8, a_bits=4, plane_groups=2, feature_depth=32
    ),
    # Rows of a layer's map apart.
    "rows": EngineConfig(lanes=16, quant=3, rows=3, fetch_bits=16, a_bits=4, feature_depth=64, row_steps=1),
    "word_per_beat_rows": EngineConfig(
        lanes=8, quant=7, rows=7, fetch_bits=8, port_bytes=8, a_bits=8, feature_depth=64, row_steps=1
    ),
    "groups_rows": EngineConfig(
        lanes=16, quant=2, rows=2, fetch_bits=8, port_bytes=3, plane_groups=4, feature_depth=64, row_steps=1
    ),
    "word_per_group_groups": EngineConfig(
        lanes=8, quant=8, rows=8, fetch_bits=8, a_bits=8, plane_groups=8, out_bits=1, feature_depth=128
    ),
}


def draw(config, rng, image, counts):
    """A map of random codes: (whether it is an image's, codes of every cycle)."""
    bits = config.a_bits if image else config.stored_bits
    return image, [rng.integers(0, 1 << bits, count) for count in counts]


def widest(config, image):
    """Codes of an image, or of a layer, per cycle."""
    return config.port_bytes if image else config.total_quant


async def offer(ctx, packer, config, image, chunk, last, rng):
    """Offers the codes of one cycle. Codes beyond the count, and those of the other input, are noise."""
    bits, stored = config.a_bits, config.stored_bits
    ctx.set(packer.image_codes, int.from_bytes(rng.bytes(64)) % (1 << len(packer.image_codes)))
    ctx.set(packer.codes, int.from_bytes(rng.bytes(64)) % (1 << len(packer.codes)))
    width = widest(config, image)
    codes = [*chunk, *rng.integers(0, 1 << (bits if image else stored), width - len(chunk))]
    prefix = "image_" if image else ""
    for name, value in {
        "valid": 1,
        "codes": flat(codes, bits if image else stored),
        "count": len(chunk),
        "last": last,
    }.items():
        ctx.set(getattr(packer, prefix + name), value)


def row_of(number):
    """(words of a row, words between rows) of a map."""
    return 1 + number % 3, number % 5


def run(config, maps, rng, gaps):
    """Packs `maps`; returns per map (address, words written), and the cycles from its last codes to done."""
    packer = PlanePacker(config)
    cycles = sum(len(chunks) for _, chunks in maps)
    written, waited = [], []

    async def feed(ctx):
        for number, (image, chunks) in enumerate(maps):
            ctx.set(packer.start, 1)
            ctx.set(packer.image, image)
            # That of an image is 0 whatever is here.
            ctx.set(packer.address, number % config.feature_depth)
            ctx.set(packer.image_bytes, sum(map(len, chunks)))
            if config.row_steps:
                ctx.set(packer.row_words, row_of(number)[0] - 1)
                ctx.set(packer.row_step, row_of(number)[1])
            await ctx.tick()
            ctx.set(packer.start, 0)
            ctx.set(packer.image, int(rng.integers(2)))
            for at, chunk in enumerate(chunks):
                while rng.random() < gaps:
                    await ctx.tick()
                await offer(ctx, packer, config, image, chunk, at == len(chunks) - 1, rng)
                ready = False
                while not ready:
                    _, _, ready = await ctx.tick().sample(packer.ready)
                    ready |= not image
                for name in ("valid", "image_valid"):
                    ctx.set(getattr(packer, name), 0)
                # Without valid they say nothing.
                for name in ("last", "image_last"):
                    ctx.set(getattr(packer, name), int(rng.integers(2)))
            waited.append(0)
            done = False
            while not done:
                _, _, done = await ctx.tick().sample(packer.done)
                waited[-1] += 1

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
        for _ in range(20):
            _, _, en, done = await ctx.tick().sample(packer.w_en, packer.done)
            assert not en and not done

    simulate(packer, feed, check, limit=20 * cycles + 30 * len(maps) + 50)
    return written, waited


def compare(config, maps, rng, gaps=0.3):
    written, waited = run(config, maps, rng, gaps)
    for number, ((image, chunks), words) in enumerate(zip(maps, written, strict=True)):
        codes = np.concatenate(chunks)
        fetch = config.fetch_bits
        groups = config.plane_groups if image else 1
        planes = config.fetch_planes if image else config.stored_bits
        size = -(-len(codes) // fetch)
        assert len(words) == groups * size, (number, len(codes))
        if not image:
            assert waited[number] == PlanePacker.latency(config)
        for at, (address, word) in enumerate(words):
            place, group = divmod(at, groups)
            first = 0 if image else number
            if config.row_steps and not image:
                words_of_row, between = row_of(number)
                first += place // words_of_row * between
            assert address == (first + place + group * size) % config.feature_depth
            part = codes[place * fetch : (place + 1) * fetch] >> (group * planes)
            # What lies behind the map's last code is undefined.
            held = [plane & ((1 << len(part)) - 1) for plane in fields_of(word, fetch, planes)]
            assert held == [bits_of(part, plane) for plane in range(planes)], (number, place)


@pytest.mark.parametrize("name", CONFIGS)
def test_random_chunks(name, rng):
    config = CONFIGS[name]
    maps = []
    for number in range(16):
        image = number % 4 < 2
        counts = rng.integers(1, widest(config, image) + 1, rng.integers(1, 40))
        maps.append(draw(config, rng, image, counts))
    compare(config, maps, rng)


@pytest.mark.parametrize("image", [True, False], ids=["image", "layer"])
@pytest.mark.parametrize("name", CONFIGS)
def test_every_end(name, image, rng):
    """Maps of every length up to two words: the end in a word, at its end, and across it."""
    config, maps = CONFIGS[name], []
    width = widest(config, image)
    for length in range(1, 2 * config.fetch_bits + 2):
        counts = [int(rng.integers(1, min(width, length) + 1))]
        while sum(counts) < length:
            counts.append(min(width, length - sum(counts)))
        maps.append(draw(config, rng, image, counts))
    compare(config, maps, rng, gaps=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_empty_end(name, rng):
    """An end without codes writes the partial word, and nothing after full words."""
    config = CONFIGS[name]
    lengths = range(1, 2 * config.fetch_bits + 1)
    compare(config, [draw(config, rng, True, [*[1] * length, 0]) for length in lengths], rng, gaps=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_empty_beats(name, rng):
    """Beats of an image without bytes, anywhere."""
    config = CONFIGS[name]
    maps = [draw(config, rng, True, rng.integers(0, config.port_bytes + 1, 40)) for _ in range(5)]
    compare(config, maps, rng, gaps=0)


@pytest.mark.parametrize(
    "name, waits",
    [
        ("plain", 0),
        ("groups", 0),
        ("groups_in_time", 0),
        ("groups_wait", 3),
        ("word_per_beat_groups", 1),
    ],
)
def test_full_beats_wait_only_for_groups(name, waits, rng):
    """An image's beats are taken one per cycle, but for the cycles that groups of a word take."""
    config = CONFIGS[name]
    assert image_waits(config) == waits
    packer = PlanePacker(config)
    port = config.port_bytes
    beats = 8 * config.fetch_bits

    async def testbench(ctx):
        ctx.set(packer.start, 1)
        ctx.set(packer.image, 1)
        await ctx.tick()
        ctx.set(packer.start, 0)
        await offer(ctx, packer, config, True, rng.integers(0, 1 << config.a_bits, port), 0, rng)
        cycles = 0
        for beat in range(beats):
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(packer.ready)
                cycles += 1
            # The register in front holds one more.
            words = max(0, beat - 1) * port // config.fetch_bits
            assert cycles == beat + 1 + waits * words

    simulate(packer, testbench, limit=20 * beats)


@pytest.mark.parametrize("name", CONFIGS)
def test_start_drops_what_was_begun(name, rng):
    """A packet that was dropped at any moment, within a word's groups too, leaves nothing behind."""
    config = CONFIGS[name]
    packer = PlanePacker(config)
    port, fetch, planes = config.port_bytes, config.fetch_bits, config.fetch_planes
    kept = rng.integers(0, 1 << config.a_bits, min(5, fetch))

    async def start(ctx):
        ctx.set(packer.start, 1)
        ctx.set(packer.image, 1)
        await ctx.tick()
        ctx.set(packer.start, 0)

    async def send(ctx, codes):
        """The codes, the last with `last`."""
        for at in range(0, len(codes), port):
            await offer(ctx, packer, config, True, codes[at : at + port], at + port >= len(codes), rng)
            ready = False
            while not ready:
                _, _, ready = await ctx.tick().sample(packer.ready)
            ctx.set(packer.image_valid, 0)

    async def testbench(ctx):
        ctx.set(packer.image_bytes, len(kept))
        for length in range(1, 2 * fetch + 2):
            for later in range(config.plane_groups + 3):
                await start(ctx)
                await send(ctx, rng.integers(0, 1 << config.a_bits, length))
                for _ in range(later):
                    await ctx.tick()
                await start(ctx)
                ctx.set(packer.image_valid, 0)
                words, done = [], False
                feeding = [kept[at : at + port] for at in range(0, len(kept), port)]
                while not done:
                    if feeding:
                        await offer(ctx, packer, config, True, feeding[0], len(feeding) == 1, rng)
                    _, _, en, address, word, done, ready = await ctx.tick().sample(
                        packer.w_en, packer.w_address, packer.w_data, packer.done, packer.ready
                    )
                    if feeding and ready:
                        feeding.pop(0)
                        ctx.set(packer.image_valid, 0)
                    if en:
                        words.append((address, word))
                assert [address for address, _ in words] == list(range(config.plane_groups))
                for group, (_, word) in enumerate(words):
                    held = [plane & ((1 << len(kept)) - 1) for plane in fields_of(word, fetch, planes)]
                    assert held == [bits_of(kept >> (group * planes), plane) for plane in range(planes)]

    simulate(packer, testbench, limit=200 * (2 * fetch + 2) * (config.plane_groups + 3))
