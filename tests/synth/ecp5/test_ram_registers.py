"""Registers behind ECP5 block RAMs move into them, where that changes nothing."""

import copy
import json

import pytest

from dorefa.synth.ecp5.ram_registers import fold_output_registers
from dorefa.synth.flow import yosys

from .netlist_proof import prove_rewritten

DESIGN = """module before(input clk, input other, input en, input rst, input we,
                          input [9:0] wa, input [9:0] ra, input [{width}-1:0] d,
                          output reg [{width}-1:0] q, output [{width}-1:0] o);
    (* no_rw_check *) reg [{width}-1:0] memory [0:{depth}-1];
    reg [{width}-1:0] answer;
    always @(posedge clk) begin
        if (we) memory[wa] <= d;
        answer <= memory[ra];
    end
    {behind}
endmodule
"""
PLAIN = "always @(posedge clk) q <= answer; assign o = q;"

# The block's contents do not matter here: its answer is some function of what went in a cycle before.
MODEL = """module DP16KD({ports});
    parameter {parameters};
    input {inputs};
    output {outputs};
    reg [17:0] a, b, a_register, b_register;
    wire of_a = DATA_WIDTH_B == 36 ? CLKB : CLKA;
    always @(posedge of_a) begin
        a <= {{ADB13, ADB12, ADB11, ADB10, ADB9, ADB8}} ^ {{DIA3, DIA2, DIA1}};
        a_register <= a;
    end
    always @(posedge CLKB) begin
        b <= {{ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13, ADB6}} ^ {{DIA5, WEA, CEA}};
        b_register <= b;
    end
    assign {{{a_pins}}} = REGMODE_A == "OUTREG" ? a_register : a;
    assign {{{b_pins}}} = REGMODE_B == "OUTREG" ? b_register : b;
endmodule
"""


def netlist_of(folder, *, width, depth, behind):
    """(netlist, its cells) of a memory and what is behind it."""
    verilog = DESIGN.format(width=width, depth=depth, behind=behind)
    path = yosys.write_netlist(verilog, top="before", target="ecp5", folder=folder)
    netlist = {"modules": {"before": json.loads(path.read_text())["modules"]["before"]}}
    return netlist, netlist["modules"]["before"]["cells"]


def kinds(cells, kind):
    return [cell for cell in cells.values() if cell["type"] == kind]


def model_of(cell):
    pins = cell["port_directions"]
    inputs = [pin for pin, direction in pins.items() if direction == "input"]
    halves = {side: [f"DO{side}{bit}" for bit in reversed(range(18))] for side in "AB"}
    return MODEL.format(
        ports=", ".join([*inputs, *halves["A"], *halves["B"]]),
        inputs=", ".join(inputs),
        outputs=", ".join([*halves["A"], *halves["B"]]),
        parameters=", ".join(f"{name} = 0" for name in cell["parameters"]),
        a_pins=", ".join(halves["A"]),
        b_pins=", ".join(halves["B"]),
    )


@pytest.mark.parametrize(
    "width, depth, sides", [(36, 512, "AB"), (30, 512, "AB"), (18, 1024, "B"), (7, 1024, "B")]
)
def test_moved_registers_are_equal(width, depth, sides, tmp_path):
    """Whatever the block answers."""
    netlist, cells = netlist_of(tmp_path, width=width, depth=depth, behind=PLAIN)
    assert len(kinds(cells, "TRELLIS_FF")) == width
    (memory,) = kinds(cells, "DP16KD")
    models = model_of(memory)
    prove_rewritten(netlist, fold_output_registers, tmp_path, models=models, settles=3)
    assert not kinds(cells, "TRELLIS_FF")
    for side in "AB":
        assert memory["parameters"][f"REGMODE_{side}"] == ("OUTREG" if side in sides else "NOREG")
        assert side not in sides or memory["connections"][f"OCE{side}"] == ["1"]


@pytest.mark.parametrize(
    "behind",
    [
        "always @(posedge clk) if (en) q <= answer; assign o = q;",
        "always @(posedge clk) if (rst) q <= 0; else q <= answer; assign o = q;",
        "always @(negedge clk) q <= answer; assign o = q;",
        "always @(posedge other) q <= answer; assign o = q;",
        "always @(posedge clk) q <= answer; initial q = 1; assign o = q;",
        "always @(posedge clk) q <= ~answer; assign o = q;",
        "always @(posedge clk) q <= answer; assign o = answer;",
        "always @(posedge clk) q <= answer; assign o = answer[0];",
        "always @* q = answer; assign o = q;",
    ],
)
def test_others_stay(behind, tmp_path):
    netlist, cells = netlist_of(tmp_path, width=18, depth=1024, behind=behind)
    assert kinds(cells, "DP16KD")
    before = copy.deepcopy(netlist)
    fold_output_registers(netlist)
    assert netlist == before
