"""Engine parameters from files."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.golden.reading import read_toml, shown

from .engine import EngineConfig

_ACCEPTED = "a TOML file with engine parameters"


def read_overrides(path: str | Path) -> dict[str, int | str]:
    """Engine parameters from a TOML file: a flat table, or one table `[engine]`.

    Raises :class:`InputError` when the file cannot be read, is not TOML, names an unknown parameter or
    gives one a value of another type than it has. Ranges are those of :class:`.EngineConfig`.
    """
    table = read_toml(path, _ACCEPTED)
    if set(table) == {"engine"} and isinstance(table["engine"], dict):
        table = table["engine"]
    types = {field.name: type(field.default) for field in dataclasses.fields(EngineConfig)}
    for name, value in table.items():
        if name not in types:
            raise InputError(f"{path}: unknown engine parameter {shown(name)}; accepted: {', '.join(types)}")
        if type(value) is not types[name]:
            accepted = "an integer" if types[name] is int else "a string"
            raise InputError(f"{path}: {name} is {shown(value)}; accepted: {accepted}")
    return table
