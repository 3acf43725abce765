"""Streamed weights of a guarded engine: whose beats they are, how many, and what an image leaves behind."""

import pytest

from dorefa.hw.engine.array.weight_loader import WeightLoader

from ...support import simulate
from .test_weight_loader import make_config

# 3 addresses of 5 rows, a beat each.
ROWS, ADDRESSES = 5, 3


def packet(number, addresses=ADDRESSES, last=True, beats=None):
    """Beats (id, last) of a packet of pass `number`."""
    count = ROWS * addresses if beats is None else beats
    return [(number, last and beat == count - 1) for beat in range(count)]


class Loader:
    """A loader of images of three passes, whose source offers beats one after another; `taken` of them, and
    in which cycles it said `wrong` or `stray`."""

    def __init__(self, beats):
        self.unit = WeightLoader(make_config(8, 1, rows=ROWS, half=ADDRESSES))
        self.beats, self.taken = beats, 0
        self.wrong = self.stray = 0

    async def source(self, ctx):
        unit = self.unit
        while True:
            offers = self.taken < len(self.beats)
            ctx.set(unit.i.valid, offers)
            if offers:
                number, last = self.beats[self.taken]
                ctx.set(unit.i.payload, {"data": 1, "id": number, "last": last})
            *_, ready, wrong, stray = await ctx.tick().sample(unit.i.ready, unit.wrong, unit.stray)
            assert offers or not ready
            self.taken += bool(offers and ready)
            self.wrong += wrong
            self.stray += stray

    async def pulse(self, ctx, *names):
        for name in names:
            ctx.set(getattr(self.unit, name), 1)
        await ctx.tick()
        for name in names:
            ctx.set(getattr(self.unit, name), 0)

    async def image(self, ctx, passes=3, addresses=ADDRESSES):
        """Runs an image as far as it goes, of passes of so many addresses; returns how many of its passes got
        their weights."""
        unit = self.unit
        ctx.set(unit.passes, passes)
        ctx.set(unit.expected, addresses)
        self.wrong = 0
        await self.pulse(ctx, "image_begins")
        for number in range(passes):
            await self.pulse(ctx, "start")
            for _ in range(120):
                if self.wrong or ctx.get(unit.available):
                    break
                await ctx.tick()
            await ctx.tick()
            if self.wrong or not ctx.get(unit.available):
                await self.pulse(ctx, "restart")
                return number
            await self.pulse(ctx, "taken", *(["finished"] if number == passes - 1 else []))
        return passes

    def run(self, testbench):
        simulate(self.unit, testbench, limit=2_000, monitors=[self.source])


def whole(images=1):
    return [beat for _ in range(images) for number in range(3) for beat in packet(number)]


FIRST = {
    "short": packet(0, 2),
    "long": packet(0, 4),
    "within an address": packet(0, beats=13),
    "another id": packet(1),
    "without last": packet(0, last=False),
    "an id that changes": packet(0, beats=7, last=False) + packet(1, beats=8),
}


def test_a_packet_that_ends_within_its_only_address():
    """It has no length, and so not that of the pass either."""
    loader = Loader(packet(0, beats=3))

    async def testbench(ctx):
        assert await loader.image(ctx, passes=2, addresses=1) == 0
        assert loader.wrong
        loader.beats += packet(0, 1) + packet(1, 1)
        assert await loader.image(ctx, passes=2, addresses=1) == 2
        assert not loader.wrong

    loader.run(testbench)


# In front of an image another id than 0 is what an image has left.
@pytest.mark.parametrize(
    "name, place", [(n, p) for n in FIRST for p in range(3) if (n, p) != ("another id", 0)]
)
@pytest.mark.parametrize("waits", [0, 3, 100])
def test_a_wrong_packet_is_an_error_of_its_image_alone(name, place, waits):
    """Of any pass; the packets that follow are dropped up to those of the next image, which is right, also
    where it begins before they are gone."""
    own = [(number + place, last) for number, last in FIRST[name]]
    before = [beat for number in range(place) for beat in packet(number)]
    after = [beat for number in range(place + 1, 3) for beat in packet(number)]
    loader = Loader(before + own + after + whole(2))

    async def testbench(ctx):
        assert await loader.image(ctx) <= place
        assert loader.wrong
        for _ in range(waits):
            await ctx.tick()
        # Nothing is dropped without having been told.
        assert not loader.stray
        assert await loader.image(ctx) == 3
        assert not loader.wrong and not loader.stray

    loader.run(testbench)


def test_the_last_packet_without_its_end():
    """Nothing comes behind it."""
    loader = Loader(packet(0) + packet(1) + packet(2, last=False))

    async def testbench(ctx):
        assert await loader.image(ctx) == 2
        assert loader.wrong

    loader.run(testbench)


def test_a_lost_packet():
    """The next image's first packet is not taken for it, and is there for the next image."""
    loader = Loader(packet(0) + packet(1) + whole())

    async def testbench(ctx):
        assert await loader.image(ctx) <= 2
        assert loader.wrong and loader.taken == 2 * ROWS * ADDRESSES
        assert await loader.image(ctx) == 3
        assert not loader.wrong

    loader.run(testbench)


def test_a_repeated_packet_behind_an_image():
    """It is dropped, and told: nothing was wrong in the image before it."""
    loader = Loader([*packet(0, 2), *whole(), *packet(2), *whole()])

    async def testbench(ctx):
        assert await loader.image(ctx) == 0
        assert await loader.image(ctx) == 3
        for _ in range(40):
            await ctx.tick()
        assert loader.stray == ROWS * ADDRESSES and not loader.wrong
        assert loader.taken == 2 * ROWS + 4 * ROWS * ADDRESSES
        assert await loader.image(ctx) == 3

    loader.run(testbench)


def test_a_packet_that_a_restart_tears():
    """The rest of a packet of pass 0 is not taken for the next image's, whole or cut short by another one."""
    for rest in (packet(0, beats=9), packet(0, beats=4, last=False) + packet(1)):
        loader = Loader(packet(0, beats=6, last=False) + rest + whole())

        async def testbench(ctx, loader=loader):
            ctx.set(loader.unit.passes, 3)
            await loader.pulse(ctx, "image_begins")
            while loader.taken < 6:
                await ctx.tick()
            await loader.pulse(ctx, "restart")
            for _ in range(60):
                await ctx.tick()
            assert await loader.image(ctx) == 3
            assert not loader.wrong and not loader.stray

        loader.run(testbench)


def test_flush_ends_the_packet_that_is_under_way():
    """What comes behind it is a new one."""
    loader = Loader(packet(0, beats=6, last=False))

    async def testbench(ctx):
        ctx.set(loader.unit.passes, 3)
        await loader.pulse(ctx, "image_begins")
        while loader.taken < 6:
            await ctx.tick()
        await loader.pulse(ctx, "restart", "flush")
        loader.beats += whole()
        for _ in range(20):
            await ctx.tick()
        assert loader.taken == 6
        assert await loader.image(ctx) == 3

    loader.run(testbench)
