# amaranth: UnusedElaboratable=no
"""A layer's sums over a window, of constant weights, as additions of whole codes.

    S_o = sum_k v[o, k] a[k]

That is for weights of many bits: what their products have in common, they share. Digits of codes would each
need sums of their own.
"""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
from amaranth import Cat, Const, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...fabric.families import find_fabric
from ...fabric.tree import ZERO, Operand
from ..sums.word_search import WordSums, find_word_sums
from ..sums.words import Term
from .adders import Adders
from .kernel import KernelOptions
from .tree import Levels
from .word import Bit, Word, bits_for, made

_ONE = Operand((), 1)
# Signed digits of which a pass of the search takes seconds.
_MOST_DIGITS = 10_000


def fits_words(values: np.ndarray, a_bits: int) -> bool:
    """Whether sums of weights may be smaller with whole codes, and take seconds to search: of codes of one or
    two bits, chains absorb what odd weights need."""
    sizes = np.abs(values.astype(np.int64))
    # A signed digit is where a number and its triple differ.
    digits = int(np.bitwise_count(sizes ^ 3 * sizes).sum())
    return digits <= _MOST_DIGITS and (a_bits > 2 or not (values & 1).all())


class WordKernel(wiring.Component):
    """The sums of a layer's outputs.

    values: int (outputs, inputs); a_bits: bits of the unsigned codes; options: its `absorbs`, `every`,
    `evaluations` and `seed`; offsets: int (outputs,), what sums are to be greater by where that matters.
    Ports: `x`, the codes, the first input's lowest; `y`, the sums, greater by :attr:`offsets`, two's
    complement of :attr:`sum_bits` each, :attr:`latency` cycles later.
    """

    # A slot takes a cycle, in which whole codes come.
    steps = digits = 1

    def __init__(
        self, values: np.ndarray, a_bits: int, options: KernelOptions, offsets: np.ndarray | None = None
    ) -> None:
        self.values, self.a_bits, self.options = np.asarray(values, np.int64), a_bits, options
        largest = (1 << a_bits) - 1
        low = largest * np.minimum(self.values, 0).sum(axis=1)
        high = largest * np.maximum(self.values, 0).sum(axis=1)

        def width() -> int:
            return bits_for(min(-1, int((low + self.offsets).min())), int((high + self.offsets).max()))

        def found(constant_bits: int = 0) -> WordSums:
            return find_word_sums(self.values, a_bits, options.evaluations, options.seed, constant_bits)

        if offsets is None:
            self.sums = found()
            self.offsets = np.array([self._constant(root) for root in self.sums.roots])
            self.sum_bits = width()
        else:
            self.offsets = offsets
            self.sum_bits = width()
            self.sums = found(self.sum_bits)
        outputs, inputs = self.values.shape
        super().__init__({"x": In(inputs * a_bits), "y": Out(outputs * self.sum_bits)})

    @property
    def negated(self) -> np.ndarray:
        """bool (outputs,): none leaves as -S."""
        return np.zeros(len(self.values), bool)

    def _constant(self, root: Term | None) -> int:
        """What the word of an output is greater by, apart from a constant of its own."""
        if root is None:
            return 0
        span = self.sums.graph.spans[root.number]
        return ((1 << span.bits) - 1 - span.offset if root.minus else span.offset) << root.shift

    def estimate(self) -> int:
        """Cells of all additions in carry chains."""
        return self.sums.cells

    @cached_property
    def latency(self) -> int:
        """Cycles from codes to their sums."""
        return max(1, Levels(self.options.every).registered(self.sums.level))

    def elaborate(self, platform: Any) -> Module:
        m, levels, size = Module(), Levels(self.options.every), self.sum_bits
        adders = Adders(m)
        words = self._words(m, adders, levels)
        for output, root in enumerate(self.sums.roots):
            operands = self._root(m, words, root).operands(self.latency, size)
            value = Cat(operand.value() for operand in operands)
            m.d.comb += self.y[output * size : (output + 1) * size].eq(value)
        fabric = find_fabric(platform)
        adders.describe(fabric.chains if fabric and self.options.absorbs else None)
        return m

    def _root(self, m: Module, words: dict[int, Word], root: Term | None) -> Word:
        """The word of an output."""
        if root is None:
            return Word(_zero_bits(m, 1), 0, 0)
        word = words[root.number]
        own = _inverted(m, word.bits) if root.minus else word.bits
        return Word(_zero_bits(m, root.shift) + own, 0, word.high << root.shift)

    def _words(self, m: Module, adders: Adders, levels: Levels) -> dict[int, Word]:
        """Of all leaves, and of the nodes that outputs need."""
        graph, size = self.sums.graph, self.a_bits
        words = {
            leaf: Word(made(m, list(self.x[leaf * size : (leaf + 1) * size]), 0, "x"), 0, (1 << size) - 1)
            for leaf in range(graph.inputs)
        }
        words |= {
            leaf: _constant_word(m, self._added(leaf - graph.inputs), self.sum_bits)
            for leaf in range(graph.inputs, graph.leaves)
        }
        tags = self._tags()
        for number in graph.live(self.sums.roots):
            node, span = graph.node(number), graph.spans[number]
            x, y = words[node.x], words[node.y]
            low = x.bits[: node.shift]
            low += _zero_bits(m, node.shift - len(low))
            if graph.joins(node):
                above = _inverted(m, y.bits) if node.minus else y.bits
            else:
                high = Word(x.bits[node.shift :], 0, x.high >> node.shift)
                above = self._sum(m, adders, levels, number, high, y, tags[number])
            words[number] = Word(low + above, 0, span.high)
        return words

    def _added(self, output: int) -> int:
        """The constant of an output, modulo 2^sum_bits."""
        root = self.sums.roots[output]
        added = int(self.offsets[output]) - self._constant(root)
        return added % (1 << self.sum_bits)

    def _sum(
        self, m: Module, adders: Adders, levels: Levels, number: int, x: Word, y: Word, tag: int
    ) -> list[Bit]:
        """Bits of the addition of a node."""
        graph = self.sums.graph
        node, span = graph.node(number), graph.spans[number]
        stage, (size, _) = levels.stage(span.level), graph.adder_bits(node)
        own, other = x.operands(stage, size), y.operands(stage, size)
        free: list[Operand] = []
        if node.minus:
            # Zeros above a word stay so.
            other = [~operand for operand in other[: len(y.bits)]] + other[len(y.bits) :]
        else:
            # Lowest bits that one of them has alone, as a constant has them.
            places = takewhile(lambda pair: ZERO in pair, zip(own, other, strict=True))
            free = [a if b == ZERO else b for a, b in places]
        count = len(free)
        bits = adders.add(
            span.level,
            own[count:],
            other[count:],
            bits=max(size, span.bits - node.shift) - count,
            carry=_ONE if node.minus else None,
            tag=tag,
            modular=span.modular,
        )
        return made(m, [operand.value() for operand in free] + bits, stage, f"level_{span.level}")

    def _tags(self) -> dict[int, int]:
        """The output that needs a node first."""
        tags: dict[int, int] = {}
        for output, root in enumerate(self.sums.roots):
            for number in self.sums.graph.live([root]):
                tags.setdefault(number, output)
        return tags


def _zero_bits(m: Module, count: int) -> list[Bit]:
    """Bits that are 0."""
    return made(m, [Const(0, 1)] * count, 0, "zero")


def _inverted(m: Module, bits: list[Bit]) -> list[Bit]:
    """The complements of bits."""
    return [Bit(m, ~bit.at(bit.stage), bit.stage, "inverted") for bit in bits]


def _constant_word(m: Module, number: int, size: int) -> Word:
    """A number as a word of `size` bits."""
    return Word(made(m, [Const(number >> place & 1, 1) for place in range(size)], 0, "constant"), 0, number)
