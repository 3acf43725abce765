"""Additions of a kernel, collected level by level, in the fabric's carry chains or as plain sums.

Many additions share a chain, as long as their level is the same: the slot that hands in one's carry reads the
carry of the one before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from amaranth import Cat, Module, Signal, Value

from ...fabric.chains import Chains, Slot
from ...fabric.tree import ZERO, Operand

_SLOTS = 40  # of a chain: longer ones are hard to place


@dataclass(frozen=True, eq=False)
class Addition:
    """``out = x + y + carry``, operands by weight; `out` may have a bit more than they, the carry.

    modular: the carry out of the highest bit may be 1 and is dropped.
    """

    x: list[Operand]
    y: list[Operand]
    carry: Operand | None
    out: Signal
    modular: bool

    @property
    def reads(self) -> bool:
        """Whether its carry out is read."""
        return len(self.out) > len(self.x)

    @property
    def open(self) -> bool:
        """Whether a carry may leave its highest bit."""
        return self.reads or self.modular


class Adders:
    """Collects the additions of `m`, and describes them when all are known (:meth:`describe`)."""

    def __init__(self, m: Module) -> None:
        self._m = m
        self._levels: defaultdict[int, defaultdict[int, list[Addition]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def add(
        self,
        level: int,
        x: Sequence[Operand],
        y: Sequence[Operand],
        *,
        bits: int,
        carry: Operand | None = None,
        tag: int = 0,
        modular: bool = False,
    ) -> list[Value]:
        """The lowest `bits` of ``x + y + carry``, operands of `bits` or one less.

        level: additions of one share chains, first those of one `tag`. modular: the sum may need more bits.
        """
        if len(x) != len(y) or not len(x) <= bits <= len(x) + 1:
            raise ValueError(f"{bits} bits of operands of {len(x)} and {len(y)}")
        total = Signal(bits, name=f"sum_{level}")
        self._levels[level][tag].append(Addition(list(x), list(y), carry, total, modular))
        return list(total)

    def describe(self, chains: Chains | None) -> None:
        """Adds everything to the module, in `chains` or as plain sums."""
        for level, tags in sorted(self._levels.items()):
            if chains is None:
                for additions in tags.values():
                    for addition in additions:
                        self._m.d.comb += addition.out.eq(_plain(addition))
                continue
            ordered = (addition for _, additions in sorted(tags.items()) for addition in _ordered(additions))
            for number, slots in enumerate(_chains_of(ordered)):
                chains.emit(self._m, slots, f"chain_{level}_{number}")


def _plain(addition: Addition) -> Value:
    words = [Cat(operand.value() for operand in word) for word in (addition.x, addition.y)]
    total = words[0] + words[1]
    return total if addition.carry is None else total + addition.carry.value()


def _ordered(additions: Sequence[Addition]) -> Iterator[Addition]:
    """Those that take a carry behind those whose carry is open, as far as there are such."""
    pools: dict[tuple[bool, bool], list[Addition]] = {
        (opened, takes): [] for opened in (False, True) for takes in (False, True)
    }
    for addition in additions:
        pools[addition.open, addition.carry is not None].append(addition)
    pending = True  # a chain begins with a slot that hands in a carry
    for _ in additions:
        if not pending:
            wanted = [(False, False), (True, False), (True, True), (False, True)]
        elif len(pools[False, True]) > len(pools[True, False]):
            wanted = [(False, True), (True, True), (True, False), (False, False)]
        else:
            wanted = [(True, True), (False, True), (True, False), (False, False)]
        key = next(key for key in wanted if pools[key])
        pending = key[0]
        yield pools[key].pop()


def _chains_of(additions: Iterator[Addition]) -> Iterator[list[Slot]]:
    """Slots chain by chain."""
    slots: list[Slot] = []
    before: Addition | None = None
    for addition in additions:
        needed = len(addition.x) + 2
        if slots and len(slots) + needed > _SLOTS:
            yield slots + _end(before)
            slots, before = [], None
        # Without a carry in front and with none to hand in, additions follow each other.
        if before is None or before.open or addition.carry is not None:
            slots.append(Slot(addition.carry or ZERO, ZERO, _carry_of(before), inject=True))
        slots += [
            Slot(x, y, addition.out[place])
            for place, (x, y) in enumerate(zip(addition.x, addition.y, strict=True))
        ]
        before = addition
    if slots:
        yield slots + _end(before)


def _carry_of(addition: Addition | None) -> Value | None:
    return addition.out[-1] if addition is not None and addition.reads else None


def _end(addition: Addition | None) -> list[Slot]:
    carry = _carry_of(addition)
    return [] if carry is None else [Slot(ZERO, ZERO, carry, inject=True)]
