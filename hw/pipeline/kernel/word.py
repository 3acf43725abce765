"""Bits that know how many registers stand behind them, and words of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from amaranth import Const, Module, Signal, Value

from ...fabric.tree import ZERO, Operand


class Bit:
    """A bit that is valid at a `stage`, and later as long as asked for: registers are made once."""

    def __init__(self, m: Module, value: Value, stage: int, name: str, *, reset_less: bool = True) -> None:
        self._m, self._name, self._reset_less = m, name, reset_less
        self.stage = stage
        self._later = [value]

    def at(self, stage: int) -> Value:
        """The bit of this stage's time. Not before its own. A constant has no time."""
        if isinstance(self._later[0], Const):
            return self._later[0]
        if stage < self.stage:
            raise ValueError(f"{self._name} is made at stage {self.stage}, and asked for at {stage}")
        while len(self._later) <= stage - self.stage:
            register = Signal(name=self._name, reset_less=self._reset_less)
            self._m.d.sync += register.eq(self._later[-1])
            self._later.append(register)
        return self._later[stage - self.stage]


class Word:
    """A number by its bits, the lowest first: unsigned, or two's complement with `signed`.

    low, high: bounds of the values.
    """

    def __init__(self, bits: Sequence[Bit], low: int, high: int) -> None:
        self.bits, self.low, self.high = list(bits), low, high

    @property
    def signed(self) -> bool:
        """Whether the highest bit counts negative."""
        return self.low < 0

    def operands(self, stage: int, size: int) -> list[Operand]:
        """The lowest `size` bits, the sign or zeros above them."""
        own = [_operand(bit.at(stage)) for bit in self.bits[:size]]
        above = own[-1] if self.signed and own else ZERO
        return own + [above] * (size - len(own))


def _operand(value: Value) -> Operand:
    """A bit as an operand."""
    return Operand((), value.value) if isinstance(value, Const) else Operand.bit(value)


def bits_for(low: int, high: int) -> int:
    """Bits of a word that holds low..high, two's complement where low is negative."""
    if low >= 0:
        return high.bit_length()
    return max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1


def made(m: Module, values: Iterable[Value], stage: int, name: str) -> list[Bit]:
    """Bits of values that are valid at a stage."""
    return [Bit(m, value, stage, name) for value in values]
