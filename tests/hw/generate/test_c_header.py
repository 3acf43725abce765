"""engine.h: a C and a C++ compiler take it, and its numbers are those of the tables."""

import re
import shutil
import subprocess

import pytest

from dorefa.hw.config.engine import preset
from dorefa.hw.generate.c_header import c_header
from dorefa.hw.interface.memory_map import MemoryMap
from dorefa.hw.interface.registers import IDENTITY, REGISTERS, VERSION

CONFIG = preset("wide").replace(trunk_bits=18, trunk_depth=16, results="wide", training=1)
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
COMPILERS = {"cc": ["-x", "c", "-std=c99", *STRICT], "c++": ["-x", "c++", *STRICT]}


@pytest.fixture(scope="module")
def text():
    return c_header(CONFIG)


@pytest.fixture(scope="module")
def macros(text):
    """Macro name -> value."""
    pairs = re.findall(r"^#define DOREFA_(\w+) (\w+)$", text, re.MULTILINE)
    assert len(dict(pairs)) == len(pairs)
    return {name: int(value.rstrip("u"), 0) for name, value in pairs}


def test_fields_are_those_of_the_table(macros):
    """Shift and mask give the same as the driver's way to a field."""
    word = 0xDEADBEEF
    for name, register in REGISTERS.items():
        assert macros[f"{name.upper()}_OFFSET"] == 4 * register.address
        for part, value in register.decode(word).items():
            prefix = (name if part == name else f"{name}_{part}").upper()
            assert (word & macros[f"{prefix}_MASK"]) >> macros[f"{prefix}_SHIFT"] == value


def test_values(macros):
    assert (macros["IDENTITY_VALUE"], macros["VERSION_VALUE"]) == (IDENTITY, VERSION)
    assert (macros["ARRAY_LANES_VALUE"], macros["WIDTHS_QUANT_VALUE"]) == (256, 8)
    assert (macros["CONTROL_ENABLE_RESET"], macros["IMAGE_BYTES_RESET"]) == (0, 1)
    preloaded = c_header(CONFIG, {"control": 1, "image_bytes": 784})
    assert "#define DOREFA_CONTROL_ENABLE_RESET 0x1u\n" in preloaded
    assert "#define DOREFA_IMAGE_BYTES_RESET 0x310u\n" in preloaded


def test_windows_reach_their_last_word(macros):
    memory_map = MemoryMap.of(CONFIG)
    for window in memory_map.windows:
        own = {name: macros[f"WINDOW_{window.name.upper()}_{name.upper()}"] for name in WINDOW}
        memory, address = own["memories"] - 1, own["depth"] - 1
        offset = own["offset"] + memory * own["memory_stride"] + address * own["word_stride"]
        assert offset == 4 * memory_map.address(window, window.memories - 1, window.depth - 1)
        assert own["word_bits"] == window.width and own["pieces"] == window.pieces


WINDOW = ("offset", "memories", "memory_stride", "depth", "word_stride", "word_bits", "pieces")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_program_compiles_and_reads_fields(compiler, text, tmp_path):
    """The header twice, every macro used, without a warning; and the program finds a field's value."""
    if shutil.which(compiler) is None:
        # A machine has one of them at least; CI has gcc.
        pytest.skip(f"{compiler} is not installed")
    (tmp_path / "engine.h").write_text(text)
    names = re.findall(r"^#define (DOREFA_\w+) \w+$", text, re.MULTILINE)
    uses = "".join(f"  sum += {name};\n" for name in names)
    (tmp_path / "main.c").write_text(
        f"""#include "engine.h"
#include "engine.h"

int main(void) {{
  unsigned long sum = 0, word = 0x04100040ul;
{uses}  if (((word & DOREFA_ARRAY_COLS_MASK) >> DOREFA_ARRAY_COLS_SHIFT) != 4) return 1;
  if (((word & DOREFA_ARRAY_ROWS_MASK) >> DOREFA_ARRAY_ROWS_SHIFT) != 0x100) return 2;
  return sum == 0;
}}
"""
    )
    command = [compiler, *COMPILERS[compiler], "main.c", "-o", "main"]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert subprocess.run([tmp_path / "main"]).returncode == 0
