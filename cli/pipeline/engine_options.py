"""Options that only engines have."""

from __future__ import annotations

import argparse

from ..common import options

# Whose default is None, False or 0.
_FLAGS = ("net_g", "preload", "librelane", "engine", "netlist", "through_port", "latency")


def engine_options(args: argparse.Namespace) -> dict[str, object]:
    """{option: value} of what a command line says that only engines have. InputError for a preset, file or
    value that no engine has."""
    given: dict[str, object] = {}
    # A hybrid has an engine, but none that a host could load.
    if args.architecture != "hybrid":
        overrides = options.engine_overrides(args)
        given = {name: getattr(args, name) for name in ("preset", "config")}
        given = {name: value for name, value in given.items() if value is not None} | overrides
    given |= {name: getattr(args, name) for name in _FLAGS if getattr(args, name, None)}
    if getattr(args, "memory", None) == "macro":
        given["memory"] = args.memory
    if getattr(args, "unit", "engine") != "engine":
        given["unit"] = args.unit
    return {name.replace("_", "-"): value for name, value in given.items()}
