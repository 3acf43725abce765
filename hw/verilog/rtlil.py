"""RTLIL text, as Amaranth writes it and Yosys reads it, to and from :mod:`.model`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .model import Cell, Item, Memory, Module, Statement, Wire

_WIRE = re.compile(r"^  wire width (\d+) (?:(input|output) \d+ )? *(signed )?(\S+)$")
_MEMORY = re.compile(r"^  memory width (\d+) size (\d+) (\S+)$")
_CELL = re.compile(r"^  cell (\S+) (\S+)$")
_FIELD = re.compile(r"^    (parameter|connect) \\(\w\S*) (.*)$")


def parse(text: str) -> list[Module]:
    """The modules of RTLIL as Amaranth writes it, parents first."""
    modules, attributes, lines = [], [], iter(text.splitlines())
    for line in lines:
        if line.startswith("attribute "):
            attributes.append(line)
        elif line.startswith("module "):
            modules.append(Module(line.removeprefix("module \\"), attributes, _items(lines)))
            attributes = []
    return modules


def _items(lines: Iterator[str]) -> list[Item]:
    """What stands in a module, up to its ``end``."""
    items, attributes = [], []
    for line in lines:
        if line == "end":
            break
        if line.startswith("  attribute "):
            attributes.append(line)
        elif line:
            item = _item(line, lines)
            item.attributes, attributes = attributes, []
            items.append(item)
    return items


def _item(line: str, lines: Iterator[str]) -> Item:
    """The item that begins with `line`; takes its other lines."""
    if found := _WIRE.match(line):
        return Wire(found[4], int(found[1]), found[2], bool(found[3]))
    if found := _MEMORY.match(line):
        return Memory(found[3], int(found[1]), int(found[2]))
    if found := _CELL.match(line):
        cell = Cell(found[1], found[2])
        for field in _to_end(lines):
            [(kind, name, value)] = _FIELD.findall(field)
            (cell.parameters if kind == "parameter" else cell.connections)[name] = value
        return cell
    if line.startswith("  process "):
        return Statement([line, *_to_end(lines), "  end"])
    return Statement([line])


def _to_end(lines: Iterator[str]) -> Iterator[str]:
    """The lines of a cell or process, without its ``end``."""
    return iter(lines.__next__, "  end")


def body(module: Module) -> list[str]:
    """The lines of a module between its head and its ``end``."""
    lines, ports = [], 0
    for item in module.items:
        lines += item.attributes
        match item:
            case Wire(name, width, direction, signed):
                port = f"{direction} {ports} " if direction else ""
                ports += direction is not None
                lines.append(f"  wire width {width} {port}{'signed ' if signed else ''}{name}")
            case Memory(name, width, depth):
                lines.append(f"  memory width {width} size {depth} {name}")
            case Cell():
                lines += _cell_lines(item)
            case Statement(own):
                lines += own
    return lines


def _cell_lines(cell: Cell) -> list[str]:
    return [
        f"  cell {cell.kind} {cell.name}",
        *(f"    parameter \\{name} {value}" for name, value in cell.parameters.items()),
        *(f"    connect \\{name} {value}" for name, value in cell.connections.items()),
        "  end",
    ]


def write(modules: list[Module]) -> str:
    """RTLIL text of `modules`; ports are numbered in their order."""
    lines = []
    for module in modules:
        lines += [*module.attributes, f"module \\{module.name}", *body(module), "end", ""]
    return "\n".join(lines)
