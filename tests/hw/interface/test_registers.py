"""Registers as data: words from fields and back, what is refused, and what both tables hold."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.config.ranges import RANGES
from dorefa.hw.interface.registers import (
    BOARD_BITS,
    BOARD_REGISTERS,
    BOARD_SPACE,
    REGISTER_BITS,
    REGISTERS,
    Access,
    Field,
    Register,
    board_registers,
    engine_registers,
)

TABLES = {"engine": REGISTERS, "board": BOARD_REGISTERS}


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
        (lambda: field(access=Access.READ_ONLY, reset=1), "reset value of what the hardware writes"),
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


@pytest.mark.parametrize("table", TABLES)
def test_each_register_has_its_own_address_and_name(table):
    registers = TABLES[table].values()
    assert len({r.address for r in registers}) == len(registers)
    assert all(name == r.name for name, r in TABLES[table].items())
    assert all(f.meaning and r.meaning for r in registers for f in r.fields)


def test_address_bits_tell_all_registers_apart():
    assert max(r.address for r in REGISTERS.values()) < 1 << REGISTER_BITS
    assert all(0 <= r.address - BOARD_SPACE < 1 << BOARD_BITS for r in BOARD_REGISTERS.values())


def test_ports_of_the_host_port_have_names_of_their_own():
    """Which are those of the fields."""
    names = [f.name for r in REGISTERS.values() for f in r.fields if f.access is not Access.CONSTANT]
    assert len(set(names)) == len(names)


def sizes(**changes):
    """An engine of the least other sizes that these allow."""
    return EngineConfig(**{"fetch_bits": 8, "lanes": 1024, "quant": 1, "rows": 256} | changes)


EXTREMES = {
    "lanes": ("array", "lanes", RANGES["lanes"]),
    "cols": ("array", "cols", RANGES["cols"]),
    "w_bits": ("widths", "w_bits", RANGES["w_bits"]),
    "a_bits": ("widths", "a_bits", RANGES["a_bits"]),
    "out_bits": ("widths", "out_bits", RANGES["out_bits"]),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_both_ends_of_a_size_fit(name):
    place, part, (least, greatest, _) = EXTREMES[name]
    for value in (least, greatest):
        others = {"out_bits": 1} if name == "a_bits" else {}
        table = engine_registers(sizes(**others | {name: value}))
        assert table[place].decode(table[place].reset_word)[part] == value


@pytest.mark.parametrize("end", [0, 1])
def test_both_ends_of_what_all_engines_do_fit(end):
    rows, quant, engines = (RANGES[name][end] for name in ("rows", "quant", "engines"))
    config = sizes(rows=rows, quant=quant, engines=engines, fetch_bits=256 if end else 8)
    table = engine_registers(config)
    assert table["array"].decode(table["array"].reset_word)["rows"] == rows * engines
    assert table["widths"].decode(table["widths"].reset_word)["quant"] == quant * engines


def test_the_longest_program_fits():
    assert REGISTERS["layers"].encode(layers=RANGES["layer_depth"][1]) == RANGES["layer_depth"][1]


def test_registers_of_a_preloaded_engine():
    table = engine_registers(sizes(), {"layers": 7, "control": 1})
    assert {name: table[name].reset_word for name in ("layers", "control", "image_bytes")} == {
        "layers": 7,
        "control": 1,
        "image_bytes": 1,
    }


@pytest.mark.parametrize(
    ("place", "part", "changes"),
    [
        ("shape", "height", {"shape": (65536, 1, 1)}),
        ("shape", "width", {"shape": (1, 65536, 1)}),
        ("channels", "channels", {"shape": (1, 1, 65536)}),
        ("results", "classes", {"classes": 65536}),
    ],
)
def test_networks_that_no_board_can_describe(place, part, changes):
    network = {"shape": (1, 1, 1), "classes": 1, "result_bytes": 4}
    table = board_registers(**network | {name: _less(value) for name, value in changes.items()})
    assert table[place].decode(table[place].reset_word)[part] == 65535
    with pytest.raises(InputError, match=f"^register {place}: field {part} is 65536; accepted: 0 to 65535"):
        board_registers(**network | changes)


def _less(value):
    return tuple(min(size, 65535) for size in value) if isinstance(value, tuple) else value - 1
