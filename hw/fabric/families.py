"""Families of devices whose own cells a component may use, and how it learns of them.

A component asks its platform: the Verilog export hands one down when a synthesis target is named.
Without, everything is portable.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import ecp5, ice40, xilinx
from .fabric import Fabric


@dataclass(frozen=True)
class FabricPlatform:
    """A platform that says no more than `fabric`, a name of :data:`FABRICS` or None."""

    fabric: str | None


FABRICS: dict[str, Fabric] = {fabric.name: fabric for fabric in (ecp5.FABRIC, ice40.FABRIC, xilinx.FABRIC)}


def find_fabric(platform: object) -> Fabric | None:
    """The :class:`Fabric` a component may use on this platform, None where all is to be portable."""
    return FABRICS.get(getattr(platform, "fabric", ""))
