"""Codes of sums by constant thresholds, as plain logic: count(value >= T_t)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth import Cat, Const, Value


def at_least(bits: Sequence[Value], number: int) -> Value:
    """``value >= number`` of an unsigned value by its bits, the lowest first; any integer.

    A ripple from the lowest bit: in tables of four inputs three bits each, where a subtraction takes a cell
    a bit.
    """
    if number <= 0:
        return Const(1, 1)
    if number >> len(bits):
        return Const(0, 1)
    # Bits below the lowest one of the number cannot make the value less.
    lowest = (number & -number).bit_length() - 1
    result = bits[lowest]
    for place, bit in enumerate(bits[lowest + 1 :], lowest + 1):
        result = bit & result if number >> place & 1 else bit | result
    return result


def count_reached(reached: Sequence[Value]) -> Value:
    """How many of 2^n - 1 conditions hold, each of which implies those before it: n bits."""
    bits: list[Value] = []
    conditions = list(reached)
    while conditions:
        middle = len(conditions) // 2
        high = conditions[middle]
        bits.insert(0, high)
        conditions = [
            upper | (lower & ~high)
            for lower, upper in zip(conditions[:middle], conditions[middle + 1 :], strict=True)
        ]
    return Cat(bits)
