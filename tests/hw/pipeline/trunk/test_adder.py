# amaranth: UnusedElaboratable=no
"""Additions of two streams: either one first, any distance, gaps, blank slots; as many words as planned."""

from itertools import pairwise

import numpy as np
import pytest

from dorefa.hw.pipeline.slots.stream import Stream
from dorefa.hw.pipeline.trunk.adder import TrunkAdder

from ...support import fields_of, flat, simulate

CHANNELS, OWN, ADDED, SUM = 2, 6, 4, 7


def streams_of(rng):
    """(own, added): as many pixels of one origin, the one's never complete before the other's."""
    pixels, pace = int(rng.integers(1, 12)), int(rng.choice([1, 1, 2, 5]))
    count = int(rng.integers(1, pixels + 1))
    early = np.sort(rng.choice(pixels, count, replace=False)) + int(rng.integers(0, 4))
    behind = int(rng.choice([0, 1, 5, pixels]))
    late = early + behind
    # Some of them later still, in order and within the time of an image.
    for place in reversed(range(count)):
        most = (late[place + 1] if place + 1 < count else late[0] + pixels) - 1
        late[place] = (
            int(rng.integers(late[place], max(late[place], most) + 1)) if rng.integers(2) else late[place]
        )
    found = [Stream(causes, pixels, pace, delay=int(rng.integers(0, 15))) for causes in (early, late)]
    return found if rng.integers(2) else found[::-1]


def slots_of(stream, times, blank_from):
    """{cycle: (image, pixel), or None of a blank slot} by the times of the origin's slots."""
    found = {}
    for image in range(len(times) // stream.pixels + 1):
        for pixel, cause in enumerate(stream.causes.tolist()):
            slot = image * stream.pixels + cause
            if slot < len(times):
                found[times[slot] + stream.delay] = (image, pixel) if image < blank_from else None
    return found


def most_waiting(adder, early, late):
    """The most pixels that are in the memory at a time."""
    written = sorted(cycle for cycle, slot in early.items() if slot is not None)
    read = sorted(cycle + adder.held for cycle, slot in late.items() if slot is not None)
    assert all(after - before >= 2 for before, after in zip(written, read, strict=True))
    return max(
        np.searchsorted(written, cycle, side="right") - np.searchsorted(read, cycle, side="right")
        for cycle in written
    )


def times_of(stream, count, gaps, rng):
    """Cycles of so many slots of the origin."""
    apart = stream.pace + (rng.integers(0, 12, count) * (rng.random(count) < gaps)).astype(int)
    return np.cumsum(apart).tolist()


@pytest.mark.parametrize("number", range(40))
def test_sums(number, seed):
    rng = np.random.default_rng([number, seed])
    own, added = streams_of(rng)
    adder = TrunkAdder(CHANNELS, OWN, ADDED, SUM, own, added)
    assert adder.problem is None
    # Enough to fill the memory, and to wrap around it.
    images, reached = 3 + adder.depth, 0
    for gaps in (0, 0.2, 1):
        flush = int(max(own.causes.max(), added.causes.max())) + 1
        times = times_of(own, images * own.pixels + flush, gaps, rng)
        sides = [slots_of(stream, times, images) for stream in (own, added)]
        reached = max(reached, most_waiting(adder, *(sides if adder.own_waits else sides[::-1])))
        check(adder, sides, images, rng)
    # Slots as close as they may come fill the memory, and those far apart where the later stream is faster.
    assert reached == adder.depth


def check(adder, sides, images, rng):
    """The sums of slots, and when they come."""
    shape = (images, len(adder.passed.causes), CHANNELS)
    numbers = [rng.integers(-(1 << bits - 1), 1 << bits - 1, shape) for bits in (OWN, ADDED)]
    half = 1 << (SUM - 1)
    sums = (numbers[0] + numbers[1] + half) % (1 << SUM) - half
    end = max(max(side) for side in sides) + adder.latency + 1
    found = {}

    async def testbench(ctx):
        for cycle in range(end + 1):
            for port, side, values, bits in zip(
                (adder.own, adder.added), sides, numbers, (OWN, ADDED), strict=True
            ):
                slot = side.get(cycle)
                ctx.set(port.valid, cycle in side)
                ctx.set(port.blank, cycle in side and slot is None)
                word = rng.integers(0, 1 << bits, CHANNELS) if slot is None else values[slot]
                ctx.set(port.word, flat(word, bits))
            if ctx.get(adder.o.valid):
                word = fields_of(ctx.get(adder.o.word), SUM, CHANNELS)
                found[cycle] = None if ctx.get(adder.o.blank) else [(value ^ half) - half for value in word]
            await ctx.tick()

    simulate(adder, testbench, limit=end + 3)
    late = sides[1] if adder.own_waits else sides[0]
    expected = {
        cycle + adder.latency: None if slot is None else sums[slot].tolist() for cycle, slot in late.items()
    }
    assert found == expected


def test_neither_stream_may_wait():
    one, other = (Stream(np.array(causes), 9, 1) for causes in ([1, 2, 7], [0, 3, 8]))
    assert "before, others behind" in TrunkAdder(1, 4, 4, 5, one, other).problem
    for pair in pairwise([one, one, Stream(one.causes + 1, 9, 1), one]):
        assert TrunkAdder(1, 4, 4, 5, *pair).problem is None
