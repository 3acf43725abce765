"""Streamed weights: packets of every port width into the halves of the weight memory."""

import pytest

from dorefa.hw.compiler.packets import weight_packet
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.array.weight_loader import WeightLoader
from dorefa.hw.interface.streams import beats_per_address, beats_per_word, rows_per_beat

from ...support import fields_of, simulate


def make_config(lanes, port_bytes, rows=5, engines=1, half=3):
    fetch = 8
    while fetch < max(port_bytes, engines):
        fetch *= 2
    return EngineConfig(
        lanes=lanes,
        rows=rows,
        engines=engines,
        quant=1,
        fetch_bits=fetch,
        port_bytes=port_bytes,
        weights="stream",
        weight_depth=2 * half,
        param_depth=8,
        layer_depth=4,
    )


def draw_words(rng, config, addresses):
    """Random words of every row."""
    size = config.lanes // 8 + 1
    return [
        [int.from_bytes(rng.bytes(size), "little") % (1 << config.lanes) for _ in range(addresses)]
        for _ in range(config.total_rows)
    ]


def beats_of(words, config, rng, addresses=None):
    """(data, last) of a packet; bits that carry no weight are noise. `addresses` may be a fraction: the
    packet then ends within an address; words beyond the given ones are noise too."""
    port = 8 * config.port_bytes
    together, each = max(1, port // config.lanes), -(-config.lanes // port)
    count = len(words[0]) if addresses is None else addresses
    beats = []
    for address in range(-(-int(count * 64) // 64) + 1):
        for first in range(0, config.total_rows, together):
            joined = int.from_bytes(rng.bytes(each * config.port_bytes), "little")
            for number, row in enumerate(words[first : first + together]):
                if address < len(row):
                    mask = ((1 << config.lanes) - 1) << (number * config.lanes)
                    joined = joined & ~mask | row[address] << (number * config.lanes)
            beats += [(joined >> (n * port)) % (1 << port) for n in range(each)]
    kept = max(1, int(count * beats_per_address(config)))
    return [(data, n == kept - 1) for n, data in enumerate(beats[:kept])]


def run(config, images, rng, stalls):
    """images: per image its passes (words, expected addresses, addresses of the packet or None).

    Sends every packet and takes the passes at random moments; checks the words that a pass finds, that
    they stay while it computes, and what is said of its length.
    """
    unit = WeightLoader(config)
    half, together = config.weight_depth // 2, rows_per_beat(config)
    memory = [[None] * config.weight_depth for _ in range(config.total_rows)]
    passes = [one for image in images for one in image]
    numbered = [one for image in images for one in enumerate(image)]
    longest = max(len(beats_of(w, config, rng, a)) for w, _, a in passes)
    idle = []

    async def source(ctx):
        for number, (words, _, addresses) in numbered:
            own = {"id": number} if config.guarded else {}
            for data, last in beats_of(words, config, rng, addresses):
                while rng.random() < stalls:
                    await ctx.tick()
                ctx.set(unit.i.payload, {"data": data, "last": last} | own)
                ctx.set(unit.i.valid, 1)
                taken = False
                while not taken:
                    _, _, taken = await ctx.tick().sample(unit.i.ready)
                    assert not (taken and idle), "a packet before its image"
                ctx.set(unit.i.valid, 0)

    async def store(ctx):
        while True:
            _, _, enables, address, data = await ctx.tick().sample(unit.w_en, unit.w_address, unit.w_data)
            held = fields_of(data, config.lanes, together)
            for row in range(config.total_rows):
                if enables >> row & 1:
                    memory[row][address] = held[row % together]

    async def engine(ctx):
        for image in images:
            idle.append(True)
            for _ in range(int(rng.integers(0, 30))):
                _, _, available = await ctx.tick().sample(unit.available)
                assert not available
            idle.clear()
            ctx.set(unit.passes, len(image))
            for _ in range(2):  # every beat of the image says so
                ctx.set(unit.image_begins, 1)
                await ctx.tick()
                ctx.set(unit.image_begins, 0)
            for number, (words, expected, addresses) in enumerate(image):
                ctx.set(unit.expected, expected)
                ctx.set(unit.start, 1)
                await ctx.tick()
                ctx.set(unit.start, 0)
                available = False
                while not available:
                    _, _, available = await ctx.tick().sample(unit.available)
                right = (len(words[0]) if addresses is None else addresses) == expected
                for _ in range(int(rng.integers(1, 3 * longest))):
                    assert ctx.get(unit.available) and ctx.get(unit.wrong) == (not right)
                    if right:
                        first = number % 2 * half
                        assert [row[first : first + expected] for row in memory] == words, number
                    await ctx.tick()
                ctx.set(unit.taken, 1)
                ctx.set(unit.finished, number == len(image) - 1)
                await ctx.tick()
                ctx.set(unit.taken, 0)
                ctx.set(unit.finished, 0)

    limit = int(len(passes) * (5 * longest + 20) / (1 - stalls)) + 100 * len(images) + 200
    simulate(unit, source, engine, limit=limit, monitors=[store])


def right_passes(config, rng, count):
    half = config.weight_depth // 2
    passes = []
    for _ in range(count):
        addresses = int(rng.integers(1, half + 1))
        passes.append((draw_words(rng, config, addresses), addresses, None))
    return passes


# A word that is fetched is at least as wide as a beat has bytes, and at most as a patch word.
WIDTHS = [
    (lanes, port)
    for lanes in (8, 11, 24, 33, 64, 100, 144)
    for port in (1, 2, 3, 4, 8, 16, 64)
    if port <= lanes
]


@pytest.mark.parametrize("lanes, port_bytes", WIDTHS)
def test_every_port_width(lanes, port_bytes, rng):
    """Words of several beats, several words to a beat, and neither a multiple of the other."""
    config = make_config(lanes, port_bytes)
    run(config, [right_passes(config, rng, 3), right_passes(config, rng, 2)], rng, 0.3)


@pytest.mark.parametrize("rows, engines, half", [(1, 1, 1), (1, 4, 2), (4, 3, 3), (7, 2, 4)])
@pytest.mark.parametrize("stalls", [0, 0.7])
def test_rows_of_all_engines(rows, engines, half, stalls, rng):
    config = make_config(16, 4, rows=rows, engines=engines, half=half)
    images = [right_passes(config, rng, count) for count in (1, 4, 3, 2)]
    run(config, images, rng, stalls)


@pytest.mark.parametrize("lanes, port_bytes", [(8, 1), (33, 2), (11, 8)])
@pytest.mark.parametrize("stalls", [0, 0.4])
def test_wrong_lengths(lanes, port_bytes, stalls, rng):
    """Too short, too long, longer than a half, ending within an address, or a word; the packets that
    follow, of the same image and of the next, are right again."""
    config = make_config(lanes, port_bytes, rows=6, half=3).replace(checks="none")
    images = []
    for wrong in (1, 2 / 3, 3 / 2, 2 + 1 / 6, 1 + 1 / beats_per_address(config), 3, 4, 9):
        words, after = draw_words(rng, config, 2), draw_words(rng, config, 3)
        if wrong * beats_per_address(config) != int(wrong * beats_per_address(config)):
            continue  # not a number of beats
        images.append([(words, 2, wrong), (after, 3, None), (words, 2, None)])
        images.append([(words, 2, None), (after, 3, wrong if wrong != 3 else 2), (words, 2, None)])
    assert len(images) >= 8
    run(config, images, rng, stalls)


def test_beats():
    """How words and beats lie, in numbers."""
    for lanes, port_bytes, rows, together, each, per_address in (
        (16, 1, 5, 1, 2, 10),
        (11, 1, 5, 1, 2, 10),
        (8, 4, 5, 4, 1, 2),
        (11, 8, 6, 5, 1, 2),
        (33, 8, 3, 1, 1, 3),
        (144, 8, 2, 1, 3, 6),
    ):
        config = make_config(lanes, port_bytes, rows=rows)
        assert rows_per_beat(config) == together
        assert beats_per_word(config) == each
        assert beats_per_address(config) == per_address


def test_packet():
    """Address by address, row by row, lowest bits first; a beat never holds parts of two words."""
    config = make_config(12, 1, rows=2)
    assert weight_packet([[0xABC, 0x123], [0x456, 0x789]], config) == bytes.fromhex("bc0a560423018907")
    config = make_config(12, 4, rows=3)
    # Two words to a beat, the third in a beat of its own.
    packet = weight_packet([[0xABC], [0x456], [0x789]], config)
    assert packet == (0xABC | 0x456 << 12).to_bytes(4, "little") + (0x789).to_bytes(4, "little")
