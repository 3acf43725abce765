"""Every weight is on its side of every threshold: a proof over the cycles of one weight."""

import pytest
from amaranth import Cat, Const, Mux, Signal, signed

from dorefa.hw.engine.training.weight_quantizer import WeightQuantizer

from ....mutants import mutant
from ....proofs import Bench, Refuted, prove

INFINITY = 0x7F800000
# Registers that are constant but for what they hold at first, and the memories that these do not address, go.
ALSO = ("opt -full",)
DRIVEN = ("measure", "w_bits", "w_en", "w_address", "w_data")


def weight(of=WeightQuantizer):
    """(bench, cycles): any weight that is a number against a threshold given by its order: one bit."""
    dut = of(lanes=1)
    bench = Bench(dut=dut, resets=False, driven=["dut.mark", *(f"dut.{name}" for name in DRIVEN)])
    m, cycle, word = bench.m, Signal(5, init=1), dut.words[0]
    written, threshold, order = bench.free("written", signed(32)), Signal(signed(32)), Signal(signed(32))
    comes, ends = cycle == 2, 2 + dut.latency
    m.d.sync += cycle.eq(cycle + 1)
    with m.If(cycle == 1):
        m.d.sync += threshold.eq(written)
    with m.If(comes):
        m.d.sync += order.eq(Mux(word[31], -word[:31], word[:31]))
    m.d.comb += [
        dut.mark.eq(Cat(comes, Const(7, 3))),
        Cat(dut.measure, dut.w_bits).eq(Cat(Const(0, 1), Const(1, 4))),
        Cat(dut.w_en, dut.w_address).eq(Cat(cycle == 1, Const(1, 8))),
        # As `weight_thresholds.threshold_words` writes it: -0 is below 0.
        dut.w_data.eq(Mux(written > 0, written, written - 1)),
    ]
    bench.assume(
        (written >= -INFINITY) & (written <= INFINITY),
        ~comes | (word[23:31] != 0xFF),
    )
    bench.always("a code comes", (cycle != ends) | dut.code_mark.valid)
    bench.always("its side", (cycle != ends) | (dut.codes[0] == (order >= threshold)))
    bench.cover("just below", (cycle == ends) & (order + 1 == threshold) & (threshold < 0))
    return bench, ends + 1


@pytest.mark.slow
@pytest.mark.sample
def test_every_weight_is_on_its_side(tmp_path):
    bench, cycles = weight()
    assert prove(bench, tmp_path, cycles=cycles, also=ALSO) == {"just below": cycles}


@pytest.mark.slow
@pytest.mark.sample
def test_a_planted_order_is_found(tmp_path):
    """Negative weights in the order of their patterns."""
    bench, cycles = weight(mutant(WeightQuantizer, "word ^ (word[-1].replicate(PATTERN_BITS - 1))", "word"))
    with pytest.raises(Refuted, match=f"its side: cycle {cycles}"):
        prove(bench, tmp_path, cycles=cycles, also=ALSO)
