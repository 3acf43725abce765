"""RTLIL of a component: plain names, one module for identical ones, no needless initial values.

Amaranth writes one module per instance and names with `$` and dots in them. Simulators and readers
want each module once, and identifiers that need no escape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Amaranth's own converter is the model; these names are internal to 0.5, which is pinned.
from amaranth.back import rtlil as backend
from amaranth.hdl import Fragment, Value
from amaranth.hdl._ast import SignalDict
from amaranth.hdl._ir import PortDirection, build_netlist
from amaranth.lib import wiring

from ..fabric.families import FabricPlatform
from ..lib.shared import SharedModules

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\\\S+')
_DECLARED = re.compile(r"^  (?:wire|memory) .*(\\\S+)$")
_CELL = re.compile(r"^  cell (\S+) (\S+)$")
_PORT = re.compile(r"^  wire width (\d+) (input|output) \d+ (.*)\\(\S+)$")


class _Emitter(backend.ModuleEmitter):
    """Amaranth's emitter, except that contents of memories are left out where they are all zeros.

    Writing every zero of the large memories takes longer than all the rest.
    """

    preloaded = ()

    def emit_memory(self, cell_idx, cell):
        path = ".".join((*self.module.name, self.memories[cell_idx].memid.lstrip("\\")))
        if not any(cell.init) and not any(path.startswith(kept) for kept in self.preloaded):
            return
        rows = "".join(f"{row:0{cell.width}b}" for row in reversed(cell.init))
        self.builder.cell(
            "$meminit_v2",
            ports={
                "ADDR": self.sigspec(),
                "DATA": f"{len(rows)}'{rows}",
                "EN": f"{cell.width}'{'1' * cell.width}",
            },
            parameters={
                "MEMID": self.memories[cell_idx].memid,
                "ABITS": 0,
                "WIDTH": cell.width,
                "WORDS": cell.depth,
                "PRIORITY": 0,
            },
            src_loc=cell.src_loc,
        )


def convert(component, *, name: str, preloaded=(), fabric=None) -> str:
    """RTLIL of a `wiring.Component`, as `amaranth.back.rtlil.convert` without source locations.

    Memories have initial contents when some bit of them is set, or when their instance path starts
    with a string in `preloaded` (which may be all zeros on purpose). `fabric` names the family whose
    cells components may use (:mod:`.families`).
    """
    shared = SharedModules(name, fabric)
    builder = backend.Design(emit_src=False)
    _emit(builder, component, name, preloaded, shared, top=True)
    for module, prototype in shared.prototypes.items():
        _emit(builder, prototype, module, (), FabricPlatform(fabric))
    return str(builder)


def _emit(builder, component, name, preloaded, platform, top=False):
    """Adds the modules of `component`, its own under `name`."""
    ports = {}
    for path, member, value in component.signature.flatten(component):
        direction = PortDirection.Input if member.flow == wiring.In else PortDirection.Output
        ports["__".join(map(str, path))] = (Value.cast(value), direction)
    netlist = build_netlist(Fragment.get(component, platform), ports=ports, name=name)
    empty = backend.EmptyModuleChecker(netlist)
    emitter = type("Emitter", (_Emitter,), {"preloaded": tuple(preloaded)})
    names = SignalDict()
    for number, module in enumerate(netlist.modules):
        if not empty.is_empty(number):
            target = builder.module(".".join(module.name), src_loc=module.src_loc)
            if number == 0 and top:
                target.attribute("top", 1)
            emitter(target, netlist, module, names, empty_checker=empty).emit()


@dataclass
class Module:
    """One RTLIL module: `name` without the backslash, `lines` between its head and its `end`."""

    name: str
    attributes: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def cells(self):
        """(line number, type, name) of each cell."""
        for number, line in enumerate(self.lines):
            if found := _CELL.match(line):
                yield number, found[1], found[2]

    def children(self):
        """Names of the modules instantiated, in order."""
        return [kind[1:] for _, kind, _ in self.cells() if kind.startswith("\\")]


def parse(text: str) -> list[Module]:
    """Splits RTLIL as `amaranth.back.rtlil` writes it into modules, parents first."""
    modules, attributes, current = [], [], None
    for line in text.splitlines():
        if current is not None:
            if line == "end":
                modules.append(current)
                current = None
            elif line:
                current.lines.append(line)
        elif line.startswith("attribute "):
            attributes.append(line)
        elif line.startswith("module "):
            current, attributes = Module(line[len("module \\") :], attributes), []
    return modules


def write(modules: list[Module]) -> str:
    """RTLIL text of `modules`."""
    lines = []
    for module in modules:
        lines += [*module.attributes, f"module \\{module.name}", *module.lines, "end", ""]
    return "\n".join(lines)


def zero_width_ports(modules: list[Module]) -> list[str]:
    """Ports no Verilog can hold, as ``module.port``."""
    found = []
    for module in modules:
        for line in module.lines:
            port = _PORT.match(line)
            if port and int(port[1]) == 0:
                found.append(f"{module.name}.{port[4]}")
    return found


def order_ports(modules: list[Module]) -> None:
    """Puts ports, in place, in an order of their own: clock, reset, then by name.

    Amaranth's order depends on where the module's inputs come from.
    """
    for module in modules:
        ports = {port[4]: port for line in module.lines if (port := _PORT.match(line))}
        names = sorted(ports, key=lambda name: (name != "clk", name != "rst", name))
        lines, declared = [], []
        for line in module.lines:
            if _PORT.match(line):
                # attributes of a port stay with it
                attributes = []
                while lines and lines[-1].startswith("  attribute "):
                    attributes.insert(0, lines.pop())
                declared.append((_PORT.match(line)[4], attributes))
            else:
                lines.append(line)
        attributes, head = dict(declared), []
        for number, name in enumerate(names):
            width, direction, kind, _ = ports[name].groups()
            head += attributes[name]
            head.append(f"  wire width {width} {direction} {number} {kind}\\{name}")
        module.lines = head + lines


def _plain(name: str, taken: set[str]) -> str:
    """`name` as an identifier of letters, digits and underscores that is not in `taken`."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", name.lstrip("$")) or "net"
    if plain[0].isdigit():
        plain = f"n{plain}"
    unique, suffix = plain, 1
    while unique in taken:
        unique, suffix = f"{plain}_{suffix}", suffix + 1
    return unique


