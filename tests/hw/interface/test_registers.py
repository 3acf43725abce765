"""What the tables of registers hold, and which engines and networks they can describe."""

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.config.ranges import RANGES
from dorefa.hw.interface.pipeline_registers import PIPELINE_REGISTERS
from dorefa.hw.interface.register import Access
from dorefa.hw.interface.registers import (
    BOARD_BITS,
    BOARD_REGISTERS,
    BOARD_SPACE,
    REGISTER_BITS,
    REGISTERS,
    board_registers,
    engine_registers,
)

TABLES = {"engine": REGISTERS, "board": BOARD_REGISTERS, "pipeline": PIPELINE_REGISTERS}


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
        others = {"a_bits": {"out_bits": 1}, "out_bits": {"a_bits": 16}}.get(name, {})
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
