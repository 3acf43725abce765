# amaranth: UnusedElaboratable=no
"""Sums of products of the codes of a word with the weights of another, for many outputs at once."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...arith.popcount import AndPopcount, popcount_latency
from ...fabric.families import find_fabric
from ...fabric.tree import Operand
from ...lib.delay import delayed
from ..kernel.adders import Adders
from ..kernel.combine import Sums, Term
from ..kernel.tree import Levels
from ..kernel.word import Word, made
from .sizes import RomSizes


class _Built(NamedTuple):
    m: Module
    adders: Adders
    latency: int


class RomArray(wiring.Component):
    """``sum(q a)`` of `rows` outputs over the steps since one that is `first`, and ``sum(a)``.

    absorbs: as of :class:`..kernel.kernel.KernelOptions`. Ports: `codes`, `lanes` of a_bits each; `weights`,
    the planes of each row; `first`, of the same step; `sums`, sum_bits each, and `total`, :attr:`latency`
    cycles later.
    """

    def __init__(self, sizes: RomSizes, *, absorbs: bool) -> None:
        self._sizes, self._absorbs = sizes, absorbs
        super().__init__(
            {
                "codes": In(sizes.lanes * sizes.layer.a_bits),
                "weights": In(sizes.rows * sizes.weight_bits * sizes.lanes),
                "first": In(1),
                "sums": Out(sizes.rows * sizes.sum_bits),
                "total": Out(sizes.total_bits),
            }
        )

    @cached_property
    def latency(self) -> int:
        """Cycles from operands to sums."""
        return self._built().latency

    def elaborate(self, platform: Any) -> Module:
        built, fabric = self._built(), find_fabric(platform)
        built.adders.describe(fabric.chains if fabric and self._absorbs else None)
        return built.m

    def _built(self) -> _Built:
        m, sizes = Module(), self._sizes
        sums = Sums(m, adders := Adders(m), Levels(1))
        counted = popcount_latency(lanes=sizes.lanes, structure="mapped", pipeline="level")
        bits = sizes.layer.a_bits
        planes = [self.codes[plane::bits] for plane in range(bits)]
        terms = [self._term(sums, planes, self._weights(row), row) for row in range(sizes.rows)]
        outs = [Signal(sizes.sum_bits, name=f"sum_{row}", reset_less=True) for row in range(sizes.rows)]
        if sizes.low:
            # What has no weights is counted as if all were 1.
            terms.append(self._term(sums, planes, [Const(-1, sizes.lanes)], sizes.rows))
            outs.append(Signal(sizes.total_bits, name="total", reset_less=True))
            m.d.comb += self.total.eq(outs[-1])
        late = max(term.level for term in terms)
        keep = delayed(m, ~self.first, counted + late, "keep")
        for tag, (term, out) in enumerate(zip(terms, outs, strict=True)):
            before = [Operand((bit, keep), 0b1000) for bit in out]
            total = adders.add(late + 1, term.word.operands(late, len(out)), before, bits=len(out), tag=tag)
            m.d.sync += out.eq(Cat(total))
        m.d.comb += self.sums.eq(Cat(outs[: sizes.rows]))
        return _Built(m, adders, counted + late + 1)

    def _weights(self, row: int) -> list[Value]:
        """The planes of a row's weights."""
        lanes, count = self._sizes.lanes, self._sizes.weight_bits
        first = row * count * lanes
        return [self.weights[at : at + lanes] for at in range(first, first + count * lanes, lanes)]

    def _term(self, sums: Sums, planes: list[Value], weights: list[Value], row: int) -> Term:
        """The sum of a step's products: a count for each pair of planes."""
        lanes, terms = self._sizes.lanes, []
        for i, weight in enumerate(weights):
            for j, plane in enumerate(planes):
                count = AndPopcount(lanes=lanes, structure="mapped", pipeline="level")
                sums.m.submodules[f"count_{row}_{i}_{j}"] = count
                sums.m.d.comb += [count.a.eq(plane), count.w.eq(weight)]
                word = Word(made(sums.m, list(count.o), 0, "count"), 0, lanes)
                terms.append(Term(word, 0, shift=i + j))
        return sums.total(terms, row)
