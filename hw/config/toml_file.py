"""Engine parameters from files."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

from dorefa.golden.errors import InputError

from .engine import EngineConfig


def read_overrides(path: str | Path) -> dict[str, int | str]:
    """Engine parameters from a TOML file: a flat table, or one table `[engine]`.

    Raises :class:`InputError` when the file is missing, is not TOML or names an unknown parameter.
    """
    try:
        with open(path, "rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; accepted: a readable TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    if set(table) == {"engine"} and isinstance(table["engine"], dict):
        table = table["engine"]
    names = [field.name for field in dataclasses.fields(EngineConfig)]
    for name in table:
        if name not in names:
            raise InputError(f"{path}: unknown engine parameter {name!r}; accepted: {', '.join(names)}")
    return table
