"""Products with constants, and the cells of their additions."""

from itertools import pairwise

import pytest
from amaranth import Signal, signed

from dorefa.hw.pipeline.kernel.multiple import Span, canonical_digits, multiple, sum_cells

LOW, HIGH = Span(0, 8), Span(4, 12)


def test_digits_are_the_number_and_no_two_meet():
    for number in range(300):
        digits = canonical_digits(number)
        assert sum(digit << place for place, digit in digits) == number
        places = [place for place, _ in digits]
        assert all(after - before > 1 for before, after in pairwise(places))


def test_a_multiple_holds_its_value():
    for factor in range(40):
        shape = multiple(Signal(signed(5)), factor).shape()
        low, high = -(1 << (shape.width - 1)), (1 << (shape.width - 1)) - 1
        assert low <= -16 * factor and 15 * factor <= high


# A bit of a sum is a cell: of 13 bits those below the higher term's lowest one are the lower term's own.
@pytest.mark.parametrize(
    "terms, top, cells",
    [
        ([LOW], None, 0),
        ([LOW, HIGH], None, 9),
        ([HIGH, LOW], None, 9),
        ([LOW, HIGH._replace(minus=True)], None, 9),
        # Where the lower one is subtracted its bits are negated, and a borrow comes out of them.
        ([LOW._replace(minus=True), HIGH], None, 13),
        ([LOW, HIGH], 10, 6),
        ([LOW, HIGH], 3, 0),
        # 9 and, of the sum and a third, 14 bits, 2 of which are the sum's own.
        ([LOW, HIGH, Span(2, 6)], None, 9 + 12),
        # One that has no other stays subtracted; a sum is not.
        ([LOW, HIGH, Span(0, 6, minus=True)], None, 9 + 14),
        ([LOW._replace(minus=True), HIGH, Span(2, 6)], None, 13 + 12),
    ],
)
def test_cells_of_sums(terms, top, cells):
    assert sum_cells(terms, top) == cells
