"""Registers as data: words from fields and back, and what is refused."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.interface.register import Access, Field, Register


def field(name="f", lsb=0, width=1, access=Access.READ_WRITE, **more):
    return Field(name=name, lsb=lsb, width=width, access=access, meaning="", **more)


def register(*fields):
    return Register(name="r", address=6, meaning="", fields=fields)


MIXED = register(
    field("low", 0, 3, reset=5),
    field("event", 4, access=Access.CLEAR),
    field("seen", 5, 2, Access.READ_ONLY),
    field("made", 20, 12, Access.CONSTANT, reset="rows"),
)


def test_words_of_fields_and_back(rng):
    for _ in range(50):
        values = {f.name: int(rng.integers(f.greatest + 1)) for f in MIXED.fields}
        word = MIXED.encode(**values)
        assert MIXED.decode(word) == values
        assert word == (values["low"] | values["event"] << 4 | values["seen"] << 5 | values["made"] << 20)
    assert MIXED.decode(0xFFFFFFFF) == {"low": 7, "event": 1, "seen": 3, "made": 4095}
    assert MIXED.fields[3].mask == 0xFFF00000
    assert [f.bits for f in MIXED.fields] == ["2-0", "4", "6-5", "31-20"]


def test_what_is_not_given_stays_as_after_reset():
    assert MIXED.encode() == 5
    assert MIXED.encode(event=1) == 5 | 1 << 4
    assert MIXED.clear_word == 1 << 4
    made = MIXED.with_constants({"rows": 9}.__getitem__)
    assert made.reset_word == 5 | 9 << 20
    assert made.with_resets(3).reset_word == 3 | 9 << 20


def test_access_of_a_register():
    assert (MIXED.access, MIXED.constant, MIXED.offset) == ("rw", False, 24)
    assert register(field(access=Access.READ_ONLY)).access == "ro"
    assert register(field(access=Access.CLEAR)).access == "rw"
    assert register(field(access=Access.CONSTANT)).constant


def test_values_that_do_not_fit():
    with pytest.raises(InputError, match=r"^register r: field low is 8; accepted: 0 to 7 \(3 bits\)$"):
        MIXED.encode(low=8)
    with pytest.raises(InputError, match=r"^register r: field low is -1; accepted: 0 to 7 \(3 bits\)$"):
        MIXED.encode(low=-1)
    with pytest.raises(
        InputError, match=r"^register r: field made is 4096; accepted: 0 to 4095 \(12 bits\)$"
    ):
        MIXED.with_constants({"rows": 4096}.__getitem__)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: field(width=0), "bits -1-0 of a 32-bit word"),
        (lambda: field(lsb=-1, width=2), "bits 0--1 of a 32-bit word"),
        (lambda: field(lsb=30, width=3), "bits 32-30 of a 32-bit word"),
        (lambda: field(width=2, access=Access.CLEAR), "2 bits that are cleared"),
        (lambda: field(access=Access.READ_ONLY, reset=1), "reset value of what the host does not set"),
        (lambda: field(reset="rows"), "only a constant has a named value"),
        (lambda: field(width=2, reset=4), "field f: 4 after reset; accepted: 0 to 3"),
        (lambda: register(field("a", 0, 4), field("b", 3)), "field b does not lie above a"),
        (lambda: register(field("a", 4), field("b", 3)), "field b does not lie above a"),
        (lambda: register(field("a", 0), field("a", 1)), "two fields of one name"),
    ],
)
def test_tables_that_cannot_be(make, message):
    with pytest.raises(ValueError, match=message):
        make()
