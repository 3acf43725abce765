"""The feature memory: aligned writes, reads from any bit, shallower image planes."""

import pytest

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.reader.feature_memory import FeatureMemory

from ...support import fields_of, flat, simulate


def config(**changes):
    return EngineConfig(lanes=64, **{"fetch_bits": 8, "a_bits": 3, "out_bits": 2} | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"feature_depth": 16, "image_depth": 8},
        {"feature_depth": 16, "image_depth": 16, "fetch_bits": 64, "a_bits": 8, "out_bits": 1},
        # Odd depths: the last even word has no odd neighbor.
        {"feature_depth": 13, "image_depth": 5, "fetch_bits": 16},
        # No image planes.
        {"feature_depth": 9, "out_bits": 3},
        # Least depths: one word per bank.
        {"feature_depth": 2, "image_depth": 2, "a_bits": 2, "out_bits": 1},
    ],
    ids=lambda changes: "-".join(f"{k}{v}" for k, v in changes.items()),
)
def test_random_reads_and_writes(changes, rng):
    made = config(**changes)
    fetch, planes, depth = made.fetch_bits, made.a_bits, made.feature_depth
    depths = [depth if p < made.out_bits else made.image_depth for p in range(planes)]
    # Words of an odd depth's last pair exist in the memory, but nothing may rely on them.
    memory = FeatureMemory(made)
    contents = [[0] * depth for _ in range(planes)]

    def write(ctx, address):
        words = [int.from_bytes(rng.bytes(fetch // 8), "little") for _ in range(planes)]
        ctx.set(memory.w_en, 1)
        ctx.set(memory.w_address, address)
        ctx.set(memory.w_data, flat(words, fetch))
        for plane, word in enumerate(words):
            if address < depths[plane]:
                contents[plane][address] = word

    async def testbench(ctx):
        pending = []
        for address in rng.permutation(depth):
            write(ctx, int(address))
            await ctx.tick()
        for _ in range(400):
            ctx.set(memory.w_en, 0)
            # What is shown without being written stays where it was.
            ctx.set(memory.w_address, int(rng.integers(depth)))
            ctx.set(memory.w_data, int.from_bytes(rng.bytes(planes * fetch // 8), "little"))
            address = int(rng.integers(0, depth * fetch))
            ctx.set(memory.r_address, address)
            # What is read is what was there before a write of the same cycle.
            held = [flat(words, fetch) >> address for words in contents]
            pending.append((address, held))
            if rng.random() < 0.3:
                write(ctx, int(rng.integers(depth)))
            await ctx.tick()
            if len(pending) > memory.latency - 1:
                address, held = pending.pop(0)
                out = fields_of(ctx.get(memory.o), fetch, planes)
                for plane in range(planes):
                    bits = min(fetch, max(0, depths[plane] * fetch - address))
                    mask = (1 << bits) - 1
                    assert out[plane] & mask == held[plane] & mask, (plane, address)

    simulate(memory, testbench, limit=1000)


def test_bits_stay_at_their_places_for_shared_reads(rng):
    """Who takes them turns them: bit n of a plane is at place n of its word, two cycles later."""
    made = config(feature_depth=16, image_depth=16, cols=2, column_reads="shared")
    memory = FeatureMemory(made)
    words = [[int(value) for value in rng.integers(0, 256, 16)] for _ in range(3)]

    async def testbench(ctx):
        ctx.set(memory.w_en, 1)
        for address in range(16):
            ctx.set(memory.w_address, address)
            ctx.set(memory.w_data, flat([plane[address] for plane in words], 8))
            await ctx.tick()
        ctx.set(memory.w_en, 0)
        for address in rng.permutation(15 * 8).tolist():
            ctx.set(memory.r_address, address)
            await ctx.tick().repeat(memory.unturned_latency)
            for plane, word in enumerate(fields_of(ctx.get(memory.o), 8, 3)):
                for bit in range(address, address + 8):
                    assert word >> bit % 8 & 1 == words[plane][bit // 8] >> bit % 8 & 1, (plane, bit)

    simulate(memory, testbench, limit=500)


def test_reads_wrap_around():
    """A window that starts in the padding before address 0 reads the map's first bits behind it."""
    made = config(feature_depth=16, image_depth=16)
    memory = FeatureMemory(made)

    async def testbench(ctx):
        ctx.set(memory.w_en, 1)
        ctx.set(memory.w_address, 0)
        ctx.set(memory.w_data, flat([0xA5, 0x3C, 0xFF], 8))
        await ctx.tick()
        ctx.set(memory.w_en, 0)
        ctx.set(memory.r_address, (1 << made.feature_address_bits) - 3)
        await ctx.tick().repeat(memory.latency)
        out = fields_of(ctx.get(memory.o), 8, 3)
        assert [word >> 3 for word in out] == [0xA5 & 31, 0x3C & 31, 0xFF & 31]

    simulate(memory, testbench, limit=10)
