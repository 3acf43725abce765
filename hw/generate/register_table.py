"""Registers as the Markdown tables of the documentation."""

from __future__ import annotations

from collections.abc import Iterable

from ..interface.register import Access, Field, Register


def markdown(registers: Iterable[Register]) -> str:
    """A table with a line for every field; a register's word address and name stand at its first one."""
    lines = ["| word | register | bits | field | access | reset | meaning |", "|---|---|---|---|---|---|---|"]
    for register in registers:
        place, name = f"{register.address:#x}", f"`{register.name}`"
        for field in register.fields:
            cells = (place, name, field.bits, f"`{field.name}`", field.access, _reset(field), _meaning(field))
            lines.append(f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |"))
            place = name = ""
    return "\n".join(lines) + "\n"


def _meaning(field: Field) -> str:
    """What it means, and which engines alone have it."""
    if field.only is None:
        return field.meaning
    parameter, *values = field.only
    return f"{field.meaning} (`{parameter}` {' or '.join(map(str, values))})"


def _reset(field: Field) -> str:
    """The value after reset; of a constant also the name of what has it."""
    if isinstance(field.reset, str):
        return f"`{field.reset}`"
    return f"{field.reset:#x}" if field.access is Access.CONSTANT else str(field.reset)
