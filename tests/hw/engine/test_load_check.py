"""The checksum of loads: the engine's against zlib's."""

import zlib

from dorefa.hw.engine.load_check import LoadCheck
from dorefa.hw.interface.load_check import load_crc

from ..support import simulate


def test_published_check_value():
    """CRC-32 of zlib, whose check value for "123456789" everybody prints; addresses are XORed in."""
    assert zlib.crc32(b"123456789") == 0xCBF43926
    pairs = [(5, 0x12345678), (9, 0xFFFFFFFF), (1 << 20, 0)]
    text = b"".join((address ^ word).to_bytes(4, "little") for address, word in pairs)
    assert load_crc(pairs) == zlib.crc32(text)
    assert load_crc([]) == 0


def test_random_loads(rng):
    """Words with gaps between them, loads that are right, wrong, begun again, and changed afterwards."""
    unit = LoadCheck(preloaded=False)

    async def step(ctx, **signals):
        for name, value in signals.items():
            ctx.set(getattr(unit, name), value)
        wrong = ctx.get(unit.wrong)
        assert not wrong or "check" in signals
        await ctx.tick()
        for name in ("valid", "start", "check"):
            ctx.set(getattr(unit, name), 0)
        return wrong

    async def testbench(ctx):
        for _ in range(40):
            if rng.random() < 0.5:
                if rng.random() < 0.5:
                    await step(ctx, valid=1, word=int(rng.integers(1 << 32)))
                await step(ctx, start=1)
                assert not ctx.get(unit.loaded)
            words = rng.integers(0, 1 << 32, int(rng.integers(0, 9))).tolist()
            for word in words:
                for _ in range(int(rng.integers(3))):
                    await step(ctx, word=int(rng.integers(1 << 32)))
                await step(ctx, valid=1, word=word)
                assert not ctx.get(unit.loaded)
            right = load_crc((0, word) for word in words)
            assert ctx.get(unit.crc) == right
            said = right ^ int(rng.choice([0, 0, 1 << int(rng.integers(32))]))
            assert await step(ctx, check=1, word=said) == (said != right)
            assert ctx.get(unit.loaded) == (said == right)
            assert ctx.get(unit.crc) == 0  # the next load begins

    simulate(unit, testbench, limit=2_000)


def test_preloaded_until_something_is_written():
    unit = LoadCheck(preloaded=True)

    async def testbench(ctx):
        assert ctx.get(unit.loaded)
        ctx.set(unit.valid, 1)
        await ctx.tick()
        assert not ctx.get(unit.loaded)

    simulate(unit, testbench, limit=10)
