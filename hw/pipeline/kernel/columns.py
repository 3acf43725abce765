"""Outputs as chains of registers along the columns of a window: a transposed filter.

    z_k(t) = z_(k-1)(t - d) + P_k(t)

P_k(t) is what the column that comes in slot t counts where it is column k of the window, d the dilation.
Where column k lies outside of the map a pixel of another row comes instead: P_k is masked. What is left is
what P_k is of pixels outside, so constants are the same with and without the mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from amaranth import Cat, Module, Mux, Signal, Value

from ...fabric.tree import ZERO, Operand
from ..sums.patterns import PatternSums, Signed, Span
from .adders import Adders
from .word import Word

_AND, _OR_NOT = 0b1000, 0b1011


@dataclass(frozen=True)
class Columns:
    """How the columns of a window come.

    gated: for each, whether it may lie outside of the map; dilation: slots from one to the next; outside: the
    code of pixels outside; clears: whether windows begin in front of the image, where no slot has been.
    """

    gated: Sequence[bool]
    dilation: int = 1
    outside: int = 0
    clears: bool = False


@dataclass(frozen=True)
class ColumnFlags:
    """Of the column that comes: `step`, whether one does; `clear`, between slots: the next one begins an
    image; `inside`, for each column of the window whether this one counts there."""

    step: Value
    clear: Value
    inside: Sequence[Value]


class Partial(NamedTuple):
    """A sum of columns: its bits, and what it is."""

    bits: list[Operand]
    span: Span

    def complement(self) -> Partial:
        """The negative sum."""
        return Partial([~bit for bit in self.bits], self.span.complement())


class ColumnChains:
    """Makes chains in `m`.

    sums, words: what a column sums to; stage: of these words and of `flags`, and of the inputs of `level`,
    which all additions are of.
    """

    def __init__(
        self,
        m: Module,
        adders: Adders,
        columns: Columns,
        flags: ColumnFlags,
        sums: PatternSums,
        words: Sequence[Word],
        *,
        level: int,
        stage: int,
    ) -> None:
        self._m, self._adders, self._columns, self._flags = m, adders, columns, flags
        self._sums, self._words, self._level, self._stage = sums, words, level, stage
        self._held: dict[tuple[int, int], Partial] = {}

    def output(self, terms: Sequence[Signed | None], tag: int) -> Partial:
        """The sum of a window's columns, a slot after the last one; tag: of its additions."""
        partial: Partial | None = None
        for column, term in enumerate(terms):
            if partial is not None:
                partial = self._later(partial, self._columns.dilation - 1)
            if term is None:
                partial = partial and self._later(partial, 1)
            elif partial is None:
                partial = self._first(term, column)
            else:
                partial = self._next(partial, term, column, tag)
        return partial or Partial([], Span(0, 0, 0, 0, 0))

    def _first(self, term: Signed, column: int) -> Partial:
        """The first column that counts. Outputs that begin alike share its registers."""
        gated = self._columns.gated[column]
        key = (term.number, column if gated else -1)
        if key not in self._held:
            span = self._sums.spans[term.number]
            bits = self._bits(term.number)
            if gated:
                inside = self._flags.inside[column]
                bits = [Mux(inside, bit, span.idle >> place & 1) for place, bit in enumerate(bits)]
            self._held[key] = self._registered(bits, span)
        held = self._held[key]
        return held.complement() if term.minus else held

    def _next(self, before: Partial, term: Signed, column: int, tag: int) -> Partial:
        """With another column."""
        span = self._sums.spans[term.number]
        bits = self._bits(term.number)
        own = Partial([Operand.bit(bit) for bit in bits], span)
        if self._columns.gated[column]:
            inside = self._flags.inside[column]
            tables = (_OR_NOT if span.idle >> place & 1 else _AND for place in range(span.bits))
            own = Partial(
                [Operand((bit, inside), table) for bit, table in zip(bits, tables, strict=True)], span
            )
        if term.minus:
            own = own.complement()
        total = before.span.plus(own.span)
        return self._registered(add_words(self._adders, self._level, before, own, tag), total)

    def _bits(self, number: int) -> list[Value]:
        return [bit.at(self._stage) for bit in self._words[number].bits]

    def _later(self, partial: Partial, slots: int) -> Partial:
        """So many slots later."""
        for _ in range(slots):
            partial = self._registered([bit.value() for bit in partial.bits], partial.span)
        return partial

    def _registered(self, bits: Sequence[Value], span: Span) -> Partial:
        """A slot later. Where no slot has been, all columns were outside."""
        flags, clears = self._flags, self._columns.clears
        register = Signal(len(bits), name="chain", init=span.idle if clears else 0, reset_less=not clears)
        with self._m.If(flags.step):
            self._m.d.sync += register.eq(Cat(bits))
        if clears:
            with self._m.If(flags.clear):
                self._m.d.sync += register.eq(span.idle)
        return Partial([Operand.bit(bit) for bit in register], span)


def add_words(adders: Adders, level: int, x: Partial, y: Partial, tag: int) -> list[Value]:
    """The sum of unsigned words, no bit wider than it may be."""
    size = max(len(x.bits), len(y.bits))
    operands = [word.bits + [ZERO] * (size - len(word.bits)) for word in (x, y)]
    return adders.add(level, *operands, bits=x.span.plus(y.span).bits, tag=tag)
