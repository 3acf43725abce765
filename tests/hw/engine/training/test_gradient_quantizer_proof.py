"""No code of a gradient is too great, whatever word and noise: a proof over the cycles of one sample."""

import pytest
from amaranth import Cat, Mux, Signal

from dorefa.golden.quantizers.gradient import LARGEST_WORD, STEP, reciprocals
from dorefa.hw.engine.training.gradient_quantizer import GradientQuantizer

from ....proofs import Bench, Refuted, prove


def sample(k, bits, *, excess=0):
    """(bench, cycles): a sample whose greatest magnitude has the scale k is measured; its codes are in 0..n,
    n for `bits` bits. `excess` is added to the reciprocal of k."""
    dut = GradientQuantizer(lanes=1)
    driven = ["mark", "measure", "words", "g_bits", "w_en", "w_address", "w_data"]
    bench = Bench(dut=dut, resets=False, driven=[f"dut.{name}" for name in driven])
    word, cycle = bench.free("word", dut.words[0].shape()), Signal(5, init=1)
    greatest, starts = min(k * STEP, LARGEST_WORD), 3 + dut.scale_latency
    ends = starts + dut.latency
    comes = (cycle == 2) | (cycle == starts)
    bench.m.d.sync += cycle.eq(cycle + 1)
    bench.m.d.comb += [
        dut.measure.eq(cycle < starts),
        dut.words[0].eq(Mux(dut.measure, greatest, word)),
        Cat(dut.mark.valid, dut.mark.first, dut.mark.last).eq(comes.replicate(3)),
        dut.mark.count.eq(1),
        dut.w_en.eq(cycle == 1),
        dut.w_address.eq(k),
        dut.w_data.eq(int(reciprocals(bits)[k]) + excess),
        dut.g_bits.eq(bits),
    ]
    bench.assume((cycle != starts) | ((word >= -greatest) & (word <= greatest)))
    bench.always("the scale", (cycle != starts) | (dut.scale == k))
    bench.always("a code comes", (cycle != ends) | dut.code_mark.valid)
    bench.always("no code is too great", (cycle != ends) | (dut.codes[0] <= (1 << bits) - 1))
    bench.cover("the greatest code", (cycle == ends) & (dut.codes[0] == (1 << bits) - 1))
    bench.cover("the least code", (cycle == ends) & (dut.codes[0] == 0))
    return bench, ends + 1


@pytest.mark.parametrize(
    "k, bits",
    [
        (11, 7),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in [(1, 1), (3, 8), (10, 5), (15, 6), (16, 8)]
        ),
    ],
)
def test_no_code_is_too_great(k, bits, tmp_path):
    bench, cycles = sample(k, bits)
    assert set(prove(bench, tmp_path, cycles=cycles).values()) == {cycles}


def test_a_planted_reciprocal_is_found(tmp_path):
    """One more is below what the noise's last digit leaves free; two more are not."""
    bench, cycles = sample(1, 4, excess=2)
    with pytest.raises(Refuted, match=f"no code is too great: cycle {cycles}"):
        prove(bench, tmp_path, cycles=cycles)
