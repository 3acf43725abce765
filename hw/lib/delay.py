"""Signals as they were some cycles ago."""

from __future__ import annotations

from amaranth import Module, Signal, Value
from amaranth.lib import data


def delayed(
    m: Module, value: Value | data.View, cycles: int, name: str, *, reset_less: bool = False
) -> Value | data.View:
    """`value` as it was `cycles` cycles ago; its registers are named ``NAME_0``, ``NAME_1``, ...

    `reset_less` is for data that nothing reads before it is written: a reset that reaches every register
    is the largest load on routing.
    """
    for cycle in range(cycles):
        later = Signal.like(value, name=f"{name}_{cycle}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value
