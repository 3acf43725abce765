"""Signals as they were some cycles ago."""

from amaranth import Signal


def delayed(m, value, cycles, name):
    """`value` as it was `cycles` cycles ago; its registers are named ``NAME_0``, ``NAME_1``, ..."""
    for cycle in range(cycles):
        later = Signal.like(value, name=f"{name}_{cycle}")
        m.d.sync += later.eq(value)
        value = later
    return value
