"""Sizes of an engine of which only some are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .engine import EngineConfig, preset
from .ranges import check_parameter


def default_with(**given: Any) -> EngineConfig:
    """The preset ``default`` with the parameters `given`. What stands in their way and is not among them is
    as near to the preset's as they allow: `a_bits`, `out_bits`, `quant` and `fetch_bits`.
    :class:`InputError` for what no engine can be."""
    sizes = known_sizes(given)
    widest_fetch = 1 << (sizes["lanes"].bit_length() - 1)
    if "quant" not in given:
        sizes["quant"] = max(
            quant
            for quant in range(1, sizes["quant"] + 1)
            if quant == 1 or (sizes["engines"] * quant <= widest_fetch and _drains(sizes, quant))
        )
    if "fetch_bits" not in given:
        together = max(sizes["engines"] * sizes["quant"], sizes["port_bytes"])
        wanted = max(sizes["fetch_bits"], 1 << (together - 1).bit_length())
        sizes["fetch_bits"] = min(wanted, widest_fetch)
        if sizes["column_reads"] == "shared":
            sizes["fetch_bits"] = min(sizes["fetch_bits"], sizes["lanes"] & -sizes["lanes"])
    return EngineConfig(**sizes)


def _drains(sizes: Mapping[str, Any], quant: int) -> bool:
    """Whether so many channels of a tile may leave at once."""
    return quant <= sizes["rows"] and (sizes["engines"] == 1 or sizes["rows"] % quant == 0)


def known_sizes(given: Mapping[str, Any]) -> dict[str, Any]:
    """The preset ``default`` with `given` parameters, each in its range, and codes as wide as these allow.
    :class:`InputError` for an unknown one or a value out of range."""
    default = preset("default").as_dict()
    # The message about an unknown name is the configuration's.
    preset("default").replace(**dict.fromkeys(given.keys() - default.keys()))
    for name, value in given.items():
        check_parameter(name, value)
    sizes = {**default, **given}
    if "a_bits" not in given:
        sizes["a_bits"] = max(sizes["a_bits"], sizes["out_bits"])
    elif "out_bits" not in given:
        sizes["out_bits"] = min(sizes["a_bits"], sizes["out_bits"])
    return sizes
