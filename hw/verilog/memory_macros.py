"""Memories as macros: one black-box module per shape, with a behavioural model of each.

An ASIC flow puts an SRAM behind a module that holds nothing but the memory; the RTLIL of the export
has its memories inside the modules that use them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dorefa.golden.errors import InputError

from .model import Cell, Item, Memory, Module, Wire, instances


@dataclass(frozen=True, order=True)
class Shape:
    """A memory with one write and one read port, `depth` words of `width` bits. `transparent`: a read of
    the word being written returns the new one. `stem`: what the names of modules begin with."""

    depth: int
    width: int
    transparent: bool = False
    stem: str = "dorefa"

    @property
    def module(self) -> str:
        """Name of its module."""
        return f"{self.stem}_memory_{self.depth}x{self.width}" + ("_transparent" if self.transparent else "")

    @property
    def macro(self) -> Shape:
        """The shape of the macro inside: bypassing is logic around it."""
        return Shape(self.depth, self.width, stem=self.stem)

    @property
    def ports(self) -> tuple[tuple[str, str, int], ...]:
        """(direction, name, width) of each port of its module."""
        address = (self.depth - 1).bit_length()
        return (
            ("input", "clk", 1),
            ("input", "r_en", 1),
            ("input", "r_addr", address),
            ("output", "r_data", self.width),
            ("input", "w_en", 1),
            ("input", "w_addr", address),
            ("input", "w_data", self.width),
        )

    def black_box(self) -> Module:
        """The module as a black box, for Yosys to know its ports."""
        ports: list[Item] = [Wire(f"\\{name}", width, direction) for direction, name, width in self.ports]
        return Module(self.module, ["attribute \\blackbox 1"], ports)

    def verilog(self, body: list[str], attribute: str = "") -> str:
        """Verilog of the module around the lines of `body`."""
        names = ", ".join(name for _, name, _ in self.ports)
        ports = [f"  {direction} {_range(width)}{name};" for direction, name, width in self.ports]
        return "\n".join([f"{attribute}module {self.module}({names});", *ports, *body, "endmodule", ""])

    def stub(self) -> str:
        """Verilog of the module as a black box."""
        return self.verilog([], attribute="(* blackbox *) ")

    def model(self) -> str:
        """Behavioural Verilog. A read of the word being written returns unknown bits, as macros do."""
        return self.verilog(
            [
                f"  reg {_range(self.width)}read;",
                f"  reg {_range(self.width)}words [{self.depth - 1}:0];",
                "  assign r_data = read;",
                "  always @(posedge clk) begin",
                "    if (w_en) words[w_addr] <= w_data;",
                f"    if (r_en) read <= w_en && w_addr == r_addr ? {{{self.width}{{1'bx}}}} : words[r_addr];",
                "  end",
            ]
        )

    def stand_in(self) -> str:
        """Verilog of registers in the memory's place, for place and route of what is around it: they take
        what comes and answer with bits that were written. Every memory has a write enable of its own; without
        one, synthesis would take the registers of all memories for the same."""
        inputs = [(name, width) for direction, name, width in self.ports if direction == "input"]
        taken = [(name, width) for name, width in inputs if name not in ("clk", "w_en")]
        return self.verilog(
            [
                f"  (* keep *) reg {_range(self.width)}words;",
                f"  (* keep *) reg [{sum(width for _, width in taken) - 1}:0] taken;",
                "  assign r_data = words;",
                "  always @(posedge clk)",
                "    if (w_en) begin",
                "      words <= {words, w_data[0]};" if self.width > 1 else "      words <= w_data;",
                f"      taken <= {{{', '.join(name for name, _ in taken)}}};",
                "    end",
            ]
        )

    def bypass(self) -> str:
        """Verilog of the logic that makes the macro transparent."""
        return self.verilog(
            [
                "  reg collides;",
                f"  reg {_range(self.width)}written;",
                f"  wire {_range(self.width)}read;",
                "  always @(posedge clk)",
                "    if (r_en) begin",
                "      collides <= w_en && w_addr == r_addr;",
                "      written <= w_data;",
                "    end",
                f"  {self.macro.module} memory (",
                "    .clk(clk), .r_en(r_en), .r_addr(r_addr), .r_data(read),",
                "    .w_en(w_en), .w_addr(w_addr), .w_data(w_data)",
                "  );",
                "  assign r_data = collides ? written : read;",
            ]
        )


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""


def macro_instances(shapes: Mapping[Shape, list[str]]) -> dict[Shape, list[str]]:
    """Instance paths below the top, names joined with points, of each macro, from the paths of each
    :class:`Shape`: {Shape: [path]}, sorted."""
    macros: dict[Shape, list[str]] = {}
    for shape, paths in shapes.items():
        inside = ".memory" if shape.transparent else ""
        macros.setdefault(shape.macro, []).extend(path + inside for path in paths)
    return {macro: sorted(macros[macro]) for macro in sorted(macros)}


def describe(shapes: Mapping[Shape, list[str]]) -> list[dict[str, int | str]]:
    """The macros of a design as dictionaries ready for JSON, from the paths of each :class:`Shape`."""
    return [
        {"module": macro.module, "depth": macro.depth, "width": macro.width, "instances": len(paths)}
        for macro, paths in macro_instances(shapes).items()
    ]


def extract(modules: list[Module], stem: str) -> dict[Shape, list[str]]:
    """Replaces, in place, the memories of `modules` by instances, of modules whose names begin with `stem`.

    The first module is the top. Returns the instance paths of the whole design's memories by :class:`Shape`.
    A memory of one word stays: it is a register. Raises :class:`InputError` for a memory with initial
    contents and ValueError for one with other ports than a clocked read and a clocked write.
    """
    paths: dict[str, list[tuple[str, ...]]] = {}
    for path, module in instances(modules, modules[0].name):
        paths.setdefault(module.name, []).append(path)
    shapes: dict[Shape, list[str]] = {}
    for module in modules:
        for name, shape in _replace_memories(module, stem).items():
            shapes.setdefault(shape, []).extend(".".join((*path, name)) for path in paths[module.name])
    return shapes


def _replace_memories(module: Module, stem: str) -> dict[str, Shape]:
    """Instances in the place of a module's memories; the shapes by instance name."""
    memories = {memory.name: memory for memory in module.memories if memory.depth > 1}
    ports = {name: [cell for cell in module.cells if cell.memory == name] for name in memories}
    made = [_instance(module, memory, ports[name], stem) for name, memory in memories.items()]
    taken = {id(item) for own in (memories.values(), *ports.values()) for item in own}
    module.items = [item for item in module.items if id(item) not in taken]
    module.items += [cell for _, cell in made]
    return {cell.name[1:]: shape for shape, cell in made}


