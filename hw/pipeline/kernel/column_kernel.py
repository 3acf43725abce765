# amaranth: UnusedElaboratable=no
"""A layer's sums over a window of which a column of pixels comes a slot, for weights of -1, 0 and 1.

    S_o = sum_k P_ok,  P_ok = sum_i v[o, k, i] a[k, i]

All sums that any output needs of a column, wherever in its window, are made once, when the column comes;
each output then costs one addition for each column of its window (:class:`ColumnChains`). That is for codes
of many bits, whose digits would each need sums of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError

from ...fabric.families import find_fabric
from ..sums.patterns import PatternSums, Signed, Span
from .adders import Adders
from .columns import ColumnChains, ColumnFlags, Columns, Partial, add_words
from .kernel import KernelOptions
from .tree import Levels
from .word import Bit, Word, made

Terms = Sequence[Signed | None]


def fits_columns(values: np.ndarray) -> bool:
    """Whether a kernel of columns takes these weights."""
    return int(np.abs(values).max(initial=0)) <= 1


class _Built(NamedTuple):
    m: Module
    adders: Adders
    outputs: list[Partial]
    stage: int


class ColumnKernel(wiring.Component):
    """The sums of a layer's outputs.

    values: -1, 0 or 1 (outputs, columns, inputs of a column); a_bits: bits of the unsigned codes; options:
    its `absorbs` and `every`; columns: how they come; turns: whether outputs may leave negated
    (:attr:`negated`) where that is smaller. Ports: `x`, the codes of a column, the first input's lowest;
    `step`, `inside` and `clear`, as of :class:`ColumnFlags`, `inside` read where columns are gated; `y`, the
    sums, greater by :attr:`offsets`, two's complement of :attr:`sum_bits` each, :attr:`latency` cycles after
    the last column of a window, until the next column. Raises :class:`InputError` for other weights.
    """

    # A slot takes a cycle, in which whole codes come.
    steps = digits = 1

    def __init__(
        self,
        values: np.ndarray,
        a_bits: int,
        options: KernelOptions,
        columns: Columns,
        *,
        turns: bool = True,
    ) -> None:
        self.values, self.a_bits, self.options = np.asarray(values, np.int64), a_bits, options
        self._columns, self._turns = columns, turns
        if not fits_columns(self.values):
            raise InputError(f"weights up to {np.abs(values).max()}; accepted in columns: -1, 0 and 1")
        outputs, width, inputs = self.values.shape
        self.sums = PatternSums(inputs, a_bits, columns.outside)
        added = [[self.sums.add(pattern) for pattern in output] for output in self.values.tolist()]
        self._ways = [self._cheapest(terms) for terms in added]
        finals = [self._spans(terms)[-1] for _, terms in self._ways]
        self.sum_bits = max(1, *(span.bits for span in finals))
        self._constants = [span.offset - (1 << (self.sum_bits - 1)) for span in finals]
        flags = {"step": In(1), "clear": In(1), "inside": In(width)}
        super().__init__({"x": In(inputs * a_bits), "y": Out(outputs * self.sum_bits)} | flags)

    def _cheapest(self, terms: Terms) -> tuple[bool, Terms]:
        """Whether an output leaves negated, and what it adds."""
        negative = [term and Signed(term.number, not term.minus) for term in terms]
        ways: list[tuple[bool, Terms]] = [(False, terms), (True, negative)]
        return min(ways[: 1 + self._turns], key=lambda way: self._cells(way[1]))

    def _spans(self, terms: Terms) -> list[Span]:
        """What an output is after each of its columns that count."""
        spans = (self.sums.span(term) for term in terms if term is not None)
        return list(accumulate(spans, Span.plus)) or [Span(0, 0, 0, 0, 0)]

    def _cells(self, terms: Terms) -> int:
        """Of the additions: the first column is only held."""
        return sum(span.bits for span in self._spans(terms)[1:])

    @cached_property
    def negated(self) -> np.ndarray:
        """bool (outputs,): which leave as -S."""
        return np.array([turned for turned, _ in self._ways])

    @cached_property
    def offsets(self) -> np.ndarray:
        """int (outputs,): what sums are greater by, before they are negated."""
        return np.where(self.negated, -1, 1) * np.array(self._constants)

    def estimate(self) -> int:
        """Cells of all additions in carry chains."""
        return self.sums.cells + sum(self._cells(terms) for _, terms in self._ways)

    @cached_property
    def latency(self) -> int:
        """Cycles from the last column of a window to its sums."""
        return self._built().stage

    def elaborate(self, platform: Any) -> Module:
        built, size = self._built(), self.sum_bits
        fabric = find_fabric(platform)
        built.adders.describe(fabric.chains if fabric and self.options.absorbs else None)
        for number, output in enumerate(built.outputs):
            word = Cat(bit.value() for bit in output.bits)
            # Less half of what its bits can be, an unsigned word is two's complement.
            own = self.y[number * size : (number + 1) * size]
            built.m.d.comb += own.eq(word ^ (1 << (size - 1)))
        return built.m

    def _built(self) -> _Built:
        """Everything but the carry chains."""
        m, levels = Module(), Levels(self.options.every)
        adders = Adders(m)
        words = self._words(m, adders, levels)
        stage = levels.registered(max(self.sums.levels))

        def flag(name: str) -> list:
            bits = list(getattr(self, name))
            # Registers of slots that came before a reset must not move a chain.
            return [Bit(m, bit, 0, name, reset_less=False).at(stage) for bit in bits]

        (step,), (clear,), inside = map(flag, ("step", "clear", "inside"))
        chains = ColumnChains(
            m,
            adders,
            self._columns,
            ColumnFlags(step, clear, inside),
            self.sums,
            words,
            level=levels.first(stage),
            stage=stage,
        )
        outputs = [chains.output(terms, tag) for tag, (_, terms) in enumerate(self._ways)]
        return _Built(m, adders, outputs, stage + 1)

    def _words(self, m: Module, adders: Adders, levels: Levels) -> list[Word]:
        """Of all leaves and nodes of the sums."""
        sums, size = self.sums, self.a_bits
        words = [
            Word(made(m, list(self.x[at : at + size]), 0, "x"), 0, (1 << size) - 1)
            for at in range(0, len(self.x), size)
        ]
        for number, node in enumerate(sums.nodes, sums.leaves):
            level = sums.levels[number]
            stage = levels.stage(level)
            x, y = (
                Partial(words[term].operands(stage, sums.spans[term].bits), sums.spans[term])
                for term in (node.x, node.y)
            )
            total = add_words(adders, level, x, y.complement() if node.minus else y, 0)
            span = sums.spans[number]
            words.append(Word(made(m, total, stage, f"level_{level}"), span.low, span.high))
        return words
