"""ECP5: two slots in a CCU2C, the products absorbed in the chain's own LUTs.

In half a CCU2C, ``S = P ^ CIN`` and ``COUT = P ? CIN : G``: P is the LUT4 of A, B, C, D, and G the
same table at C = D = 0. With x on A and B and y on C and D, P = x ^ y and G = x make a full adder if
y is 0 at C = D = 0; without x, y may use all four. A half with C = D = 1 has P and G of its own:
P = 0 reads the carry out and injects G as the next one.
"""

from __future__ import annotations

import dataclasses

from amaranth import Const, Instance, Module, Signal, Value

from .chains import Chains, Slot
from .fabric import Fabric
from .tree import ZERO


def _inverts(x, y):
    return len(x.pins) == len(y.pins) == 2 and y.at(0, 0) == 1


def _ordered(slot):
    """The slot with a lone product on A and B, where its value for zeros does not matter."""
    if len(slot.x.pins) < len(slot.y.pins) == 2:
        return dataclasses.replace(slot, x=slot.y, y=slot.x)
    return slot


def _table(slot):
    """INIT of half a CCU2C, bit ``A + 2 B + 4 C + 8 D``."""
    rows = 0
    for index in range(16):
        a, b, c, d = ((index >> pin) & 1 for pin in range(4))
        x = slot.x.at(*(a, b)[: len(slot.x.pins)])
        if slot.inject:
            row = 0 if c and d else x
        elif len(slot.y.pins) >= 2:
            row = x ^ slot.y.at(*(c, d, a, b)[: len(slot.y.pins)])
        else:
            # D is tied to 1, so the rows of D = 0 are G's alone.
            row = x ^ slot.y.at(*(c,)[: len(slot.y.pins)]) if d else x
        rows |= row << index
    return rows


def emit(m: Module, slots: list[Slot], name: str) -> None:
    """Adds the CCU2C cells of one chain; first CIN and last COUT stay open, which saves the cells
    that would feed them."""
    slots = [_ordered(slot) for slot in slots]
    if len(slots) % 2:
        slots = [*slots, Slot(ZERO, ZERO, None, inject=True)]
    carry = None
    for number in range(0, len(slots), 2):
        ports: dict[str, Value | str] = {}
        for half, slot in enumerate(slots[number : number + 2]):
            ports |= {f"i_{pin}{half}": Const(1, 1) for pin in "ABCD"}
            ports |= {f"i_{pin}{half}": value for pin, value in zip("CDAB", slot.y.pins, strict=False)}
            ports |= {f"i_{pin}{half}": value for pin, value in zip("AB", slot.x.pins, strict=False)}
            ports[f"p_INIT{half}"] = Const(_table(slot), 16)
            ports[f"p_INJECT1_{half}"] = "NO"
            if slot.out is not None:
                ports[f"o_S{half}"] = slot.out
        if carry is not None:
            ports["i_CIN"] = carry
        if number + 2 < len(slots):
            carry = ports["o_COUT"] = Signal(name=f"{name}_carry")
        m.submodules[f"{name}_{number // 2}"] = Instance("CCU2C", **ports)


CHAINS = Chains(emit=emit, slots=40, fast_slots=28, absorbs=4, inverts=_inverts)
FABRIC = Fabric(name="ecp5", library="+/ecp5/cells_sim.v", count=CHAINS.count, chains=CHAINS)
