"""Loop counters: their codes. The counters themselves: tests of the run generator."""

import pytest

from dorefa.hw.lib.lfsr_counter import LOOP_TAPS, loop_code, loop_feed


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
