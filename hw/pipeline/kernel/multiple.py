"""Products with constants, as sums: no multiplier of the device is worth one."""

from __future__ import annotations

from amaranth import Const, Value


def canonical_digits(number: int) -> list[tuple[int, int]]:
    """(place, 1 or -1) of the canonical signed digits of a number, which is not negative."""
    found, place = [], 0
    while number:
        if number & 1:
            digit = 2 - (number & 3)
            found.append((place, digit))
            number -= digit
        number, place = number >> 1, place + 1
    return found


def multiple(value: Value, factor: int) -> Value:
    """``factor * value``, the factor not negative."""
    total: Value = Const(0)
    for place, digit in reversed(canonical_digits(factor)):
        total = total + (value << place) if digit > 0 else total - (value << place)
    return total
