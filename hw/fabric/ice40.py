"""iCE40: products in pairs through LUTs, then carry chains over what weighs two.

Carries see the raw inputs of a LUT there, so a chain cannot absorb products. A running sum ``s`` of
weight 1 takes two products x and y a step: with p = x ^ y the carry is ``p ? s : x``, two steps on
the sum is ``s ^ p1 ^ p2`` and the second carry ``p2 ? ~sum : x2``. That is five LUTs for four lanes.
"""

from __future__ import annotations

from amaranth import Const, Instance, Module, Signal

from .chains import Chains, Slot
from .fabric import Fabric
from .tree import Operand, registered, tree_levels

# Lanes of a running sum: longer is smaller and slower.
_RUN, _FAST_RUN = 16, 8


def _lut(m, name, pins, function):
    """Signal that is `function` of at most four pins, in a LUT of its own."""
    out = Signal(name=name)
    pins = [*pins]
    table = sum(function(*(row >> pin & 1 for pin in range(len(pins)))) << row for row in range(16))
    pins += [Const(0, 1)] * (4 - len(pins))
    m.submodules += Instance(
        "SB_LUT4",
        p_LUT_INIT=Const(table, 16),
        **{f"i_I{pin}": value for pin, value in enumerate(pins)},
        o_O=out,
    )
    return out


def emit(m: Module, slots: list[Slot], name: str) -> None:
    """Adds the cells of one chain: the LUT sees what the carry sees, and the carry as I3."""
    carry = Const(0, 1)
    for number, slot in enumerate(slots):
        x = slot.x.value()
        y = x if slot.inject else slot.y.value()
        if slot.out is not None:
            m.submodules[f"{name}_lut_{number}"] = Instance(
                "SB_LUT4",
                p_LUT_INIT=Const(0xFF00 if slot.inject else 0xC33C, 16),
                i_I0=Const(0, 1),
                i_I1=x,
                i_I2=y,
                i_I3=carry,
                o_O=slot.out,
            )
        if number < len(slots) - 1:
            received, carry = carry, Signal(name=f"{name}_carry")
            m.submodules[f"{name}_carry_{number}"] = Instance(
                "SB_CARRY", i_I0=x, i_I1=y, i_CI=received, o_CO=carry
            )


def _full_adder(m, s, x, y):
    """(sum, carry) of three signals in two LUTs."""
    return (
        _lut(m, "front_sum", (s, x, y), lambda s, x, y: s ^ x ^ y),
        _lut(m, "front_carry", (s, x, y), lambda s, x, y: int(s + x + y > 1)),
    )


def _run(m, lanes):
    """(sum, carries) of an odd number of lanes, in steps of two pairs and at most one of one."""
    first = lanes[0]
    s = _lut(m, "front_sum", first.pins, first.at)
    carries, waiting = [], None

    def choose(x, other):
        return lambda p, s, a, w: s ^ other if p else x.at(a, w)

    for x, y in zip(lanes[1::2], lanes[2::2], strict=True):
        pins = (*x.pins, *y.pins)
        p = _lut(m, "pair", pins, lambda a, w, b, v, x=x, y=y: x.at(a, w) ^ y.at(b, v))
        if waiting is None:
            carries.append(_lut(m, "front_carry", (p, s, *x.pins), choose(x, 0)))
            waiting = p
        else:
            s = _lut(m, "front_sum", (s, waiting, p), lambda s, p1, p2: s ^ p1 ^ p2)
            carries.append(_lut(m, "front_carry", (p, s, *x.pins), choose(x, 1)))
            waiting = None
    if waiting is not None:
        s = _lut(m, "front_sum", (s, waiting), lambda s, p: s ^ p)
    return s, carries


def _front(m, lanes, run):
    """(the bit of weight 1, bits of weight 2) that make up the number of ones among `lanes`."""
    odd = len(lanes) - (len(lanes) + 1) % 2
    # An odd number of runs, each one lane and its share of the pairs.
    runs = min(odd // run | 1, odd)
    pairs = (odd - runs) // 2
    sums, carries, at = [], [], 0
    for number in range(runs):
        share = pairs * (number + 1) // runs - pairs * number // runs
        s, more = _run(m, lanes[at : at + 2 * share + 1])
        sums.append(s)
        carries += more
        at += 2 * share + 1
    while len(sums) > 1:
        s, carry = _full_adder(m, *sums[:3])
        sums = [*sums[3:], s]
        carries.append(carry)
    if odd == len(lanes):
        return sums[0], carries
    last = lanes[odd]
    pins = (sums[0], *last.pins)
    carries.append(_lut(m, "front_carry", pins, lambda s, a, w: s & last.at(a, w)))
    return _lut(m, "front_sum", pins, lambda s, a, w: s ^ last.at(a, w)), carries


def count(m: Module, lanes: list[Operand], every: int) -> list[Operand]:
    """:func:`..fabric.tree.count_tree` of lanes: the first level is the LUTs' part."""
    one, twos = _front(m, lanes, _FAST_RUN if every == 1 else _RUN)
    if not twos:
        return [Operand.bit(one)]
    early = 1 if every == 1 else 0
    lanes = [registered(m, Operand.bit(bit), early, "level_1") for bit in twos]
    latency = tree_levels(2 * len(twos)) // every if every else 0
    low = registered(m, Operand.bit(one), latency, "level_1_late")
    return [low, *CHAINS.count(m, lanes, every, first_level=2)]


CHAINS = Chains(emit=emit, slots=64, fast_slots=40, absorbs=0)
FABRIC = Fabric(name="ice40", library="+/ice40/cells_sim.v", count=count, chains=CHAINS)
