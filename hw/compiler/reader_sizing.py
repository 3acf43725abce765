"""The window reader for a network on an array."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork

from ..config.checks import plane_group_choices
from ..config.engine import EngineConfig
from ..config.ranges import RANGES, check_range
from ..interface.readers import READERS
from .plan import Plan

# Rough size of the array and its memories' ports, to weigh a reader against.
_LUTS_PER_OPERATION = 3

_FIXED = (
    "lanes",
    "rows",
    "cols",
    "engines",
    "port_bytes",
    "quant",
    "w_bits",
    "a_bits",
    "out_bits",
    "encoding",
    "batch",
)


class _Reader(NamedTuple):
    fetch_bits: int
    plane_groups: int
    column_reads: str


def best_reader(network: IntegerNetwork, sizes: Mapping[str, Any]) -> dict:
    """`fetch_bits`, `plane_groups` and `column_reads` for an integer network on the array in `sizes`, what
    `sizes` has of them kept; see :func:`dorefa.hw.compiler.sizing.fit`."""
    sums = any(layer.pool is not None and layer.pool.kind == "average_codes" for layer in network.layers)
    fetches, groups, asked = _fetches(sizes), _plane_groups(sizes, sums=sums), sizes.get("column_reads")

    @cache
    def plan(reader: _Reader) -> Plan:
        fixed = {name: sizes[name] for name in _FIXED}
        draft = EngineConfig(**fixed, **reader._asdict(), trunk_bits=16)
        return Plan.of(network, draft, limits=())

    def total(reader: _Reader) -> int:
        return plan(reader).cycles

    def binds(reader: _Reader) -> bool:
        return any(part.bound_by == "window reader" for part in plan(reader).pass_cycles)

    def luts(reader: _Reader) -> int:
        return _look_up_tables(reader, sizes)

    readers = []
    if asked != "shared":
        # The smallest that costs at most 1 % more cycles than the fastest, or 2 % where it binds no layer.
        kind = asked or "separate"
        fastest = total(_Reader(fetches[-1], groups[0], kind))
        apart = sorted((_Reader(fetch, count, kind) for fetch in fetches for count in groups), key=luts)
        readers.append(
            next(
                reader
                for reader in apart
                if total(reader) <= 1.01 * fastest or (total(reader) <= 1.02 * fastest and not binds(reader))
            )
        )
    if asked == "shared" or (asked is None and sizes["cols"] > 1):
        dividing = [fetch for fetch in fetches if sizes["lanes"] % fetch == 0]
        if asked and not dividing and "fetch_bits" not in sizes:
            raise InputError(
                f"lanes is {sizes['lanes']} with column_reads 'shared'; accepted: a multiple of fetch_bits, "
                f"which is a power of two, here at least {fetches[0]}"
            )
        # Other widths that were asked for are the configuration's to refuse.
        suits = fetches if asked and not dividing else dividing
        readers += [_Reader(fetch, count, "shared") for fetch in suits for count in groups]
    # The one with which array and reader do most per LUT.
    array = _LUTS_PER_OPERATION * sizes["lanes"] * sizes["rows"] * sizes["cols"]
    return min(readers, key=lambda reader: total(reader) * (array + luts(reader)))._asdict()


def smallest_reader(sizes: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, int]:
    """`fetch_bits` and `plane_groups` of the reader of the fewest LUTs that reads the patch words of all
    columns in the time in which the array in `sizes` takes them twice, those in `overrides` kept."""
    fixed = {name: sizes[name] for name in _FIXED} | {"sum_codes": sizes["sum_codes"]}
    asked = {name: overrides[name] for name in ("fetch_bits", "plane_groups") if name in overrides}
    given = fixed | ({"plane_groups": 1} if sizes["training"] else {}) | asked
    readers = [
        _Reader(fetch, groups, sizes["column_reads"])
        for fetch in _fetches(given)
        for groups in _plane_groups(given, sums=bool(sizes["sum_codes"])) or [1]
    ]
    limit = 2 * sizes["a_bits"] * sizes["w_bits"]

    def cycles(reader: _Reader) -> int:
        return -(-sizes["lanes"] // reader.fetch_bits) * reader.plane_groups * sizes["cols"]

    fast = [reader for reader in readers if cycles(reader) <= limit] or [min(readers, key=cycles)]
    chosen = min(fast, key=lambda reader: _look_up_tables(reader, sizes))
    return {"fetch_bits": chosen.fetch_bits, "plane_groups": chosen.plane_groups}


def _fetches(sizes: Mapping[str, Any]) -> list[int]:
    """Widths of a fetch that the array allows, in ascending order; the one in `sizes` if it has one."""
    if "fetch_bits" in sizes:
        return [sizes["fetch_bits"]]
    written, arriving = sizes["engines"] * sizes["quant"], sizes["port_bytes"]
    least = max(8, 1 << (max(written, arriving) - 1).bit_length())
    widest = 1 << (sizes["lanes"].bit_length() - 1)
    if least > widest:
        what, value = ("engines x quant", written) if written > arriving else ("port_bytes", arriving)
        raise InputError(
            f"{what} is {value} with lanes {sizes['lanes']}; accepted: at most {widest}, because a word of "
            "the feature memory is at least as wide and at most a patch word"
        )
    return [1 << bits for bits in range(least.bit_length() - 1, widest.bit_length())]


def _plane_groups(sizes: Mapping[str, Any], *, sums: bool) -> list[int]:
    """Numbers of plane groups that the widths of codes, which are summed or not, allow, or the one in
    `sizes`."""
    if "plane_groups" in sizes:
        check_range("plane_groups", sizes["plane_groups"])
        return [sizes["plane_groups"]]
    a_bits = sizes["a_bits"]
    stored = a_bits if sizes.get("sum_codes", sums) else sizes["out_bits"]
    most = RANGES["plane_groups"][1]
    return [groups for groups in plane_group_choices(a_bits, min(stored, a_bits)) if groups <= most]


def _look_up_tables(reader: _Reader, sizes: Mapping[str, Any]) -> int:
    """Rough number of LUTs of a reader."""
    return READERS[reader.column_reads].look_up_tables(
        fetch=reader.fetch_bits,
        planes=-(-sizes["a_bits"] // reader.plane_groups),
        cols=sizes["cols"],
        lanes=sizes["lanes"],
    )
