"""Ends of ECP5 carry chains: the netlist that nextpnr gets computes what synthesis made."""

import json

import pytest

from dorefa.synth.ecp5.chain_ends import open_chain_ends
from dorefa.synth.flow import yosys

from .netlist_proof import prove_rewritten

DESIGNS = {
    "sum": ("[8:0]", "a + b"),
    "sum_of_odd_width": ("[6:0]", "a[6:0] + b[6:0]"),
    "difference": ("[7:0]", "a - b"),
    "increment": ("[7:0]", "a + 1'b1"),
    "decrement": ("[7:0]", "a - 1'b1"),
    "step": ("[7:0]", "a + 8'd5"),
    "less": ("", "a < b"),
    "signed_less": ("", "$signed(a) < $signed(b)"),
    "not_less_of_odd_width": ("", "a[6:0] >= b[6:0]"),
    "less_and_difference": ("[8:0]", "{a < b, a - b}"),
    "chosen": ("[7:0]", "(c ? a : b) + {b[3:0], a[3:0]}"),
}


def constant_carry_ins(cells):
    chains = [cell["connections"] for cell in cells.values() if cell["type"] == "CCU2C"]
    return [connections["CIN"] for connections in chains if connections["CIN"] in (["0"], ["1"])]


@pytest.mark.parametrize("name", DESIGNS)
def test_rewritten_chains_are_equal(name, tmp_path):
    """By SAT, over the vendor's models of the cells."""
    width, value = DESIGNS[name]
    ports = f"input [7:0] a, input [7:0] b, input c, output {width} o"
    verilog = f"module before({ports}); assign o = {value}; endmodule"
    path = yosys.write_netlist(verilog, top="before", target="ecp5", folder=tmp_path)
    # Without the blackboxes, of which the models take the place.
    netlist = {"modules": {"before": json.loads(path.read_text())["modules"]["before"]}}
    cells = netlist["modules"]["before"]["cells"]
    assert constant_carry_ins(cells)

    def rewrite(netlist):
        open_chain_ends(netlist)
        for cell in cells.values():  # Yosys wants unconnected outputs left out
            for name, bits in list(cell["connections"].items()):
                if bits == ["x"] and cell["port_directions"][name] == "output":
                    del cell["connections"][name]

    prove_rewritten(netlist, rewrite, tmp_path)
    assert not constant_carry_ins(cells)


def test_an_ignored_carry_in_is_left_open():
    """P of half 0 is 0 where C = D = 1, so that the carry is G: no cell is added."""
    cell = {
        "type": "CCU2C",
        "parameters": {"INIT0": f"{0x000A:016b}", "INIT1": f"{0x96AA:016b}"},
        "connections": {
            "A0": [2],
            "B0": ["1"],
            "C0": ["1"],
            "D0": ["1"],
            "A1": [3],
            "B1": [4],
            "C1": ["0"],
            "D1": ["1"],
            "CIN": ["0"],
            "S0": [5],
            "S1": [6],
            "COUT": [7],
        },
    }
    cell["port_directions"] = {
        name: "output" if name in ("S0", "S1", "COUT") else "input" for name in cell["connections"]
    }
    netlist = {"modules": {"top": {"ports": {"s": {"bits": [6]}}, "cells": {"c": cell}}}}
    open_chain_ends(netlist)
    assert list(netlist["modules"]["top"]["cells"]) == ["c"]
    assert cell["connections"]["CIN"] == cell["connections"]["COUT"] == ["x"]
    assert cell["parameters"]["INIT0"] == f"{0x000A:016b}"
