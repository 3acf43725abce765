# amaranth: UnusedElaboratable=no
"""A dot unit is its recurrence, whatever its steps: for ever, by induction over the cycles."""

import pytest
from amaranth import Const, Mux, Signal

from dorefa.hw.arith.dot import DotUnit, dot_latency
from dorefa.hw.lib.delay import delayed

from ...mutants import mutant
from ...proofs import Bench, Refuted, prove

# Popcounts of any length have proofs of their own.
LANES, ACC_BITS = 5, 6


def steps(*, of=DotUnit, structure="compress", pipeline="none", xnor=False, signed_planes=False):
    """(bench, depth): each sum against the one before, the step, and the count that belongs to it."""
    dut = of(
        lanes=LANES,
        acc_bits=ACC_BITS,
        structure=structure,
        pipeline=pipeline,
        xnor=xnor,
        signed_planes=signed_planes,
    )
    bench, latency = Bench(dut=dut), dot_latency(lanes=LANES, structure=structure, pipeline=pipeline)
    m, step, count = bench.m, bench.past(dut.step), Signal(range(LANES + 1))
    products = [~(a ^ w) if xnor else a & w for a, w in zip(dut.a, dut.w, strict=True)]
    m.d.comb += count.eq(sum(products))
    counted = delayed(m, count, latency, "counted")
    enable, clear, shift, negate = step
    before = bench.past(dut.acc).as_signed()
    base = Mux(clear, 0, Mux(shift, before << 1, before))
    total = Mux(negate & int(signed_planes), base - counted, base + counted)[:ACC_BITS]
    begun = delayed(m, Const(1, 1), latency, "begun")
    bench.always("a step", ~(begun & enable) | (dut.acc.as_unsigned() == total))
    bench.always("no step", ~begun | enable | (dut.acc == before))
    bench.cover("a shift behind a sum", begun & enable & shift & ~clear & (before == 3) & (counted == LANES))
    return bench, latency + 1


@pytest.mark.parametrize(
    "kind",
    [
        {"signed_planes": True},
        {"structure": "mapped", "xnor": True},
        {"structure": "mapped", "pipeline": "level", "signed_planes": True},
    ],
)
def test_every_step_is_the_recurrence(kind, tmp_path):
    bench, depth = steps(**kind)
    prove(bench, tmp_path, depth=depth)


@pytest.mark.parametrize(
    "place, planted, found",
    [
        ("self.acc << 1, self.acc", "self.acc, self.acc", "a step"),
        ("self.step.clear, 0,", "self.step.clear, 1,", "a step"),
    ],
)
def test_planted_faults_are_found(place, planted, found, tmp_path):
    bench, depth = steps(of=mutant(DotUnit, place, planted))
    with pytest.raises(Refuted, match=found):
        prove(bench, tmp_path, depth=depth)
