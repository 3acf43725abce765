"""Streams of trunks of a guarded engine: whose packets they are, how many groups they have, what comes
between images."""

from typing import NamedTuple

import pytest
from amaranth import ResetInserter, Signal

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.trunk_streams import TrunkStreams

from ...support import simulate

CONFIG = EngineConfig(
    lanes=8,
    rows=4,
    quant=1,
    fetch_bits=8,
    acc_bits=8,
    trunk_bits=8,
    trunk_depth=6,
    trunks="stream",
    layer_depth=4,
)


class Pass(NamedTuple):
    """Tiles of `groups` groups each, the last one of `last`; whose trunk it adds, whether it keeps one."""

    tiles: int
    groups: int
    last: int
    adds: int | None = None
    keeps: bool = True

    @property
    def count(self):
        return (self.tiles - 1) * self.groups + self.last


# Pass 0 makes a trunk of five groups, to which the others add.
IMAGE = [Pass(2, 3, 2), Pass(2, 3, 2, adds=0), Pass(2, 3, 2, adds=1, keeps=False)]


def packet(number, groups=5, last=True):
    """Beats (data, number, last) of the packet of a pass."""
    return [(16 * number + group, number, last and group == groups - 1) for group in range(groups)]


def of_image(beats, image):
    """The same with the image in their numbers."""
    return [(data, number + (image % 4 << CONFIG.pass_bits), last) for data, number, last in beats]


RIGHT = packet(0) + packet(1)


class Trunks:
    """A unit whose source offers `beats`, those that are there; `taken` of them, what leaves (`kept`), and
    how often it said `wrong` and `stray`. Images are numbered from 1 on."""

    def __init__(self, beats=()):
        self.unit, self.reset = TrunkStreams(CONFIG), Signal()
        self.beats, self.taken, self.kept = of_image(beats, 1), 0, []
        self.number = 0
        self.wrong = self.stray = 0

    async def source(self, ctx):
        unit = self.unit
        while True:
            offers = self.taken < len(self.beats)
            ctx.set(unit.i.valid, offers)
            if offers:
                data, number, last = self.beats[self.taken]
                ctx.set(unit.i.payload, {"data": data, "id": number, "last": last})
            ports = (unit.i.ready, unit.wrong, unit.stray, unit.o.valid, unit.o.payload)
            *_, ready, wrong, stray, leaves, beat = await ctx.tick().sample(*ports)
            self.taken += bool(offers and ready)
            self.wrong += wrong
            self.stray += stray
            if leaves:
                self.kept.append((beat.data, beat.id, beat.last))

    async def pulse(self, ctx, *ports):
        for port in ports:
            ctx.set(port, 1)
        await ctx.tick()
        for port in ports:
            ctx.set(port, 0)

    async def image(self, ctx, passes=IMAGE):
        """Runs an image up to its end, or to what is wrong; returns how many passes got their trunks, and
        the values that were added."""
        unit, added = self.unit, []
        self.wrong = 0
        self.number += 1
        ctx.set(unit.image, self.number % 4)
        ctx.set(unit.idle, 0)
        ctx.set(unit.o.ready, 1)
        for number, own in enumerate(passes):
            adds = own.adds is not None
            fields = {"full_groups": own.groups, "last_groups": own.last, "trunk_add": adds}
            fields |= {"trunk_store": own.keeps, "trunk_from": own.adds or 0}
            for name, value in fields.items():
                ctx.set(unit.layer[name], value)
            for tile in range(own.tiles):
                last = tile == own.tiles - 1
                ctx.set(unit.tile.last, last)
                ctx.set(unit.waits, 1)
                for _ in range(40):
                    await ctx.tick()
                    if self.wrong or ctx.get(unit.tile_ready):
                        break
                if self.wrong or not ctx.get(unit.tile_ready):
                    return number, added
                ctx.set(unit.waits, 0)
                await self.pulse(ctx, unit.tile.ends)
                groups = own.last if last else own.groups
                for group in range(groups):
                    if adds:
                        added.append(ctx.get(unit.taken))
                    ends = last and group == groups - 1
                    ctx.set(unit.take_last, ends)
                    ctx.set(unit.keep_last, ends)
                    ctx.set(unit.kept, 100 + group)
                    await self.pulse(ctx, *[unit.take] * adds, *[unit.keep] * own.keeps)
                if self.wrong:
                    return number, added
            await self.pulse(ctx, unit.ended, *[unit.finished] * (number == len(passes) - 1))
        ctx.set(unit.idle, 1)
        await ctx.tick()
        return len(passes), added

    async def restart(self, ctx):
        """What the engine does where something was wrong."""
        await self.pulse(ctx, self.reset)
        ctx.set(self.unit.idle, 1)
        await ctx.tick()

    def run(self, testbench, *monitors):
        async def begin(ctx):
            ctx.set(self.unit.idle, 1)
            await testbench(ctx)

        unit = ResetInserter(self.reset)(self.unit)
        simulate(unit, begin, limit=2_000, monitors=[self.source, *monitors])


