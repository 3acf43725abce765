"""Thermometer codes: one bit per place, set from the number on."""

from __future__ import annotations

from amaranth import Cat, Const, Value


def reached(value: Value, places: int) -> Value:
    """Bit p of the result: ``value <= p``, for p below `places`. Compares in two digits, because one
    comparator per place would be a carry chain each."""
    digit = (len(value) + 1) // 2
    low, high = value[:digit], value[digit:]
    # The greatest low digit is always reached, and nothing lies below a high digit of zero.
    low_reached = [*(low <= number for number in range((1 << digit) - 1)), Const(1)]
    bits = []
    for place in range(places):
        own, rest = place >> digit, place % (1 << digit)
        here = (high == own) & low_reached[rest]
        bits.append((high < own) | here if own else here)
    return Cat(bits)
