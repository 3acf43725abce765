"""Architectures as TOML: read and written."""

import dataclasses
import json
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..network.parts import Pool
from ..reading import read_toml, shown
from .architecture import Architecture, LayerSpec

_ACCEPTED = "an architecture as TOML (`dorefa zoo NAME --toml` shows one)"
_LAYERS = "layers"
# Keys that begin a table.
_FIRST = ("name", "kind", "channels")


def _keys(record: type) -> tuple[list[str], list[str]]:
    """Names of the fields that a table may give, and of those that it must."""
    fields = [field for field in dataclasses.fields(record) if field.init]
    return [field.name for field in fields], [
        field.name for field in fields if field.default is dataclasses.MISSING
    ]


def read_architecture(path: str | os.PathLike[str]) -> Architecture:
    """The architecture in the TOML file at `path`, called as the file is without its ending.

    The keys are the fields of :class:`Architecture`, in tables `[[layers]]` those of :class:`LayerSpec`, in
    `pool` those of :class:`Pool`; what is left out has the value it has there, None where that is possible.
    InputError that names file and layer for what is unknown, missing, of another type or not possible.
    """
    table = read_toml(path, _ACCEPTED)
    table = {"input_bits": None, "first_w": None} | table
    names = [field.name for field in dataclasses.fields(Architecture) if field.name != "name"]
    _check_keys(table, names, names, f"{path}:")
    layers = table.pop(_LAYERS)
    if not isinstance(layers, list) or not layers:
        raise InputError(f"{path}: {_LAYERS} is {shown(layers)}; accepted: one [[layers]] or more")
    try:
        specs = tuple(_layer(layer, number) for number, layer in enumerate(layers, 1))
        return Architecture(name=Path(path).stem, layers=specs, **table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _layer(table: object, number: int) -> LayerSpec:
    if not isinstance(table, dict):
        raise InputError(f"layer {number} is {shown(table)}; accepted: a table [[layers]]")
    where = (
        f"layer {shown(table['name'])[1:-1]}:" if isinstance(table.get("name"), str) else f"layer {number}:"
    )
    _check_keys(table, *_keys(LayerSpec), where)
    if "pool" not in table:
        return LayerSpec(**table)
    pool = table["pool"]
    if not isinstance(pool, dict):
        raise InputError(f'{where} pool is {shown(pool)}; accepted: a table, as {{kind = "max", ...}}')
    _check_keys(pool, *_keys(Pool), f"{where} pool:")
    try:
        return LayerSpec(**table | {"pool": Pool(**pool)})
    except InputError as error:
        text = str(error)
        raise InputError(text if text.startswith("layer") else f"{where} {text}") from None


def _check_keys(table: dict[str, Any], known: Collection[str], needed: Collection[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise InputError(f"{where} unknown key {shown(name)}; accepted: {', '.join(known)}")
    missing = [name for name in needed if name not in table]
    if missing:
        raise InputError(f"{where} no {', '.join(missing)}; accepted: all of {', '.join(needed)}")


def architecture_toml(architecture: Architecture) -> str:
    """The TOML of `architecture` that :func:`read_architecture` reads: its name is the file's."""
    lines = list(_lines(architecture, ("name", _LAYERS)))
    for spec in architecture.layers:
        lines += ["", f"[[{_LAYERS}]]", *_lines(spec)]
    return "\n".join([*lines, ""])


def _lines(record: Any, without: Collection[str] = ()) -> Iterator[str]:
    """`key = value` of the fields that differ from what they are when left out."""
    fields = [field for field in dataclasses.fields(record) if field.init and field.name not in without]
    for field in sorted(fields, key=lambda field: field.name not in _FIRST):
        value = getattr(record, field.name)
        if value is not None and value != field.default:
            yield f"{field.name} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, Pool):
        return "{" + ", ".join(_lines(value)) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # Numbers, flags and printable text are written as in JSON.
    return json.dumps(value, ensure_ascii=False)
