"""Products with constants, as sums: no multiplier of the device is worth one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from amaranth import Const, Module, Signal, Value


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


class Span(NamedTuple):
    """Bits of a term that may not be 0, and whether it is subtracted."""

    low: int
    high: int
    minus: bool = False


def sum_cells(terms: Sequence[Span], top: int | None = None) -> int:
    """Cells on ECP5 of the additions of :func:`registered_sum`, of which bits below `top` are used."""
    cells = 0
    while len(terms) > 1:
        pairs, terms = [terms[at : at + 2] for at in range(0, len(terms), 2)], []
        for pair in pairs:
            high = max(term.high for term in pair) + len(pair) - 1
            high = high if top is None else min(top, high)
            # Below its lowest bit the higher one leaves the lower one as it is, if that is not subtracted.
            first = min(pair).low if min(pair).minus else max(pair).low
            cells += max(0, high - first) if len(pair) == 2 else 0
            terms.append(Span(min(pair).low, high, min(pair).minus and len(pair) == 1))
    return cells


def registered_sum(m: Module, terms: Sequence[Value], levels: int) -> Value:
    """The sum of the terms after so many levels of pairs, each with a register."""
    rest = list(terms)
    for _ in range(levels):
        pairs = [sum(rest[at : at + 2], Const(0)) for at in range(0, len(rest), 2)]
        rest = []
        for pair in pairs:
            register = Signal(pair.shape(), name="scaled", reset_less=True)
            m.d.sync += register.eq(pair)
            rest.append(register)
    (total,) = rest
    return total
