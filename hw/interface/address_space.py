"""Which addresses of the host port there are, and what may be done with them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Protocol

from amaranth import Const, Value

from ..config.engine import EngineConfig
from .memory_map import MemoryMap, Window
from .registers import REGISTER_BITS, engine_registers

# Registers that may be written at any time.
_FREE = ("control", "status", "interrupts")


class AddressSpace(Protocol):
    """What a bus must know of addresses; `address` is a word address, each answer one bit."""

    def exists(self, address: Value) -> Value:
        """Whether there is anything."""

    def readable(self, address: Value) -> Value:
        """Whether what is there can be read."""

    def writable(self, address: Value) -> Value:
        """Whether a write to what is there can have an effect."""

    def free(self, address: Value) -> Value:
        """Whether it may be written while an image is under way."""


class EngineSpace:
    """The :class:`AddressSpace` of an engine of `config`: its registers and, of its windows, the words that
    its memories have."""

    def __init__(self, config: EngineConfig) -> None:
        self._map = MemoryMap.of(config)
        self._registers = engine_registers(config)

    def exists(self, address: Value) -> Value:
        """See :class:`AddressSpace`."""
        registers = (register.address for register in self._registers.values())
        return _one_of([self._is_register(address, registers), *self._words(address)])

    def readable(self, address: Value) -> Value:
        """See :class:`AddressSpace`: registers but commands."""
        readable = (r.address for r in self._registers.values() if r.access != "wo")
        return self._is_register(address, readable)

    def writable(self, address: Value) -> Value:
        """See :class:`AddressSpace`: memories, and registers that the host sets."""
        written = (r.address for r in self._registers.values() if r.access != "ro")
        return _one_of([self._is_register(address, written), *self._words(address)])

    def free(self, address: Value) -> Value:
        """See :class:`AddressSpace`: what ends an image, and what is said of errors."""
        return self._is_register(
            address, (self._registers[name].address for name in _FREE if name in self._registers)
        )

    def _is_register(self, address: Value, numbers: Iterable[int]) -> Value:
        place = address[:REGISTER_BITS]
        return (address[REGISTER_BITS:] == 0) & _one_of([place == number for number in numbers])

    def _words(self, address: Value) -> list[Value]:
        """Whether it is a word of each window."""
        select = address[self._map.select_shift :]
        return [
            (select == window.select) & _has_word(window, address[: self._map.select_shift])
            for window in self._map.windows
        ]


def _has_word(window: Window, offset: Value) -> Value:
    """Whether `offset` within a window is a piece of a word of one of its memories."""
    piece_ends, depth_ends = window.piece_bits, window.piece_bits + window.depth_bits
    checks: list[Value] = [offset[window.offset_bits :] == 0]
    for part, count in (
        (offset[:piece_ends], window.pieces),
        (offset[piece_ends:depth_ends], window.depth),
        (offset[depth_ends : window.offset_bits], window.memories),
    ):
        if count < 1 << len(part):
            checks.append(part < count)
    result: Value = Const(1)
    for check in checks:
        result = result & check
    return result


def _one_of(cases: list[Value]) -> Value:
    return reduce(or_, cases, Const(0))