def values(beats):
    return [data for data, _, _ in beats]


def test_right_images():
    trunks = Trunks()

    async def testbench(ctx):
        for image in range(1, 4):
            trunks.beats += of_image(RIGHT, image)
            assert await trunks.image(ctx) == (3, values(RIGHT))
            assert not trunks.wrong and not trunks.stray
        sent = [(100 + n % 3, number, n == 4) for number in (0, 1) for n in range(5)]
        assert trunks.kept == [beat for image in (1, 2, 3) for beat in of_image(sent, image)]

    trunks.run(testbench)


WRONG = {
    "short": packet(0, 4) + packet(1),
    "short by a tile": packet(0, 3) + packet(1),
    "long": packet(0, 6) + packet(1),
    "without last": packet(0, last=False) + packet(1),
    "of another pass": packet(1) + packet(1),
    "of another pass within": packet(0, 3, last=False) + packet(1, 2) + packet(1),
    "the second one short": packet(0) + packet(1, 4),
    "the second one of another pass": packet(0) + packet(2),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_packet_ends_its_image(name):
    """What is left of it comes to nothing, without a word more, and the next image is right."""
    trunks = Trunks(WRONG[name])

    async def testbench(ctx):
        passes, _ = await trunks.image(ctx)
        # A packet that goes on too long is seen with its last group.
        assert trunks.wrong and passes == (2 if "second" in name else 1)
        await trunks.restart(ctx)
        for _ in range(20):
            await ctx.tick()
        assert not trunks.stray
        trunks.beats += of_image(RIGHT, 2)
        assert await trunks.image(ctx) == (3, values(RIGHT))
        assert not trunks.wrong and not trunks.stray

    trunks.run(testbench)


@pytest.mark.parametrize("images", [1, 2, 3])
def test_trunks_that_an_image_has_left(images):
    """They come when later images run, in front of theirs, and are dropped, whatever they are."""
    trunks = Trunks(packet(0, 4) + packet(1))

    async def testbench(ctx):
        assert (await trunks.image(ctx))[0] == 1
        for _ in range(images - 1):
            await trunks.restart(ctx)
            assert not await trunks.image(ctx, IMAGE[1:]) == (2, values(RIGHT))
        await trunks.restart(ctx)
        trunks.wrong = 0
        trunks.beats += of_image([*packet(0), *packet(1), *packet(0, 2)], 1) + of_image(RIGHT, images + 1)
        assert await trunks.image(ctx) == (3, values(RIGHT))
        assert not trunks.wrong and not trunks.stray

    trunks.run(testbench)


def test_nothing_is_wrong_while_a_packet_may_go_on():
    """Its groups come late, and none is there before."""
    trunks = Trunks()

    async def late(ctx):
        for image in (1, 2):
            while trunks.number < image:
                await ctx.tick()
            for beat in of_image(RIGHT, image):
                for _ in range(7):
                    await ctx.tick()
                trunks.beats.append(beat)

    async def testbench(ctx):
        for _ in range(2):
            assert await trunks.image(ctx) == (3, values(RIGHT))
            assert not trunks.wrong

    trunks.run(testbench, late)


def test_what_comes_between_images_is_told():
    """Beat by beat; what is left behind an image once. The next image is right."""
    trunks = Trunks()

    async def testbench(ctx):
        # Behind a reset it is what the reset has left.
        trunks.beats += packet(3, 2)
        for _ in range(10):
            await ctx.tick()
        assert not trunks.stray and trunks.taken == 2
        for image in (1, 2):
            trunks.beats += of_image(RIGHT, image)
            assert (await trunks.image(ctx))[0] == 3
            trunks.beats += of_image(packet(0, 3), image)
            for _ in range(10):
                await ctx.tick()
            assert trunks.stray == 3 * image
        trunks.beats += of_image(RIGHT + packet(2, 2), 3)
        assert (await trunks.image(ctx))[0] == 3
        assert trunks.stray == 7 and not trunks.wrong
        trunks.beats += of_image(RIGHT, 4)
        assert await trunks.image(ctx) == (3, values(RIGHT))
        assert trunks.stray == 7 and not trunks.wrong

    trunks.run(testbench)
