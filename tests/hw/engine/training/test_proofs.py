# amaranth: UnusedElaboratable=no
"""Proofs by SAT of the quantizers' Verilog: what holds for every word and every noise."""

import pytest

from dorefa.golden.quantizers.gradient import LARGEST_WORD, SCALE_BITS, STEP, reciprocals
from dorefa.hw.engine.training.gradient_quantizer import GradientQuantizer
from dorefa.hw.engine.training.weight_quantizer import WeightQuantizer
from dorefa.hw.verilog.export import export, run_yosys


def prove(component, bench, cycles, folder):
    """Proves the assertions of module `bench` around `component`, whose register `cycle` begins with 0, in
    so many cycles. Raises RuntimeError where one fails."""
    (folder / "dut.v").write_text(export(component, name="dut"))
    (folder / "bench.v").write_text(bench)
    run_yosys(
        folder,
        [
            "read_verilog -formal dut.v bench.v",
            "hierarchy -check -top bench",
            "proc",
            "flatten",
            "memory_map",
            "opt -full",
            "async2sync",
            "dffunmap",
            "chformal -lower",
            "opt_clean",
            f"sat -verify -prove-asserts -set-assumes -set-at 1 cycle 0 -seq {cycles} bench",
        ],
    )


def gradient_bench(k, bits, reciprocal):
    """A sample whose greatest magnitude has the scale k is measured; its codes are right for any word, state
    and noise: in 0..n, the scale k."""
    greatest = min(k * STEP, LARGEST_WORD)
    starts = 3 + GradientQuantizer(lanes=1).scale_latency
    return f"""
module bench(input clk, input signed [15:0] word, input [126:0] state, input noise);
  reg [4:0] cycle;
  always @(posedge clk) cycle <= cycle + 1;
  wire measure = cycle < {starts};
  wire valid = cycle == 2 || cycle == {starts};
  wire [3:0] code_mark;
  wire [7:0] code;
  wire [{SCALE_BITS}:0] scale;
  dut dut(.clk(clk), .rst(cycle == 0), .mark({{1'b1, valid, valid, valid}}), .measure(measure),
    .words__0(measure ? 16'd{greatest} : word), .noise(noise), .state(state), .g_bits(4'd{bits}),
    .w_en(cycle == 1), .w_address({SCALE_BITS + 1}'d{k}), .w_data(18'd{reciprocal}), .scale(scale),
    .code_mark(code_mark), .codes__0(code));
  always @* begin
    if (cycle == {starts}) assume(word >= -{greatest} && word <= {greatest});
    if (cycle == {starts}) assert(scale == {k});
    if (cycle == {starts + GradientQuantizer.latency}) assert(code_mark[0] && code <= {(1 << bits) - 1});
  end
endmodule
"""


def prove_gradients(k, bits, folder, *, excess=0):
    """`excess` is added to the reciprocal of k."""
    cycles = 4 + GradientQuantizer(lanes=1).scale_latency + GradientQuantizer.latency
    bench = gradient_bench(k, bits, int(reciprocals(bits)[k]) + excess)
    prove(GradientQuantizer(lanes=1), bench, cycles, folder)


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
    prove_gradients(k, bits, tmp_path)


def test_a_planted_reciprocal_is_found(tmp_path):
    """One more is below what the noise's last digit leaves free; two more are not."""
    with pytest.raises(RuntimeError, match="Yosys stopped with status 1"):
        prove_gradients(1, 4, tmp_path, excess=2)


def weight_bench(ordered):
    """Any weight that is a number against a threshold given by its order: one bit, in both signs."""
    return f"""
module bench(input clk, input [31:0] word, input signed [31:0] threshold);
  reg [4:0] cycle;
  always @(posedge clk) cycle <= cycle + 1;
  reg signed [31:0] kept, order;
  wire [3:0] code_mark;
  wire [7:0] code;
  wire signed [31:0] ordered = {ordered};
  always @(posedge clk) if (cycle == 1) kept <= threshold;
  always @(posedge clk) if (cycle == 2) order <= ordered;
  dut dut(.clk(clk), .rst(cycle == 0), .mark({{1'b1, 2'b11, cycle == 2}}), .measure(1'b0), .words__0(word),
    .w_bits(4'd1), .w_en(cycle == 1), .w_address(8'd1), .w_data(threshold > 0 ? threshold : threshold - 1),
    .code_mark(code_mark), .codes__0(code));
  always @* begin
    if (cycle == 1) assume(threshold >= -32'sh7f800000 && threshold <= 32'sh7f800000);
    if (cycle == 2) assume(word[30:23] != 255);
    if (cycle == {2 + WeightQuantizer.latency}) assert(code_mark[0] && code == (order >= kept));
  end
endmodule
"""


SIGN_AND_MAGNITUDE = "word[31] ? -{1'b0, word[30:0]} : word"


@pytest.mark.slow
@pytest.mark.sample
def test_every_weight_is_on_its_side_of_every_threshold(tmp_path):
    prove(WeightQuantizer(lanes=1), weight_bench(SIGN_AND_MAGNITUDE), WeightQuantizer.latency + 3, tmp_path)


@pytest.mark.slow
@pytest.mark.sample
def test_a_planted_order_is_found(tmp_path):
    with pytest.raises(RuntimeError, match="Yosys stopped with status 1"):
        prove(WeightQuantizer(lanes=1), weight_bench("word"), WeightQuantizer.latency + 3, tmp_path)
