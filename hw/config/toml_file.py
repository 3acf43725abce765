"""Engine parameters from files."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.golden.reading import read_text, reason, shown

from .engine import EngineConfig

_ACCEPTED = "a TOML file with engine parameters"
# Bytes of a file, and characters of a line: a parameter takes some twenty. tomllib's time grows with the
# square of the parts of a dotted name, which cannot go on in another line.
_MAX_BYTES = 1 << 16
_MAX_LINE = 400


def read_overrides(path: str | Path) -> dict[str, int | str]:
    """Engine parameters from a TOML file: a flat table, or one table `[engine]`.

    Raises :class:`InputError` when the file cannot be read, is not TOML, names an unknown parameter or
    gives one a value of another type than it has. Ranges are those of :class:`.EngineConfig`.
    """
    table = _table(path)
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


def _table(path: str | Path) -> dict:
    """What the file says."""
    text = read_text(path, _ACCEPTED, _MAX_BYTES)
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > _MAX_LINE:
            raise InputError(
                f"{path}: line {number} has {len(line)} characters; accepted: {_ACCEPTED}, "
                f"at most {_MAX_LINE}"
            )
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{path}: not TOML: nested too deeply; accepted: {_ACCEPTED}") from None
    except ValueError as error:
        raise InputError(f"{path}: not TOML: {reason(error)}; accepted: {_ACCEPTED}") from None
