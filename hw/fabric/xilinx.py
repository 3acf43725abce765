"""Families with 6-input LUTs: a slot is a LUT6_2 in front of a CARRY4, the products absorbed.

``O = S ^ CI`` and ``CO = S ? CI : DI``, with S and DI two functions of the same five signals.
"""

from __future__ import annotations

from amaranth import Cat, Const, Instance, Module, Signal

from .chains import Chains, Slot
from .fabric import Fabric


def _table(slot):
    """INIT of the LUT6_2: DI in the lower half (O5), S in the upper (O6)."""
    split = len(slot.x.pins)
    rows = 0
    for row in range(32):
        pins = [row >> pin & 1 for pin in range(5)]
        x = slot.x.at(*pins[:split])
        s = 0 if slot.inject else x ^ slot.y.at(*pins[split : split + len(slot.y.pins)])
        rows |= x << row | s << (32 + row)
    return rows


def emit(m: Module, slots: list[Slot], name: str) -> None:
    """Adds the cells of one chain."""
    carry = Const(0, 1)
    for number in range(0, len(slots), 4):
        group = slots[number : number + 4]
        s, di, o, co = (Signal(4, name=f"{name}_{port}") for port in ("s", "di", "o", "co"))
        for place, slot in enumerate(group):
            pins = [*slot.x.pins, *slot.y.pins]
            pins += [Const(0, 1)] * (5 - len(pins))
            m.submodules[f"{name}_lut_{number + place}"] = Instance(
                "LUT6_2",
                p_INIT=Const(_table(slot), 64),
                **{f"i_I{pin}": value for pin, value in enumerate(pins)},
                i_I5=Const(1, 1),
                o_O5=di[place],
                o_O6=s[place],
            )
            if slot.out is not None:
                m.d.comb += slot.out.eq(o[place])
        used = len(group)
        m.submodules[f"{name}_carry_{number // 4}"] = Instance(
            "CARRY4",
            i_CI=carry,
            i_CYINIT=Const(0, 1),
            i_S=Cat(s[:used], Const(0, 4 - used)),
            i_DI=Cat(di[:used], Const(0, 4 - used)),
            o_O=o,
            o_CO=co,
        )
        carry = co[3]


CHAINS = Chains(emit=emit, slots=64, fast_slots=32, absorbs=4)
# No chains for accumulators: abc9 of the pinned Yosys (0.70) crashes on a DotUnit with one.
FABRIC = Fabric(name="xilinx", library="+/xilinx/cells_sim.v", count=CHAINS.count)
