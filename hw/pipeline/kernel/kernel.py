# amaranth: UnusedElaboratable=no
"""A layer's sums over a window, of constant weights: all outputs of a pixel at once.

    S_o = sum_k v[o, k] a[k]

Codes come as digits of one or two bits. Either all digits of a code come in one cycle, and a pixel may come
every cycle; or one digit comes a cycle, the highest first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from amaranth import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError

from ...fabric.families import find_fabric
from ..sums.search import RowSearch, RowSums
from .accumulate import Accumulation
from .adders import Adders
from .combine import Sums, Term
from .rows import Part, WeightRows, weight_rows
from .tree import Levels, add_sums
from .word import Word, bits_for, made


@dataclass(frozen=True, kw_only=True)
class KernelOptions:
    """How a kernel is made.

    digit_bits: bits of a code that are added together, 1 or 2, or all of them where the fabric absorbs
    nothing; serial: whether a code's digits come one after another; absorbs: whether the fabric's chains take
    leaves beside what they add, see :class:`.SumGraph`; every: levels of additions a register; evaluations,
    seed: of the search; columns: whether a window comes column by column, whole codes in a cycle
    (:class:`.ColumnKernel`); words: whether whole codes are added (:class:`.WordKernel`).
    """

    digit_bits: int
    serial: bool
    absorbs: bool
    every: int = 1
    evaluations: int = 2000
    seed: int = 1
    columns: bool = False
    words: bool = False


class _Built(NamedTuple):
    m: Module
    adders: Adders
    words: list[Word]
    stage: int


class ConstantKernel(wiring.Component):
    """The sums of a layer's outputs.

    values: int (outputs, inputs); a_bits: bits of the unsigned codes; turns: whether outputs may leave
    negated (:attr:`negated`) where that is smaller. Ports: `x`, for every input the digits of a cycle, the
    first input's lowest; of serial kernels `first`, with the first digit of a code; `y`, the sums, two's
    complement of :attr:`sum_bits` each, :attr:`latency` cycles after a code's last digit.
    """

    def __init__(
        self, values: np.ndarray, a_bits: int, options: KernelOptions, *, turns: bool = True
    ) -> None:
        self.values, self.a_bits, self.options = np.asarray(values, np.int64), a_bits, options
        size = options.digit_bits
        if options.absorbs and size > 2:
            raise InputError(f"digit_bits is {size}; accepted where the fabric absorbs digits: 1, 2")
        digits = -(-a_bits // size)
        self.steps, self.digits = (digits, 1) if options.serial else (1, digits)
        self._turns = turns
        low, high = self.bounds
        self.sum_bits = bits_for(min(low, -1), high)
        ports = {"x": In(self.digits * size * self.values.shape[1])}
        if self.steps > 1:
            ports["first"] = In(1)
        super().__init__(ports | {"y": Out(self.sum_bits * len(self.values))})

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest of what leaves, over all codes: sums, and with `turns` what is negated."""
        largest = (1 << self.a_bits) - 1
        low = int(np.minimum(self.values, 0).sum(axis=1).min(initial=0)) * largest
        high = int(np.maximum(self.values, 0).sum(axis=1).max(initial=0)) * largest
        return (min(low, -high), max(high, -low)) if self._turns else (low, high)

    @cached_property
    def rows(self) -> WeightRows:
        """The weights as rows."""
        return weight_rows(self.values)

    @cached_property
    def sums(self) -> RowSums:
        """The graph of the rows' sums of one digit."""
        options, rows = self.options, self.rows
        search = RowSearch(
            rows.rows,
            options.digit_bits,
            options.absorbs,
            total=bool(rows.total),
            turns=self._turns and rows.total == 1,
        )
        return search.run(options.evaluations, options.seed)

    @cached_property
    def negated(self) -> np.ndarray:
        """bool (outputs,): which leave as -S."""
        if self.rows.total == 1:
            return self.sums.flipped
        pairs = zip(self.rows.positive, self.rows.negative, strict=True)
        turns = self._turns and not self.rows.total
        return np.array([turns and not own and bool(minus) for own, minus in pairs])

    @property
    def offsets(self) -> np.ndarray:
        """int (outputs,): what sums are greater by."""
        return np.zeros(len(self.values), np.int64)

    def estimate(self) -> int:
        """Cells of sums and accumulators, more or less."""
        rows = len(self.rows.rows) if self.rows.total != 1 else 0
        additions = len(self.values) + rows + (self.digits - 1) * max(rows, len(self.values))
        return self.digits * self.sums.cells + additions * self.sum_bits

    @cached_property
    def latency(self) -> int:
        """Cycles from a code's last digit to its sums."""
        return self._built().stage

    def elaborate(self, platform: Any) -> Module:
        built = self._built()
        fabric = find_fabric(platform)
        built.adders.describe(fabric.chains if fabric and self.options.absorbs else None)
        # All sums leave at the same time, out of registers.
        values = [
            Cat(operand.value() for operand in word.operands(built.stage, self.sum_bits))
            for word in built.words
        ]
        built.m.d.comb += self.y.eq(Cat(values))
        return built.m

    def _built(self) -> _Built:
        """Everything but the chains."""
        m, levels = Module(), Levels(self.options.every)
        sums = Sums(m, Adders(m), levels)
        rows, total = self._row_terms(sums)
        tags = self._tags()
        if self.steps == 1:
            terms = [self._whole(sums, output, rows, total, tags[output]) for output in range(len(tags))]
            stage = max(levels.registered(term.level) for term in terms)
            return _Built(m, sums.adders, [term.word for term in terms], max(1, stage))
        accumulation = Accumulation(sums, self.first, self.steps, self.options.digit_bits, self.sum_bits)
        if total is None:
            signed = [self._difference(sums, output, rows, tags[output]) for output in range(len(tags))]
            words, stage = accumulation.plain(list(zip(signed, tags, strict=True)))
        else:
            own = [sums.total(self._parts(output, rows)[0], tags[output]) for output in range(len(tags))]
            bound = self.values.shape[1] * ((1 << self.a_bits) - 1)
            words, stage = accumulation.less_total(
                list(zip(own, tags, strict=True)), total, self.rows.total, bound
            )
        return _Built(m, sums.adders, words, stage)

    def _row_terms(self, sums: Sums) -> tuple[list[list[Term]], Term | None]:
        """Per row its sum as terms, one for each digit that comes in the same cycle; the same of all inputs,
        as one term."""
        digits = [self._digit_terms(sums, digit) for digit in range(self.digits)]
        rows = [list(terms) for terms in zip(*(own for own, _ in digits), strict=True)]
        if not self.rows.total:
            return rows or [[] for _ in self.sums.roots], None
        return rows, sums.total([total for _, total in digits], 0)

    def _digit_terms(self, sums: Sums, digit: int) -> tuple[list[Term], Term]:
        """The sums of a digit: of every row, and of all inputs."""
        size, leaves = self.options.digit_bits, []
        for leaf in range(self.values.shape[1]):
            start = size * (leaf * self.digits + digit)
            bits = made(sums.m, list(self.x[start : start + size]), 0, f"x_{leaf}")
            leaves.append(Word(bits, 0, (1 << size) - 1))
        tag = digit * len(self.sums.groups)
        words, depths = add_sums(sums.m, sums.adders, self.sums, leaves, sums.levels, tag)

        def term(root: int | None) -> Term:
            if root is None:
                return Term(Word([], 0, 0), 0)
            return Term(words[root], depths.get(root, 0), size * digit)

        return [term(root) for root in self.sums.roots], term(self.sums.total)

    def _tags(self) -> list[int]:
        """The group of each output's first row, for its further additions."""
        groups = {row: number for number, group in enumerate(self.sums.groups) for row in group}
        sides = zip(self.rows.positive, self.rows.negative, strict=True)
        return [groups[(own or minus)[0].row] if own or minus else 0 for own, minus in sides]

    def _parts(self, output: int, rows: list[list[Term]]) -> tuple[list[Term], list[Term]]:
        """What is added for an output and what is subtracted."""

        def shifted(parts: list[Part]) -> list[Term]:
            return [replace(term, shift=term.shift + part.shift) for part in parts for term in rows[part.row]]

        own, minus = shifted(self.rows.positive[output]), shifted(self.rows.negative[output])
        return (minus, own) if self.negated[output] and not self.rows.total else (own, minus)

    def _difference(self, sums: Sums, output: int, rows: list[list[Term]], tag: int) -> Term:
        own, minus = (sums.total(parts, tag) for parts in self._parts(output, rows))
        if not minus.word.bits:
            return own
        low, high = -minus.word.high, own.word.high
        return sums.difference(own, minus, low, high, tag)

    def _whole(self, sums: Sums, output: int, rows: list[list[Term]], total: Term | None, tag: int) -> Term:
        """The sum of an output whose digits come together."""
        if total is None:
            return self._difference(sums, output, rows, tag)
        own = sums.total(self._parts(output, rows)[0], tag)
        return sums.less_half(own, self._multiple(sums, total), *self.bounds, tag)

    def _multiple(self, sums: Sums, total: Term) -> Term:
        """The total times 2^w - 1."""
        factor = self.rows.total
        if factor == 1:
            return total
        high = total.word.high * factor
        shifted = sums.total([replace(total, shift=factor.bit_length())], 0)
        return sums.difference(shifted, total, 0, high, 0)
