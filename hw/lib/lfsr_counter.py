"""Loop counters without an adder; a register is high in the last round."""

from __future__ import annotations

import functools

from amaranth import Cat, Const, Module, Signal, Value

# Bits of a loop counter -> the bit that feeds it together with the highest one, counted from 1.
LOOP_TAPS = {2: 1, 3: 2, 4: 3, 6: 5, 7: 6, 10: 7, 15: 14, 18: 11}


def loop_bits(most: int) -> int:
    """Bits of the counter of a loop of up to `most` rounds."""
    return min(bits for bits in LOOP_TAPS if most < 1 << bits)


def loop_feed(count: Value | list[int], bits: int) -> Value | int:
    """What is shifted in at the bottom of a loop counter, a linear-feedback shift register that begins with
    zeros. `count`: its bits, lowest first, of hardware or as numbers; of a number bit 0 counts."""
    return ~(count[bits - 1] ^ count[LOOP_TAPS[bits] - 1])


@functools.cache
def loop_code(rounds: int, bits: int) -> int:
    """The code of a loop's number of rounds: its counter in the last round but one, and a bit above it, set
    where there is one round only."""
    count = [0] * bits
    for _ in range(rounds - 2):
        count = [loop_feed(count, bits) & 1, *count[:-1]]
    return sum(bit << place for place, bit in enumerate(count)) | (rounds == 1) << bits


def loop(
    m: Module, rounds: Value, restart: Value, goes_on: Value, first: tuple[Value, Value] | None = None
) -> tuple[Signal, Value]:
    """Adds a loop counter to `m`; returns a register that is high in the last round, and its next value where
    the loop does not return to a round.

    `rounds`: coded by :func:`loop_code`. `restart` begins with the first round, `goes_on` goes to the next
    one, both from the next cycle on. `first`: a pair of signals; one saves the round of the next cycle, the
    other returns to the round that was saved.
    """
    before_last, one = rounds[:-1], rounds[-1]
    count, last = Signal.like(before_last), Signal()
    following = Signal.like(Cat(count, last))
    m.d.comb += following.eq(Cat(count, last))
    with m.If(restart):
        m.d.comb += following.eq(Cat(Const(0, len(count)), one))
    with m.Elif(goes_on):
        m.d.comb += following.eq(Cat(loop_feed(count, len(count)), count[:-1], count == before_last))
    m.d.sync += Cat(count, last).eq(following)
    if first is not None:
        keep, back = first
        kept = Signal.like(following)
        with m.If(keep):
            m.d.sync += kept.eq(following)
        with m.If(back):
            m.d.sync += Cat(count, last).eq(kept)
    return last, following[-1]