def _instance(module: Module, memory: Memory, ports: list[Cell], stem: str) -> tuple[Shape, Cell]:
    """The shape of a memory with these ports, and its instance."""
    path, kinds = f"{module.name}.{memory.name[1:]}", sorted(cell.kind for cell in ports)
    if "$meminit_v2" in kinds:
        raise InputError(
            f"memory {path} has initial contents, which a macro cannot hold; "
            "accepted: an engine that is loaded through its port, or memories as logic"
        )
    if kinds != ["$memrd_v2", "$memwr_v2"]:
        raise ValueError(f"memory {path} has the ports {kinds}; accepted: one read, one write")
    read, write = sorted(ports, key=lambda cell: cell.kind)
    enables = set(re.findall(r"[^\s{}]+(?: \[\d+\])?", write.connections["EN"]))
    if read.parameters["CLK_ENABLE"] != "1" or len(enables) != 1:
        raise ValueError(f"memory {path}: accepted: a clocked read, one write enable for all bits")
    transparent = read.parameters["TRANSPARENCY_MASK"] == "1'1"
    shape = Shape(memory.depth, memory.width, transparent=transparent, stem=stem)
    connections = {
        "clk": read.connections["CLK"],
        "r_en": read.connections["EN"],
        "r_addr": read.connections["ADDR"],
        "r_data": read.connections["DATA"],
        "w_en": enables.pop(),
        "w_addr": write.connections["ADDR"],
        "w_data": write.connections["DATA"],
    }
    return shape, Cell(f"\\{shape.module}", memory.name, connections=connections)
