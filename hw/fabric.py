"""Families of devices whose own cells a component may use, and how it learns of them.

A component asks its platform: the Verilog export hands one down when a synthesis target is named.
Without, everything is portable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import mapped_ecp5
from .popcount_tree import add_portable, count_tree


@dataclass(frozen=True)
class FabricPlatform:
    """A platform that says no more than `fabric`, a name of :data:`FABRICS` or None."""

    fabric: str | None


@dataclass(frozen=True)
class Fabric:
    """`library` is the file of cell models, as Yosys finds it; `count(m, lanes, every)` counts lanes
    as :func:`.popcount_tree.count_tree` does."""

    library: str
    count: Callable


def _portable(m, lanes, every):
    return count_tree(m, lanes, every=every, add_level=add_portable)


FABRICS = {
    "ecp5": Fabric("+/ecp5/cells_sim.v", mapped_ecp5.CHAINS.count),
}


def counter(platform):
    """The `count` of the platform's `fabric`, or the portable one."""
    fabric = FABRICS.get(getattr(platform, "fabric", None))
    return fabric.count if fabric else _portable
