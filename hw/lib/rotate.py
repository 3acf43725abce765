"""Barrel shifters."""

from __future__ import annotations

from amaranth import Module, Mux, Signal, Value


def turned_left(m: Module, value: Value, turn: Value, name: str, *, unit: int = 1) -> Value:
    """`value` rotated left by `turn` times `unit` places, in the same cycle: a level of two-way multiplexers
    for each bit of `turn`, named ``NAME_0``, ``NAME_1``, ..."""
    for level, turns in enumerate(turn):
        turned = Signal(len(value), name=f"{name}_{level}")
        m.d.comb += turned.eq(Mux(turns, value.rotate_left(unit << level), value))
        value = turned
    return value
