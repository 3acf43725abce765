# amaranth: UnusedElaboratable=no
"""A packet leaves whole, or not at all, whatever waits."""

import pytest

from dorefa.hw.shell.packet_store import PacketStore

from ..support import simulate

WHOLE = 3  # both bytes of a beat


def run(beats, packets, *, ready=lambda cycle: True, cycles=200):
    """Feeds packets of (data, keep) beats; returns what left, packet by packet, how many were wrong, and the
    cycles between the last beat in and the first one out."""
    unit = PacketStore(beats=beats, beat_bytes=2)
    seen = {"packets": [[]], "wrong": 0, "waits": []}

    async def feed(ctx):
        for packet in packets:
            for at, (data, keep) in enumerate(packet):
                ctx.set(unit.i.payload, {"data": data, "keep": keep, "last": at == len(packet) - 1})
                ctx.set(unit.i.valid, 1)
                taken = False
                while not taken:
                    _, _, taken = await ctx.tick().sample(unit.i.ready)
                ctx.set(unit.i.valid, 0)
        await ctx.tick().repeat(cycles)

    async def watch(ctx):
        cycle, ended = 0, 0
        ctx.set(unit.o.ready, ready(0))
        signals = (unit.i.valid & unit.i.ready & unit.i.payload.last, unit.wrong, unit.o.valid, unit.o.ready)
        async for _, _, ends, wrong, valid, taken, beat in ctx.tick().sample(*signals, unit.o.payload):
            seen["wrong"] += wrong
            if valid and not seen["packets"][-1] and len(seen["waits"]) < len(seen["packets"]):
                seen["waits"].append(cycle - ended)
            if valid and taken:
                seen["packets"][-1].append(beat.data)
                if beat.last:
                    seen["packets"].append([])
            ended = cycle if ends else ended
            cycle += 1
            ctx.set(unit.o.ready, ready(cycle))

    simulate(unit, feed, limit=10_000, monitors=[watch])
    assert seen["packets"].pop() == [], "a packet that does not end"
    return seen


def packet_of(rng, length):
    return [(int(data), WHOLE) for data in rng.integers(0, 1 << 16, length)]


@pytest.mark.parametrize("beats", [1, 2, 5, 8])
@pytest.mark.parametrize("every", [1, 3])
def test_packets_of_its_length_leave_as_they_came(beats, every, rng):
    packets = [packet_of(rng, beats) for _ in range(4)]
    seen = run(beats, packets, ready=lambda cycle: cycle % every == 0)
    assert seen["packets"] == [[data for data, _ in packet] for packet in packets]
    # A packet waits for the last beat of the one before it.
    assert seen["wrong"] == 0 and set(seen["waits"]) <= ({2} if every == 1 else {2, 3, 4})


@pytest.mark.parametrize("beats", [1, 4])
def test_all_others_are_dropped(beats, rng):
    good = [packet_of(rng, beats) for _ in range(3)]
    cut = [*packet_of(rng, beats - 1), (0, 0)]  # a break where the last beat should be
    half = [*packet_of(rng, beats - 1), (0, 1)]
    long = [packet_of(rng, beats + more) for more in (1, 2, 40)]
    short = [packet_of(rng, 1)] if beats > 1 else []
    bad = [cut, half, *long, *short]
    packets = [good[0], *bad, good[1], good[2]]
    seen = run(beats, packets)
    assert seen["packets"] == [[data for data, _ in packet] for packet in good]
    assert seen["wrong"] == len(bad)
