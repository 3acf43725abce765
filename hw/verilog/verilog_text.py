"""The Verilog that Yosys writes: read into :mod:`.model`, and put into the form that is exported."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .model import Cell, Memory, Module

_MODULE = re.compile(r"^module (\w+)\s*\(", re.MULTILINE)
_INSTANCE = re.compile(r"^  (\w+)\s+(\w+) \($")
# A name that is a keyword (``program``) is escaped: a backslash before it, a space behind.
_MEMORY = re.compile(r"^  reg (?:signed )?(?:\[(\d+):0\] )?\\?(\w+) +\[(\d+):0\];$", re.MULTILINE)


def parse(verilog: str) -> list[Module]:
    """Modules of exported Verilog with their memories and cells, without ports, wires and logic."""
    modules = []
    for line in verilog.splitlines():
        if found := _MODULE.match(line):
            modules.append(Module(found[1]))
        elif found := _INSTANCE.match(line):
            modules[-1].items.append(Cell(f"\\{found[1]}", f"\\{found[2]}"))
        elif found := _MEMORY.match(line):
            modules[-1].items.append(Memory(f"\\{found[2]}", int(found[1] or 0) + 1, int(found[3]) + 1))
    return modules


def _function(found: re.Match) -> str:
    """A select function with arguments that hide no signal of the module."""
    return re.sub(r"(?<!')\b([abs])\b", r"\1_in", found[0])


def _marked(module: str, styles: Mapping[tuple[str, str], str]) -> str:
    """A module with marks at its memories.

    One is at every memory with a read that is clocked by itself: what such a read of the word being written
    returns does not matter, or Yosys has written the bypass. Without the mark, synthesis adds one. A
    transparent read may also be one at the address of a cycle ago, which is not marked. Another is the style
    of those that have one.
    """
    head = _MODULE.search(module)

    def mark(found: re.Match) -> str:
        clocked = re.search(rf"<= \\?{found[2]} ?\[", module)
        marks = ["  (* no_rw_check *)\n"] if clocked else []
        if head and (head[1], found[2]) in styles:
            marks.append(f"  (* {styles[head[1], found[2]]} *)\n")
        return "".join([*marks, found[0]])

    return _MEMORY.sub(mark, module)


def tidy(text: str, styles: Mapping[tuple[str, str], str]) -> str:
    """Yosys's Verilog without its banner and repeated declarations, with other arguments of functions and
    with marks at memories; styles: attributes of memories by (module, name)."""
    text = re.sub(r"\A/\*.*?\*/\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"^(  (?:input|output) (.*;)\n)  wire \2\n", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^  output (.*;)\n  reg \1\n", r"  output reg \1\n", text, flags=re.MULTILINE)
    text = re.sub(r"^  function .*?^  endfunction$", _function, text, flags=re.DOTALL | re.MULTILINE)
    return "endmodule".join(_marked(module, styles) for module in text.split("endmodule"))
