"""Families of devices whose own cells a component may use, and how it learns of them.

A component asks its platform: the Verilog export hands one down when a synthesis target is named.
Without, everything is portable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import ecp5, ice40, xilinx
from .chains import Chains


@dataclass(frozen=True)
class FabricPlatform:
    """A platform that says no more than `fabric`, a name of :data:`FABRICS` or None."""

    fabric: str | None


@dataclass(frozen=True)
class Fabric:
    """`library` is the file of cell models, as Yosys finds it; `chains` makes additions (None: plain
    ones are better) and `count(m, lanes, every)` counts lanes as :func:`..fabric.tree.count_tree`."""

    library: str
    chains: Chains | None
    count: Callable


FABRICS = {
    "ecp5": Fabric("+/ecp5/cells_sim.v", ecp5.CHAINS, ecp5.CHAINS.count),
    "ice40": Fabric("+/ice40/cells_sim.v", ice40.CHAINS, ice40.count),
    # No chains for accumulators: abc9 of the pinned Yosys (0.70) crashes on a DotUnit with one.
    "xilinx": Fabric("+/xilinx/cells_sim.v", None, xilinx.CHAINS.count),
}


def find_fabric(platform):
    """The :class:`Fabric` a component may use on this platform, None where all is to be portable."""
    return FABRICS.get(getattr(platform, "fabric", None))
