# amaranth: UnusedElaboratable=no
"""Popcounts are the plain sum of the products: whole ones where they are short, level by level where they are long;
a dot unit is its recurrence."""

import pytest
from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from dorefa.hw.arith import popcount
from dorefa.hw.arith.popcount import AndPopcount, popcount_latency
from dorefa.hw.lib.delay import delayed

from ...mutants import mutant
from ...proofs import Bench, Refuted, prove


def count(lanes, *, of=AndPopcount, **kind):
    """(bench, depth): the ones among the products, as many cycles ago as the latency is."""
    dut = of(lanes=lanes, **kind)
    bench = Bench(dut=dut)
    xnor, latency = kind.pop("xnor", False), popcount_latency(lanes=lanes, **{"pipeline": "none"} | kind)
    products = [~(a ^ w) if xnor else a & w for a, w in zip(dut.a, dut.w, strict=True)]
    total = Signal(lanes.bit_length())
    bench.m.d.comb += total.eq(sum(products))
    begun = delayed(bench.m, Const(1, 1), latency, "begun")
    bench.always("the sum", ~begun | (dut.o == delayed(bench.m, total, latency, "total")))
    bench.cover("all lanes", begun & (dut.o == lanes))
    return bench, latency + 1


KINDS = [{"structure": structure} for structure in ("compress", "sum", "mapped")]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["structure"])
@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 12, pytest.param(20, marks=pytest.mark.slow)])
def test_short_popcounts(kind, lanes, tmp_path):
    bench, depth = count(lanes, xnor=lanes % 2 == 0, **kind)
    prove(bench, tmp_path, depth=depth)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["structure"])
def test_registers_between_levels(kind, tmp_path):
    bench, depth = count(7, pipeline="level", **kind)
    prove(bench, tmp_path, depth=depth)


class Level(wiring.Component):
    """One level of a compressor tree: `columns`, the bits of each weight."""

    def __init__(self, columns):
        super().__init__({f"column_{weight}": In(len(bits)) for weight, bits in columns.items()})

    def elaborate(self, platform):
        return Module()
