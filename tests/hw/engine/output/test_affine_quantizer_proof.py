# amaranth: UnusedElaboratable=no
"""The affine quantizer equals the thresholds of its staircase, whatever its parameters: for ever, by
induction over the cycles of the two pipelines."""

import pytest
from amaranth import Const, Signal, signed
from amaranth.lib import data

from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.engine.output.affine_quantizer import AffineQuantizer
from dorefa.hw.engine.output.threshold_quantizer import ThresholdQuantizer
from dorefa.hw.interface.parameters import affine_layout
from dorefa.hw.interface.quantizers import quantizer_of
from dorefa.hw.lib.delay import delayed

from ....mutants import mutant
from ....proofs import Bench, Refuted, prove

LATENCY = 6
# Two bits of code: a search of two stages, and both latencies are the same. Arithmetic is that of any width.
AFFINE = EngineConfig(
    lanes=8,
    rows=1,
    quant=1,
    fetch_bits=8,
    acc_bits=4,
    out_bits=2,
    a_bits=2,
    param_depth=2,
    quantizer="affine",
    mul_bits=2,
    bias_bits=5,
    shift_bits=1,
    encoding="any",
)


def step(parameters, value):
    """The staircase's step before it is clipped, as its definition says."""
    total = parameters.m * value + parameters.b
    shifted = total >> parameters.f
    exact = (shifted << parameters.f) == total
    return shifted - (parameters.tie & exact & shifted[0])


def quantizers(changes, affine=AffineQuantizer, thresholds=ThresholdQuantizer):
    """Both quantizers under the same values: any affine parameters of which every code is reached, and the
    thresholds T_1 to T_3 that belong to them: the least accumulators with these codes."""
    config = AFFINE.replace(**changes)
    search, acc = config.replace(quantizer="thresholds"), config.acc_bits
    least, greatest = -(1 << (acc - 1)), (1 << (acc - 1)) - 1
    first, second = affine(config), thresholds(search)
    bench = Bench(affine=first, thresholds=second, driven=["thresholds.values", "thresholds.param"])
    name = quantizer_of(config).memory_name(0, config)
    layout = affine_layout(config)
    parameters = data.View(layout, bench.net(f"affine.{name}[0]", layout.size))
    stages = [quantizer_of(search).memory_name(stage, search) for stage in range(2)]
    words = {2: bench.net(f"thresholds.{stages[0]}[0]", acc + 1)}
    words |= {
        1: bench.net(f"thresholds.{stages[1]}[0]", acc),
        3: bench.net(f"thresholds.{stages[1]}[1]", acc),
    }
    bench.m.d.comb += [second.values[0].eq(first.values[0]), second.param.eq(first.param)]
    bench.assume(
        (first.w_en == 0) & (second.w_en == 0) & (first.param == 0),
        (first.code_mask == 3) & (second.code_mask == 3),
        step(parameters, Const(greatest, signed(acc))) >= 3,
        words[2][acc] == parameters.invert,
    )
    for code, word in words.items():
        threshold = word[:acc].as_signed()
        below = Signal(signed(acc), name=f"below_{code}")
        bench.m.d.comb += below.eq(threshold - 1)
        bench.assume(
            step(parameters, threshold) >= code,
            (threshold == least) | (step(parameters, below) < code),
        )
    begun = delayed(bench.m, Const(1, 1), LATENCY, "begun")
    bench.always("the same code", ~begun | (first.codes[0] == second.codes[0]))
    apart = (words[1] != words[2][:acc]) & (words[2][:acc] != words[3])
    bench.cover("three thresholds", begun & (first.codes[0] == 1) & apart)
    return bench


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"acc_bits": 5, "mul_bits": 3, "bias_bits": 7, "shift_bits": 2}, marks=pytest.mark.slow),
    ],
)
def test_codes_are_the_same(changes, tmp_path):
    prove(quantizers(changes), tmp_path, depth=LATENCY + 1)


@pytest.mark.parametrize(
    "of, place, planted",
    [
        (AffineQuantizer, "shifted - (params[3].tie & exact & shifted[0])", "shifted"),
        pytest.param(
            ThresholdQuantizer, "threshold[top]) >= Cat(", "threshold[top]) > Cat(", marks=pytest.mark.slow
        ),
    ],
)
def test_planted_faults_are_found(of, place, planted, tmp_path):
    units = {"affine": AffineQuantizer, "thresholds": ThresholdQuantizer}
    units["affine" if of is AffineQuantizer else "thresholds"] = mutant(of, place, planted)
    with pytest.raises(Refuted, match="the same code: cycle 8"):
        prove(quantizers({}, **units), tmp_path, depth=LATENCY + 1)
