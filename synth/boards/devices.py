"""What a device holds: logic cells, flip-flops and block RAMs, as nextpnr counts them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dorefa.golden.errors import InputError

from ..flow import yosys
from . import catalog


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """One device of a `target` of :data:`.yosys.TARGETS`: its 4-input LUTs, flip-flops and block RAMs,
    and the `pattern` of the names that boards have for it."""

    name: str
    target: str
    luts: int
    ffs: int
    brams: int
    pattern: str

    def excess(self, counts) -> str | None:
        """What of `counts` (luts, ffs, brams) is more than the device has, as a sentence; None: it fits."""
        too_many = [
            f"{counts[key]:,} of {getattr(self, key):,} {kind}"
            for key, kind in (("luts", "LUTs"), ("ffs", "flip-flops"), ("brams", "block RAMs"))
            if counts[key] > getattr(self, key)
        ]
        return f"does not fit {self.name}: it needs {', '.join(too_many)}" if too_many else None


# The first one of a target is its default. LFE5U-12F is the die of the 25F.
CAPACITIES = {
    capacity.name: capacity
    for capacity in (
        Capacity(
            name="LFE5U-85F-6", target="ecp5", luts=83_640, ffs=83_640, brams=208, pattern=r"LFE5UM?(5G)?-85F"
        ),
        Capacity(
            name="LFE5U-45F-6", target="ecp5", luts=43_848, ffs=43_848, brams=108, pattern=r"LFE5UM?(5G)?-45F"
        ),
        Capacity(
            name="LFE5U-25F-6",
            target="ecp5",
            luts=24_288,
            ffs=24_288,
            brams=56,
            pattern=r"LFE5UM?(5G)?-(12|25)F",
        ),
        Capacity(name="iCE40-HX8K", target="ice40", luts=7_680, ffs=7_680, brams=32, pattern="iCE40HX8K"),
        Capacity(name="iCE40-UP5K", target="ice40", luts=5_280, ffs=5_280, brams=30, pattern="iCE40UP5K"),
        Capacity(name="GW2A-18C", target="gowin", luts=20_736, ffs=15_552, brams=46, pattern="GW2A-18"),
        Capacity(name="GW1NR-9C", target="gowin", luts=8_640, ffs=6_480, brams=26, pattern="GW1NR-9"),
        # Halves of a CPE, block RAMs of 40 kbit.
        Capacity(name="CCGM1A1", target="gatemate", luts=40_960, ffs=40_960, brams=32, pattern="CCGM1A1"),
    )
}


def find_capacity(target, name=None) -> Capacity | None:
    """The device called `name`, or else the target's default; None for a target without devices.

    Raises :class:`InputError` that lists what there is.
    """
    yosys.find_target(target)
    accepted = [key for key, device in CAPACITIES.items() if device.target == target]
    if name is None:
        return CAPACITIES[accepted[0]] if accepted else None
    if name not in accepted:
        names = ", ".join(accepted) or "no device (nothing is known of its devices)"
        raise InputError(f"device is {name!r}; accepted for {target}: {names}")
    return CAPACITIES[name]


def capacity_of(board) -> Capacity:
    """The :class:`Capacity` of the device on a :class:`.catalog.Board`."""
    platform = catalog.make_platform(board)
    name = getattr(platform, "device", None) or platform.family
    return next(device for device in CAPACITIES.values() if re.match(device.pattern, name))
