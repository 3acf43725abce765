"""Passes on :class:`.model.Module` lists: plain names, identical modules once, no needless initial values.

Amaranth writes one module per instance and names with `$` and dots in them. Simulators and readers
want each module once, and identifiers that need no escape.
"""

from __future__ import annotations

import re

from . import rtlil
from .model import Cell, Module, Statement, Wire

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\\\S+')


def zero_width_ports(modules: list[Module]) -> list[str]:
    """Ports no Verilog can hold, as ``module.port``."""
    return [f"{module.name}.{port.name[1:]}" for module in modules for port in module.ports if not port.width]


def order_ports(modules: list[Module]) -> None:
    """Puts ports, in place, in an order of their own: clock, reset, then by name.

    Amaranth's order depends on where the module's inputs come from.
    """
    for module in modules:
        ports = sorted(module.ports, key=lambda port: (port.name != "\\clk", port.name != "\\rst", port.name))
        rest = [item for item in module.items if not (isinstance(item, Wire) and item.direction)]
        module.items = [*ports, *rest]


def drop_register_values(modules: list[Module]) -> None:
    """Removes initial values of registers, in place: reset gives them theirs."""
    for module in modules:
        for wire in module.wires:
            wire.attributes = [line for line in wire.attributes if not line.startswith("  attribute \\init ")]


def keep_wires(modules: list[Module], prefix: str) -> None:
    """Marks wires whose name starts with `prefix` so that no clean-up removes them."""
    for module in modules:
        for wire in module.wires:
            if wire.name.startswith(f"\\{prefix}"):
                wire.attributes.append("  attribute \\keep 1")


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
    declared = [item for item in module.items if not isinstance(item, Cell | Statement)]
    names = [item.name[1:] for item in (*declared, *module.cells) if item.name.startswith("\\")]
    taken = {name for name in names if re.fullmatch(r"[A-Za-z_]\w*", name)}
    renames = {}
    for name in names:
        if name not in taken:
            renames[name] = _plain(name, taken)
            taken.add(renames[name])
    return renames


def _substitute(text: str, renames: dict[str, str]) -> str:
    """`text` with renamed identifiers, memory names inside strings included."""

    def replace(found: re.Match) -> str:
        token = found[0]
        if token.startswith('"'):
            name = token[3:-1] if token.startswith('"\\\\') else None
            return f'"\\\\{renames[name]}"' if name in renames else token
        return "\\" + renames.get(token[1:], token[1:])

    return _TOKEN.sub(replace, text)


def plain_names(modules: list[Module]) -> None:
    """Renames, in place, wires, memories, instances and their ports to names without escapes."""
    renames = {module.name: _renames(module) for module in modules}
    for module in modules:
        own = renames[module.name]
        for item in module.items:
            if isinstance(item, Statement):
                item.lines = [_substitute(line, own) for line in item.lines]
                continue
            item.name = _substitute(item.name, own)
            if isinstance(item, Cell):
                ports = renames[item.module] if item.module in renames else {}
                item.parameters = {name: _substitute(value, own) for name, value in item.parameters.items()}
                item.connections = {
                    ports.get(port, port): _substitute(value, own) for port, value in item.connections.items()
                }


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


def _instantiate(module: Module, names: dict[str, str]) -> None:
    """Gives the modules that `module` instantiates the names in `names`, in place."""
    for cell in module.cells:
        if cell.module in names:
            cell.kind = f"\\{names[cell.module]}"


def merge_identical(modules: list[Module]) -> list[Module]:
    """Keeps one of each set of modules that differ in nothing but their names, bottom up.

    Module names become the path of instances joined with underscores, numbers dropped where
    several instances share a module. The order stays parents first. Cells of a fabric, which are no
    modules here, keep their type.
    """
    representative: dict[str, str] = {}
    groups: dict[str, list[tuple[str, ...]]] = {}
    by_text: dict[str, Module] = {}
    for module in reversed(modules):
        _instantiate(module, representative)
        # The module's own name occurs in no line of its body, so equal bodies are equal modules.
        kept = by_text.setdefault("\n".join(rtlil.body(module)), module)
        representative[module.name] = kept.name
        groups.setdefault(kept.name, []).append(tuple(module.name.split(".")))
    result = [module for module in modules if module.name in groups]
    names: dict[str, str] = {}
    for module in result:
        names[module.name] = _plain("_".join(_shared_path(groups[module.name])), set(names.values()))
    for module in result:
        _instantiate(module, names)
        module.name = names[module.name]
    return result
