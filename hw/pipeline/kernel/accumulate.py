"""Sums of codes whose digits come one after another, the highest first.

    acc = acc 2^d + X_j,  j = 0..D - 1

An output that is twice its rows less the sum of all inputs, ``2 X - U``, begins with ``-ceil(U / 2)`` where
the accumulator is empty: its high bits with the first digit, d bits more with each later one, in places that
the shift leaves free. U has to be known by then, so rows wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Signal, Value

from ...fabric.tree import ZERO, Operand
from .combine import Sums, Term
from .word import Bit, Word, made

_OR = 0b1110


class Accumulation:
    """Accumulators of a kernel whose codes have `steps` digits of `digit_bits` bits.

    first: with the first digit of a code; the others follow it without a gap. bits: of the sums that leave.
    """

    def __init__(self, sums: Sums, first: Value, steps: int, digit_bits: int, bits: int) -> None:
        self._sums, self._m = sums, sums.m
        self._first = Bit(self._m, first, 0, "first", reset_less=False)
        self._steps, self._digit, self._bits = steps, digit_bits, bits

    def _any(self, stages: Sequence[int]) -> Value:
        """Whether the first digit of a code came so many cycles ago."""
        return reduce(or_, (self._first.at(stage) for stage in stages))

    def _keeps(self, stage: int) -> Value:
        """Whether a digit of this stage is one that others follow."""
        return self._any(range(stage, stage + self._steps - 1))

    def _is_last(self, stage: int) -> Value:
        return self._first.at(stage + self._steps - 1)

    def plain(self, terms: Sequence[tuple[Term, int]]) -> tuple[list[Word], int]:
        """Words of the accumulated terms, each with the tag of its additions, and their stage, from a code's
        last digit on."""
        stage = max(self._sums.levels.registered(term.level) for term, _ in terms)
        free: list[Operand] = [ZERO] * self._bits
        words = [self._accumulator(term, tag, stage, free, None, self._bits) for term, tag in terms]
        return words, stage + 1

    def less_total(
        self, terms: Sequence[tuple[Term, int]], total: Term, factor: int, bound: int
    ) -> tuple[list[Word], int]:
        """Words of ``2 X - factor * total``, and their stage; `bound` is the largest accumulated total."""
        levels, late = self._sums.levels, self._steps + 1 + (factor > 1)
        rows = max(levels.registered(term.level) for term, _ in terms)
        stage = max(rows, levels.registered(total.level) + late)
        whole = self._whole(total, stage - late, bound)
        if factor > 1:
            product = Signal((bound * factor).bit_length(), name="total", reset_less=True)
            self._m.d.sync += product.eq(whole * (factor + 1) - whole)
            whole = product
        size = self._bits - 1
        start, carry = self._begin(whole, stage, size)
        lowest, kept = Signal(name="lowest", reset_less=True), Signal(name="lowest_kept", reset_less=True)
        self._m.d.sync += lowest.eq(whole[0])
        with self._m.If(self._is_last(stage)):
            self._m.d.sync += kept.eq(lowest)
        under = Bit(self._m, kept, stage + 1, "lowest_kept")
        words = []
        for term, tag in terms:
            word = self._accumulator(term, tag, stage, start, carry, size)
            words.append(Word([under, *word.bits], -1, 1))
        return words, stage + 1

    def _whole(self, total: Term, stage: int, bound: int) -> Value:
        """The total of a code, from the cycle behind its last digit's on until the next one's."""
        size, digit = bound.bit_length(), self._digit
        before = Signal(size, name="total_before")
        whole = Signal(size, name="total_whole", reset_less=True)
        shifted = [ZERO] * digit + [Operand.bit(bit) for bit in before[: size - digit]]
        bits = self._sums.adders.add(
            self._sums.levels.first(stage),
            total.word.operands(stage, size),
            shifted[:size],
            bits=size,
            modular=True,
        )
        self._m.d.sync += before.eq(0)
        with self._m.If(self._keeps(stage)):
            self._m.d.sync += before.eq(Cat(bits))
        with self._m.If(self._is_last(stage)):
            self._m.d.sync += whole.eq(Cat(bits))
        return whole

    def _begin(self, whole: Value, stage: int, size: int) -> tuple[list[Operand], Operand]:
        """What accumulators of `size` bits add beside their terms to begin with ``-ceil(whole / 2)``: bits by
        weight, and the carry-in with the last digit. Out of registers, one cycle early."""

        def minus(place: int) -> Value:
            return ~whole[place + 1] if place + 1 < len(whole) else Const(1, 1)

        steps, digit = self._steps, self._digit
        top = digit * (steps - 1)
        bits = []
        for place in range(size):
            value = self._first.at(stage - 1) & minus(top + place)
            if place < digit:
                later = (
                    self._first.at(stage - 1 + step) & minus(top - digit * step + place)
                    for step in range(1, steps)
                )
                value = reduce(or_, later, value)
            register = Signal(name="begin", reset_less=True)
            self._m.d.sync += register.eq(value)
            bits.append(Operand.bit(register))
        carry = Signal(name="begin_carry", reset_less=True)
        self._m.d.sync += carry.eq(self._is_last(stage - 1) & ~whole[0])
        return bits, Operand.bit(carry)

    def _accumulator(
        self, term: Term, tag: int, stage: int, start: Sequence[Operand], carry: Operand | None, size: int
    ) -> Word:
        m: Module = self._m
        acc, total = Signal(size, name="acc"), Signal(size, name="total", reset_less=True)
        beside = []
        for place, begin in enumerate(start[:size]):
            if place < self._digit:
                beside.append(begin)
            elif begin is ZERO:
                beside.append(Operand.bit(acc[place - self._digit]))
            else:
                beside.append(Operand((acc[place - self._digit], *begin.pins), _OR))
        bits = self._sums.adders.add(
            self._sums.levels.first(stage),
            beside,
            term.word.operands(stage, size),
            bits=size,
            carry=carry,
            tag=tag,
            modular=True,
        )
        m.d.sync += acc.eq(0)
        with m.If(self._keeps(stage)):
            m.d.sync += acc.eq(Cat(bits))
        with m.If(self._is_last(stage)):
            m.d.sync += total.eq(Cat(bits))
        return Word(made(m, list(total), stage + 1, "total"), -1, 1)