def _renames(module: Module) -> dict[str, str]:
    """New name of each wire, memory and cell of `module` whose name needs an escape."""
    names = [found[1][1:] for line in module.lines if (found := _DECLARED.match(line))]
    names += [name[1:] for _, _, name in module.cells() if name.startswith("\\")]
    taken = {name for name in names if re.fullmatch(r"[A-Za-z_]\w*", name)}
    renames = {}
    for name in names:
        if name not in taken:
            renames[name] = _plain(name, taken)
            taken.add(renames[name])
    return renames


def _substitute(line: str, renames: dict[str, str]) -> str:
    """`line` with renamed identifiers, memory names inside strings included."""

    def replace(found):
        token = found[0]
        if token.startswith('"'):
            name = token[3:-1] if token.startswith('"\\\\') else None
            return f'"\\\\{renames[name]}"' if name in renames else token
        return "\\" + renames.get(token[1:], token[1:])

    return _TOKEN.sub(replace, line)


def plain_names(modules: list[Module]) -> None:
    """Renames, in place, wires, memories, instances and their ports to names without escapes."""
    renames = {module.name: _renames(module) for module in modules}
    for module in modules:
        own, ports, lines = renames[module.name], None, []
        for line in module.lines:
            if found := _CELL.match(line):
                ports = renames.get(found[1][1:])
                kind, name = found[1], found[2]
                lines.append(f"  cell {kind} {_substitute(name, own)}")
            elif ports is not None and line.startswith("    connect \\"):
                port, value = line[len("    connect \\") :].split(" ", 1)
                lines.append(f"    connect \\{ports.get(port, port)} {_substitute(value, own)}")
            elif line.startswith("    parameter "):
                head, _, value = line.rpartition(" ")
                lines.append(f"{head} {_substitute(value, own)}")
            else:
                ports = None if line == "  end" else ports
                lines.append(_substitute(line, own))
        module.lines = lines


def _shared_path(paths: list[tuple[str, ...]]) -> tuple[str, ...]:
    """What the instance paths of one module have in common: ``dot0``, ``dot1`` give ``dot``."""
    shared = []
    for parts in zip(*paths, strict=False):
        if len(set(parts)) == 1:
            shared.append(parts[0])
            continue
        first, last = min(parts), max(parts)
        length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
        stem = first[:length].rstrip("0123456789_")
        if not stem:
            break
        shared.append(stem)
    return tuple(shared)


def merge_identical(modules: list[Module]) -> list[Module]:
    """Keeps one of each set of modules that differ in nothing but their names, bottom up.

    Module names become the path of instances joined with underscores, numbers dropped where
    several instances share a module. The order stays parents first. Cells of a fabric, which are no
    modules here, keep their type.
    """
    representative, groups, by_text = {}, {}, {}
    for module in reversed(modules):
        lines = []
        for line in module.lines:
            found = _CELL.match(line)
            if found and found[1].startswith("\\"):
                kind = found[1][1:]
                line = f"  cell \\{representative.get(kind, kind)} {found[2]}"
            lines.append(line)
        module.lines = lines
        # the module's own name occurs in no other line, so equal lines are equal modules
        kept = by_text.setdefault("\n".join(lines), module)
        representative[module.name] = kept.name
        groups.setdefault(kept.name, (kept, []))[1].append(tuple(module.name.split(".")))
    names, taken = {}, set()
    result = [groups[module.name][0] for module in modules if module.name in groups]
    for module in result:
        path = _shared_path(groups[module.name][1])
        names[module.name] = _plain("_".join(path), taken)
        taken.add(names[module.name])
    for module in result:
        module.lines = [
            f"  cell \\{names.get(found[1][1:], found[1][1:])} {found[2]}"
            if (found := _CELL.match(line)) and found[1].startswith("\\")
            else line
            for line in module.lines
        ]
        module.name = names[module.name]
    return result


def drop_register_values(modules: list[Module]) -> None:
    """Removes initial values of registers, in place: reset gives them theirs."""
    for module in modules:
        module.lines = [line for line in module.lines if not line.lstrip().startswith("attribute \\init ")]


def keep_wires(modules: list[Module], prefix: str) -> None:
    """Marks wires whose name starts with `prefix` so that no clean-up removes them."""
    for module in modules:
        lines = []
        for line in module.lines:
            found = _DECLARED.match(line)
            if found and line.startswith("  wire ") and found[1][1:].startswith(prefix):
                lines.append("  attribute \\keep 1")
            lines.append(line)
        module.lines = lines
