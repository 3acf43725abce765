# amaranth: UnusedElaboratable=no
"""Popcounts are the plain sum of the products: as a whole where they are short, level by level where they are
long."""

import pytest
from amaranth import Cat, Const, Signal

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


def adders(entered, left):
    """What a level of compressors is to do, bit by bit: (worth of bits that entered, worth of those that
    left) of every full adder, and of the bits beside them. Every bit of `entered` and of `left` is in one
    pair, so that where all pairs are equal, the sums of all bits are."""
    pairs, places = [], dict.fromkeys(left, 0)
    for weight, bits in sorted(entered.items()):
        third, carries = len(bits) // 3, places.get(weight + 1, 0)
        for number in range(third):
            total = left[weight][places[weight] + number] + 2 * left[weight + 1][carries + number]
            pairs.append((sum(bits[part * third + number] for part in range(3)), total))
        places[weight] += third
        if third:
            places[weight + 1] += third
        for bit in bits[3 * third :]:
            pairs.append((bit, left[weight][places[weight]]))
            places[weight] += 1
    assert places == {weight: len(bits) for weight, bits in left.items()}
    return pairs


def levels(lanes, compress):
    """Every level of compressors by itself, for any bits that enter it, and the addition behind the last one:
    each keeps the sum of its bits by weight, so all of them together do."""
    bench = Bench()
    enters = {0: bench.free("products", lanes)}

    def cut(left):
        """A level's bits `left`; the next one gets others."""
        number = len(bench.properties)
        equal = [before == after for before, after in adders(enters, left)]
        bench.always(f"level {number}", Cat(equal).all())
        enters.clear()
        enters.update(
            {weight: bench.free(f"level_{number}_{weight}", len(bits)) for weight, bits in left.items()}
        )
        return list(enters.values())

    total = compress(enters[0], cut)
    bits = [(weight, bit) for weight, column in enters.items() for bit in column]
    bench.always("the sum", total == sum(bit << weight for weight, bit in bits))
    bench.cover("all of it", total == sum(1 << weight for weight, _ in bits))
    return bench


# The levels by their weights, where the popcount's own stages see values alone.
CUT = "stage(list(reduced.values()))", "stage(reduced)"


@pytest.mark.parametrize("lanes", [64, pytest.param(256, marks=pytest.mark.slow)])
def test_long_popcounts(lanes, tmp_path):
    prove(levels(lanes, mutant(popcount._compress, *CUT)), tmp_path)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("(a & b) | (c & (a ^ b))", "(a & b) | (c & (a & b))", "level"),
        ("return rows[0] + rows[1]", "return rows[0] | rows[1]", "the sum"),
    ],
)
def test_planted_faults_of_levels_are_found(place, planted, found, tmp_path):
    compress = mutant(popcount._compress, *CUT, (place, planted))
    with pytest.raises(Refuted, match=found):
        prove(levels(64, compress), tmp_path)


@pytest.mark.parametrize(
    "structure, lanes, place, planted",
    [
        ("compress", 8, "return rows[0] + rows[1]", "return rows[0] ^ rows[1]"),
        ("sum", 7, "terms[len(pairs) * 2 :]", "terms[len(pairs) * 2 + 1 :]"),
    ],
)
def test_planted_faults_are_found(structure, lanes, place, planted, tmp_path):
    bench, depth = count(lanes, of=mutant(AndPopcount, place, planted), structure=structure)
    with pytest.raises(Refuted, match="the sum"):
        prove(bench, tmp_path, depth=depth)
