"""Memories as macros: one black-box module per shape, with a behavioural model of each.

An ASIC flow puts an SRAM behind a module that holds nothing but the memory; the RTLIL of the export
has its memories inside the modules that use them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dorefa.golden.errors import InputError

PREFIX = "dorefa_memory_"

_MEMORY = re.compile(r"^  memory width (\d+) size (\d+) \\(\S+)$")
_CELL = re.compile(r"^  cell (\$mem\w+) (\S+)$")
_FIELD = re.compile(r"^    (parameter|connect) \\(\w+) (.*)$")


@dataclass(frozen=True, order=True)
class Shape:
    """A memory with one write and one read port, `depth` words of `width` bits. `transparent`: a read of
    the word being written returns the new one."""

    depth: int
    width: int
    transparent: bool = False

    @property
    def module(self):
        """Name of its module."""
        return f"{PREFIX}{self.depth}x{self.width}" + ("_transparent" if self.transparent else "")

    @property
    def macro(self):
        """The shape of the macro inside: bypassing is logic around it."""
        return Shape(self.depth, self.width)

    @property
    def ports(self):
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

    def black_box(self):
        """Lines of RTLIL that declare the module, for Yosys to know its ports."""
        ports = [
            f"  wire width {width} {direction} {number} \\{name}"
            for number, (direction, name, width) in enumerate(self.ports, 1)
        ]
        return ["attribute \\blackbox 1", f"module \\{self.module}", *ports, "end"]

    def verilog(self, body, attribute=""):
        """Verilog of the module around the lines of `body`."""
        names = ", ".join(name for _, name, _ in self.ports)
        ports = [f"  {direction} {_range(width)}{name};" for direction, name, width in self.ports]
        return "\n".join([f"{attribute}module {self.module}({names});", *ports, *body, "endmodule", ""])

    def stub(self):
        """Verilog of the module as a black box."""
        return self.verilog([], attribute="(* blackbox *) ")

    def model(self):
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

    def stand_in(self):
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

    def bypass(self):
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


def _range(width):
    return f"[{width - 1}:0] " if width > 1 else ""


def macro_instances(shapes):
    """Instance paths below the top, names joined with points, of each macro, from the paths of each
    :class:`Shape`: {Shape: [path]}, sorted."""
    macros = {}
    for shape, paths in shapes.items():
        inside = ".memory" if shape.transparent else ""
        macros.setdefault(shape.macro, []).extend(path + inside for path in paths)
    return {macro: sorted(macros[macro]) for macro in sorted(macros)}


def describe(shapes):
    """The macros of a design as dictionaries ready for JSON, from the paths of each :class:`Shape`."""
    return [
        {"module": macro.module, "depth": macro.depth, "width": macro.width, "instances": len(paths)}
        for macro, paths in macro_instances(shapes).items()
    ]


def extract(modules):
    """Replaces, in place, the memories of `modules` (:class:`.rtlil.Module`) by instances.

    The first module is the top, and parents come before their children. Returns the instance paths of
    the whole design's memories by :class:`Shape`. A memory of one word stays: it is a register. Raises
    :class:`InputError` for a memory with initial contents and ValueError for one with other ports than
    a clocked read and a clocked write.
    """
    shapes, places = {}, {modules[0].name: [()]}
    for module in modules:
        own = places[module.name]
        for _, kind, name in module.cells():
            if kind.startswith("\\"):
                places.setdefault(kind[1:], []).extend((*place, name.lstrip("\\")) for place in own)
        memories = {
            found[3]: (int(found[2]), int(found[1]))
            for line in module.lines
            if (found := _MEMORY.match(line)) and int(found[2]) > 1
        }
        kept, ports = _take_ports(module.lines, memories)
        for name, (depth, width) in memories.items():
            shape, lines = _instance(f"{module.name}.{name}", depth, width, ports[name])
            kept += [f"  cell \\{shape.module} \\{name}", *lines, "  end"]
            shapes.setdefault(shape, []).extend(".".join((*place, name)) for place in own)
        module.lines = kept
    return shapes


def _take_ports(lines, memories):
    """(`lines` without `memories` and their ports, the ports by memory: cell type and fields)."""
    kept, ports, current = [], {name: [] for name in memories}, None
    for line in lines:
        if (found := _MEMORY.match(line)) and found[3] in memories:
            continue
        if found := _CELL.match(line):
            current = (found[1], {}, [line])
        elif current is None:
            kept.append(line)
        elif line == "  end":
            kind, fields, text = current
            name = fields["MEMID"].strip('"').lstrip("\\")
            if name in memories:
                ports[name].append((kind, fields))
            else:
                kept += [*text, line]
            current = None
        else:
            found = _FIELD.match(line)
            current[1][found[2]] = found[3]
            current[2].append(line)
    return kept, ports


def _instance(path, depth, width, ports):
    """(:class:`Shape`, connections of its instance) of the memory at `path`."""
    kinds = sorted(kind for kind, _ in ports)
    if "$meminit_v2" in kinds:
        raise InputError(
            f"memory {path} has initial contents, which a macro cannot hold; "
            "accepted: an engine that is loaded through its port, or memories as logic"
        )
    if kinds != ["$memrd_v2", "$memwr_v2"]:
        raise ValueError(f"memory {path} has the ports {kinds}; accepted: one read, one write")
    fields = dict(ports)
    read, write = fields["$memrd_v2"], fields["$memwr_v2"]
    enables = set(re.findall(r"[^\s{}]+(?: \[\d+\])?", write["EN"]))
    if read["CLK_ENABLE"] != "1" or len(enables) != 1:
        raise ValueError(f"memory {path}: accepted: a clocked read, one write enable for all bits")
    shape = Shape(depth, width, transparent=read["TRANSPARENCY_MASK"] == "1'1")
    values = {
        "clk": read["CLK"],
        "r_en": read["EN"],
        "r_addr": read["ADDR"],
        "r_data": read["DATA"],
        "w_en": enables.pop(),
        "w_addr": write["ADDR"],
        "w_data": write["DATA"],
    }
    return shape, [f"    connect \\{name} {value}" for name, value in values.items()]
