"""Barrel shifters."""

from amaranth import Mux, Signal


def turned_left(m, value, turn, name, *, unit=1):
    """`value` rotated left by `turn` times `unit` places, in the same cycle; a level of two-way choices for
    each bit of `turn`, named ``NAME_0``, ``NAME_1``, ..."""
    for level, turns in enumerate(turn):
        turned = Signal(len(value), name=f"{name}_{level}")
        m.d.comb += turned.eq(Mux(turns, value.rotate_left(unit << level), value))
        value = turned
    return value
