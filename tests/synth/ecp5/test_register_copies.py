"""Copies of widely read registers: the same function, each copy for a few neighbors."""

import json
import re

import pytest

from dorefa.synth.ecp5.register_copies import copy_registers
from dorefa.synth.flow import yosys

from .netlist_proof import prove_rewritten

LEAF = (
    "module leaf(input clk, input [1:0] shared, input own, output reg o);\n"
    "always @(posedge clk) o <= own ? shared[0] : shared[1];\nendmodule\n"
)
PLAIN = "always @(posedge clk) shared <= d;"


def netlist_of(folder, readers, behind=PLAIN):
    """(netlist, its cells) of two registers that so many leaves read."""
    leaves = "\n".join(f"leaf leaf_{n}(clk, shared, own[{n}], o[{n}]);" for n in range(readers))
    verilog = (
        f"{LEAF}module before(input clk, input en, input rst, input [1:0] d, input [{readers - 1}:0] own, "
        f"output [{readers - 1}:0] o);\nreg [1:0] shared;\n{behind}\n{leaves}\nendmodule\n"
    )
    path = yosys.write_netlist(verilog, top="before", target="ecp5", folder=folder)
    netlist = {"modules": {"before": json.loads(path.read_text())["modules"]["before"]}}
    return netlist, netlist["modules"]["before"]["cells"]


def served(cells, of):
    """Numbers of the leaves that read a register, and of those that read each of its copies."""
    result = []
    for name, register in cells.items():
        if name != of and not name.startswith(f"{of}_copy"):
            continue
        (net,) = register["connections"]["Q"]
        result.append(
            sorted(
                int(re.match(r"leaf_(\d+)\.", cell)[1])
                for cell, content in cells.items()
                if any(
                    net in bits and content["port_directions"][port] == "input"
                    for port, bits in content["connections"].items()
                )
            )
        )
    return result


@pytest.mark.parametrize("readers, sizes", [(15, [15]), (16, [8, 8]), (33, [8, 8, 8, 9])])
def test_neighbors_share_a_copy(readers, sizes, tmp_path):
    netlist, cells = netlist_of(tmp_path, readers)
    registers = [name for name in cells if "shared_TRELLIS_FF" in name]
    assert len(registers) == 2
    assert len(copy_registers(netlist)) == 2 * (len(sizes) - 1)
    for name in registers:
        groups = served(cells, name)
        assert [len(group) for group in groups] == sizes
        # Leaf 9 is a neighbor of leaf 10, not of leaf 90.
        assert [number for group in groups for number in group] == list(range(readers))


def test_copies_are_equal(tmp_path):
    netlist, cells = netlist_of(tmp_path, 20, "always @(posedge clk) shared <= rst ? 0 : d;")
    prove_rewritten(netlist, copy_registers, tmp_path, settles=3)
    assert sum("_copy" in name for name in cells) == 2


@pytest.mark.parametrize(
    "behind",
    [
        "always @(posedge clk) if (en) shared <= d;",
        "always @(posedge clk) if (rst) shared <= 3; else if (en) shared <= shared + d;",
        "always @(negedge clk) shared <= d;",
        "initial shared = 2; always @(posedge clk) if (en) shared <= d;",
    ],
)
def test_a_copy_has_the_registers_inputs(behind, tmp_path):
    """Clock, enable, reset and value to start with are the register's."""
    netlist, cells = netlist_of(tmp_path, 16, behind)
    copies = copy_registers(netlist)
    assert len(copies) == 2 and all(name.endswith("_copy1") for name in copies)
    for name in copies:
        register, same = cells[name.removesuffix("_copy1")], cells[name]
        assert same["parameters"] == register["parameters"] and same["type"] == register["type"]
        first, second = (dict(cell["connections"]) for cell in (register, same))
        assert first.pop("Q") != second.pop("Q")
        assert first == second


def test_nets_of_copies_are_new():
    """An input that nothing reads has a net, and a copy must not drive it."""

    def cell(kind, **ports):
        directions = {port: "output" if port == "Q" else "input" for port in ports}
        return {"type": kind, "connections": ports, "port_directions": directions}

    cells = {"shared": cell("TRELLIS_FF", DI=[2], Q=[3])}
    cells |= {f"leaf_{number}.lut": cell("LUT4", A=[3]) for number in range(16)}
    ports = {"d": {"direction": "input", "bits": [2]}, "unread": {"direction": "input", "bits": [4]}}
    netnames = {name: {"bits": port["bits"]} for name, port in ports.items()}
    module = {"ports": ports, "netnames": netnames | {"unused": {"bits": [5, 6]}}, "cells": cells}
    assert copy_registers({"modules": {"top": module}}) == ["shared_copy1"]
    assert cells["shared_copy1"]["connections"] == {"DI": [2], "Q": [7]}
