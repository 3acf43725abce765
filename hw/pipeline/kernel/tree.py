"""The additions of a graph of sums."""

from __future__ import annotations

from amaranth import Module

from ...fabric.tree import ZERO, Operand
from ..sums.graph import Operand as Term
from ..sums.search import RowSums
from .adders import Adders
from .word import Word, made


class Levels:
    """Which stage of registers the inputs of a level of additions are of: `every` levels a register, at
    least 1."""

    def __init__(self, every: int) -> None:
        self.every = every

    def stage(self, level: int) -> int:
        """The stage of the inputs of a level, 1 and upwards."""
        return (level - 1) // self.every

    def registered(self, level: int) -> int:
        """The first stage at which what a level makes comes from registers."""
        return -(-level // self.every)

    def first(self, stage: int) -> int:
        """The first level whose inputs are of a stage."""
        return stage * self.every + 1


def add_sums(
    m: Module, adders: Adders, sums: RowSums, leaves: list[Word], levels: Levels, tag: int
) -> tuple[dict[int, Word], dict[int, int]]:
    """Words of all nodes and leaves that the roots of `sums` need, and their levels, 0 of leaves.

    leaves: words of stage 0; tag: of the first group's additions, the others' are the next ones.
    """
    graph = sums.graph
    words = dict(enumerate(leaves))
    depths = graph.levels([*sums.roots, sums.total])
    tags = _tags(sums)
    for number, level in sorted(depths.items(), key=lambda item: (item[1], item[0])):
        node, stage, size = graph.node(number), levels.stage(level), graph.adder_bits(number)

        def operands(term: Term, stage: int = stage, size: int = size) -> list[Operand]:
            if isinstance(term, tuple):
                return _pair(*(words[leaf] for leaf in term), stage=stage, size=size)
            return words[term].operands(stage, size)

        carry = None
        if node.carry is not None:
            carry = Operand.bit(words[node.carry].bits[0].at(stage))
        elif graph.takes_carry(number) and isinstance(node.y, tuple):
            carry = Operand.bit(words[node.y[0]].bits[0].at(stage))
        bits = adders.add(
            level,
            operands(node.x),
            operands(node.y),
            bits=graph.width(number),
            carry=carry,
            tag=tag + tags[number],
        )
        words[number] = Word(made(m, bits, stage, f"level_{level}"), 0, graph.bounds[number])
    return words, depths


def _pair(a: Word, b: Word, *, stage: int, size: int) -> list[Operand]:
    """Two leaves as one operand: of one bit their sum, of two bits their sum without the carry-in ``a0``."""
    pins = (a.bits[-1].at(stage), b.bits[-1].at(stage))
    bits = [Operand(pins, 0b0110), Operand(pins, 0b1000)]
    if len(b.bits) == 2:
        bits.insert(0, Operand.bit(b.bits[0].at(stage)))
    return bits + [ZERO] * (size - len(bits))


def _tags(sums: RowSums) -> dict[int, int]:
    """The group of rows that needs a node first."""
    tags: dict[int, int] = {}
    for number, group in enumerate(sums.groups):
        roots = [sums.roots[row] for row in group]
        if number == len(sums.groups) - 1:
            roots.append(sums.total)
        for node in sums.graph.live(roots):
            tags.setdefault(node, number)
    return tags
