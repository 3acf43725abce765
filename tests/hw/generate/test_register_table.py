"""The documentation's tables of registers are those that the code prints."""

from pathlib import Path

import pytest

from dorefa.hw.generate.register_table import markdown
from dorefa.hw.interface.pipeline_registers import PIPELINE_REGISTERS
from dorefa.hw.interface.registers import BOARD_REGISTERS, REGISTERS

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize(
    "name, table",
    [("engine.md", REGISTERS), ("boards.md", BOARD_REGISTERS), ("boards.md", PIPELINE_REGISTERS)],
)
def test_documented_registers(name, table):
    expected = markdown(table.values())
    text = (DOCS / name).read_text(encoding="utf-8")
    assert f"\n\n{expected}\n" in text, f"{name} does not hold this table:\n{expected}"


def test_a_register_stands_once_and_each_field_has_a_line():
    lines = markdown([REGISTERS["array"], REGISTERS["control"]]).splitlines()
    assert lines[2:] == [
        "| 0x7 | `array` | 11-0 | `lanes` | const | `lanes` | bits of the reduction per cycle |",
        "| | | 23-12 | `rows` | const | `total_rows` | output channels in parallel, of all engines |",
        "| | | 31-24 | `cols` | const | `cols` | output pixels in parallel |",
        "| 0x2 | `control` | 0 | `enable` | rw | 0 | accept images |",
        "| | | 1 | `reset` | rw | 0 | as long as it is 1, everything that is under way ends, and what comes "
        "is dropped; memories and registers stay |",
    ]
