"""Counters of loops, which take no adder: a register tells the last round."""

from __future__ import annotations

import functools

from amaranth import Cat, Const, Module, Signal, Value

# Bits of a loop counter -> the bit that feeds it together with the highest one, counted from 1.
LOOP_TAPS = {2: 1, 3: 2, 4: 3, 6: 5, 7: 6, 10: 7, 15: 14, 18: 11}


def loop_bits(most: int) -> int:
    """Bits of the counter of a loop of up to `most` rounds."""
    return min(bits for bits in LOOP_TAPS if most < 1 << bits)


def loop_feed(count: Value | list[int], bits: int) -> Value | int:
    """What comes in at the bottom of a loop counter: it is a shift register, which takes no adder and begins
    with zeros. `count`: its bits, lowest first."""
    return ~(count[bits - 1] ^ count[LOOP_TAPS[bits] - 1])


@functools.cache
def loop_code(rounds: int, bits: int) -> int:
    """How a loop's rounds are written: its counter in the last round but one, and a bit above it, set where
    there is one round only."""
    count = [0] * bits
    for _ in range(rounds - 2):
        count = [loop_feed(count, bits) & 1, *count[:-1]]
    return sum(bit << place for place, bit in enumerate(count)) | (rounds == 1) << bits


def loop(
    m: Module, rounds: Value, restart: Value, goes_on: Value, first: tuple[Value, Value] | None = None
) -> tuple[Signal, Value]:
    """A loop counter; returns a register that tells its last round, and what it will be in the next cycle.
    `rounds` as :func:`loop_code` has them.

    `first`, a pair: keep the round that comes now; come back to the one that was kept."""
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
