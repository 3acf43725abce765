"""Sums and differences of words, level by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth import Const, Module

from ...fabric.tree import Operand
from .adders import Adders
from .tree import Levels
from .word import Bit, Word, bits_for, made

_ONE = Operand((), 1)


@dataclass(frozen=True)
class Term:
    """``2^shift`` times a word whose last addition is on a level, 0 of inputs."""

    word: Word
    level: int
    shift: int = 0


class Sums:
    """Makes sums of words with `adders` in the module `m`."""

    def __init__(self, m: Module, adders: Adders, levels: Levels) -> None:
        self.m, self.adders, self.levels = m, adders, levels

    def zero(self, count: int) -> list[Bit]:
        """Bits that are 0."""
        return made(self.m, [Const(0, 1)] * count, 0, "zero")

    def total(self, terms: Sequence[Term], tag: int) -> Term:
        """The sum of unsigned terms, one of shift 0: neighbors by their shift are added, then their sums."""
        rest = sorted(terms, key=lambda term: term.shift)
        while len(rest) > 1:
            pairs = [self._sum(rest[at], rest[at + 1], tag) for at in range(0, len(rest) - 1, 2)]
            rest = pairs + rest[2 * len(pairs) :]
        if not rest:
            return Term(Word([], 0, 0), 0)
        (term,) = rest
        word = term.word
        bits = self.zero(term.shift) + word.bits
        return Term(Word(bits, word.low << term.shift, word.high << term.shift), term.level)

    def _sum(self, low: Term, high: Term, tag: int) -> Term:
        """Both, of the lower one's shift: its lowest bits are added to nothing."""
        passed = high.shift - low.shift
        own = low.word.bits[:passed]
        own += self.zero(passed - len(own))
        x = Word(low.word.bits[passed:], 0, low.word.high >> passed)
        bound = low.word.high + (high.word.high << passed)
        size = max(len(x.bits), len(high.word.bits))
        if not size:
            return Term(Word(own, 0, bound), max(low.level, high.level), low.shift)
        level = 1 + max(low.level, high.level)
        stage = self.levels.stage(level)
        bits = self.adders.add(
            level,
            high.word.operands(stage, size),
            x.operands(stage, size),
            bits=max(size, bound.bit_length() - passed),
            tag=tag,
        )
        word = Word(own + made(self.m, bits, stage, f"level_{level}"), 0, bound)
        return Term(word, level, low.shift)

    def difference(self, x: Term, y: Term, low: int, high: int, tag: int) -> Term:
        """``x - y``, known to be low..high."""
        level = 1 + max(x.level, y.level)
        stage, size = self.levels.stage(level), max(1, bits_for(low, high))
        minus = [~operand for operand in y.word.operands(stage, size)]
        bits = self.adders.add(
            level, x.word.operands(stage, size), minus, bits=size, carry=_ONE, tag=tag, modular=True
        )
        return Term(Word(made(self.m, bits, stage, f"level_{level}"), low, high), level)

    def less_half(self, x: Term, y: Term, low: int, high: int, tag: int) -> Term:
        """``2 x - y``, known to be low..high: half of y, rounded up, is subtracted, and its lowest bit put
        under the difference."""
        level = 1 + max(x.level, y.level)
        stage, size = self.levels.stage(level), max(1, bits_for(low, high) - 1)
        upper, lowest = halves(y.word, self.zero(1))
        minus = [~operand for operand in upper.operands(stage, size)]
        carry = Operand.bit(lowest.at(stage), inverted=True)
        bits = self.adders.add(
            level, x.word.operands(stage, size), minus, bits=size, carry=carry, tag=tag, modular=True
        )
        return Term(Word([lowest, *made(self.m, bits, stage, f"level_{level}")], low, high), level)


def halves(word: Word, zero: list[Bit]) -> tuple[Word, Bit]:
    """An unsigned word without its lowest bit, and this bit."""
    lowest, *upper = word.bits or zero
    return Word(upper, 0, word.high >> 1), lowest
