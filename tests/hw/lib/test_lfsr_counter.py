"""Loop counters: their codes, and the counters themselves against numbers."""

import pytest
from amaranth import Module, Signal

from dorefa.hw.lib.lfsr_counter import LOOP_TAPS, loop, loop_bits, loop_code, loop_feed

from ..support import simulate


@pytest.mark.parametrize("bits", LOOP_TAPS)
def test_loop_counters_are_in_every_state_but_one(bits):
    """So that rounds can be told apart, up to as many as the bits can count."""
    most = min((1 << bits) - 1, 5000)
    count, seen = [0] * bits, set()
    for rounds in range(2, most + 1):
        code = sum(bit << place for place, bit in enumerate(count))
        if bits < 15:
            assert loop_code(rounds, bits) == code
        seen.add(code)
        count = [loop_feed(count, bits) & 1, *count[:-1]]
    assert len(seen) == most - 1
    assert loop_code(1, bits) == 1 << bits


@pytest.mark.parametrize("most", [3, 7, 63])
@pytest.mark.parametrize("saves", [False, True])
def test_a_loop_against_a_counter(most, saves, rng):
    """Rounds, the last one and the next one's, whatever restarts, goes on, is saved and returned to."""
    bits = loop_bits(most)
    m = Module()
    rounds, restart, goes_on, keep, back = Signal(bits + 1), Signal(), Signal(), Signal(), Signal()
    last, comes = loop(m, rounds, restart, goes_on, (keep, back) if saves else None)

    async def testbench(ctx):
        total, at, kept = 1, 0, 0
        for cycle in range(40 * most):
            if cycle % (10 * most) == 0:
                total = int(rng.choice([1, 2, int(rng.integers(1, most + 1)), most]))
                ctx.set(rounds, loop_code(total, bits))
            # A loop begins again behind its last round, if not before.
            new = cycle % (10 * most) == 0 or at == total - 1 or rng.random() < 0.5 / most
            goes = rng.random() < 0.8
            returns = saves and not new and cycle % (10 * most) > 2 and rng.random() < 0.1
            saved = saves and (new or rng.random() < 0.2)
            following = 0 if new else at + goes
            for signal, value in ((restart, new), (goes_on, goes), (keep, saved), (back, returns)):
                ctx.set(signal, value)
            assert ctx.get(comes) == (following == total - 1), cycle
            await ctx.tick()
            at = kept if returns else following
            kept = following if saved else kept
            assert ctx.get(last) == (at == total - 1), (cycle, total, at)

    simulate(m, testbench, limit=41 * most)
