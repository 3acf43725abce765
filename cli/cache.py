"""`dorefa cache`: what dorefa keeps from run to run, and how to get rid of it."""

import argparse

from .common.output import Output

SUMMARY = "list or clear compiled models and measured points"
EXAMPLE = "dorefa cache list"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument(
        "action",
        choices=("list", "clear"),
        help="list: what is there, oldest first; clear: remove it, and nothing else",
    )


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden import cache

    out = Output(args.json)
    folder = cache.cache_directory()
    clearing = args.action == "clear"
    entries, others = cache.clear() if clearing else cache.entries()
    total = sum(entry.bytes for entry in entries)
    if clearing:
        out.say(f"{folder}: removed {len(entries):,} entries, {_size(total)} freed")
    else:
        if entries:
            rows = [[entry.kind, entry.path.name, _size(entry.bytes), _age(entry)] for entry in entries]
            out.table(["kind", "name", "size", "age"], rows)
        out.say(f"{folder}: {len(entries):,} entries, {_size(total)}")
    for path in others:
        out.say(f"not dorefa's, left alone: {path}")
    listed = [
        {"kind": entry.kind, "path": entry.path, "bytes": entry.bytes, "seconds": round(entry.seconds)}
        for entry in entries
    ]
    out.report(
        {
            "folder": folder,
            "entries": [] if clearing else listed,
            "removed": listed if clearing else [],
            "bytes": 0 if clearing else total,
            "freed_bytes": total if clearing else 0,
            "others": others,
        }
    )
    return 0


def _size(count):
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} bytes"


def _age(entry):
    for unit, seconds in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if entry.seconds >= 2 * seconds:
            return f"{entry.seconds / seconds:.0f} {unit}"
    return f"{entry.seconds:.0f} seconds"
