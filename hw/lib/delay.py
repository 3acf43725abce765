"""Signals as they were some cycles ago."""

from amaranth import Signal


def delayed(m, value, cycles, name, *, reset_less=False):
    """`value` as it was `cycles` cycles ago; its registers are named ``NAME_0``, ``NAME_1``, ...

    `reset_less` is for data that nothing looks at before it was written: a reset that reaches every
    register is what routing has most to do with.
    """
    for cycle in range(cycles):
        later = Signal.like(value, name=f"{name}_{cycle}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value
