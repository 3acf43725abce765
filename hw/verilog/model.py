"""A design as modules of wires, memories and cells, read from RTLIL or from the Verilog that Yosys writes.

Names of wires, memories and cells are RTLIL's: a backslash before those that come from the source, a dollar
sign before those that tools made. Names of modules have no backslash.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Wire:
    """A wire of `width` bits; `direction` is ``input`` or ``output`` for a port, None otherwise."""

    name: str
    width: int
    direction: str | None = None
    signed: bool = False
    attributes: list[str] = field(default_factory=list)


@dataclass
class Memory:
    """A memory of `depth` words of `width` bits."""

    name: str
    width: int
    depth: int
    attributes: list[str] = field(default_factory=list)


@dataclass
class Cell:
    """A cell: `kind` is the backslash and name of a module, or a primitive such as ``$dff``. Values of
    `parameters` and `connections` are RTLIL as it stands, by names without a backslash."""

    kind: str
    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    connections: dict[str, str] = field(default_factory=dict)
    attributes: list[str] = field(default_factory=list)

    @property
    def module(self) -> str | None:
        """Name of the module that it instantiates, None for a primitive."""
        return self.kind[1:] if self.kind.startswith("\\") else None

    @property
    def memory(self) -> str | None:
        """Name of the memory whose port or contents it is, None for other cells."""
        return (
            self.parameters["MEMID"].strip('"').replace("\\\\", "\\") if "MEMID" in self.parameters else None
        )


@dataclass
class Statement:
    """What is looked at no closer: a connection or a process, line by line."""

    lines: list[str]
    attributes: list[str] = field(default_factory=list)


Item = Wire | Memory | Cell | Statement


@dataclass
class Module:
    """A module: its `items` in the order of the text."""

    name: str
    attributes: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    @property
    def wires(self) -> list[Wire]:
        """Its wires, ports among them."""
        return [item for item in self.items if isinstance(item, Wire)]

    @property
    def ports(self) -> list[Wire]:
        """Its ports."""
        return [wire for wire in self.wires if wire.direction]

    @property
    def memories(self) -> list[Memory]:
        """Its own memories."""
        return [item for item in self.items if isinstance(item, Memory)]

    @property
    def cells(self) -> list[Cell]:
        """Its cells."""
        return [item for item in self.items if isinstance(item, Cell)]

    @property
    def children(self) -> list[str]:
        """Names of the modules instantiated, in order."""
        return [cell.module for cell in self.cells if cell.module is not None]


def instances(modules: list[Module], top: str) -> Iterator[tuple[tuple[str, ...], Module]]:
    """(instance path below `top`, module) of every instance, `top` itself first, with an empty path.

    Cells of modules that are not among `modules` are left out: those of a fabric, and black boxes.
    """
    by_name = {module.name: module for module in modules}

    def walk(path: tuple[str, ...], module: Module) -> Iterator[tuple[tuple[str, ...], Module]]:
        yield path, module
        for cell in module.cells:
            if cell.module in by_name:
                yield from walk((*path, cell.name.removeprefix("\\")), by_name[cell.module])

    return walk((), by_name[top])
