"""dorefa.hw.verilog.passes: names, order of ports, what is merged and what is not."""

import re

from dorefa.hw.verilog import passes, rtlil
from dorefa.hw.verilog.convert import convert
from dorefa.hw.verilog.export import to_rtlil
from dorefa.hw.verilog.model import Cell, Memory, Module, Statement, Wire

from .components import Tree


def test_names_are_plain_and_unique():
    modules = rtlil.parse(to_rtlil(Tree([1]), name="tree"))
    assert [module.name for module in modules] == ["tree", "tree_leaf"]
    assert modules[0].children == ["tree_leaf"] * 3
    for module in modules:
        names = [item.name[1:] for item in (*module.wires, *module.memories) if item.name[0] != "$"]
        assert len(names) == len(set(names)) > 1
        assert all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in names)


def test_identical_modules_are_merged_bottom_up():
    modules = convert(Tree([1]), name="tree")
    assert [module.name for module in modules] == ["tree", *(f"tree.leaf{number}" for number in range(3))]
    passes.plain_names(modules)
    passes.order_ports(modules)
    # A module that differs in one bit stays, under a name of its own.
    modules[2].items.append(Statement(["  connect \\b [0] 1'1"]))
    merged = passes.merge_identical(modules)
    assert [module.name for module in merged] == ["tree", "tree_leaf1", "tree_leaf"]
    assert merged[0].children == ["tree_leaf", "tree_leaf1", "tree_leaf"]


def test_names_that_need_an_escape_are_changed_everywhere():
    inner = Module("inner", items=[Wire("\\a.b", 4, "input")])
    cells = [
        Cell("\\inner", "\\part$1", connections={"a.b": "\\x.y [3:0]"}),
        Cell("$memrd_v2", "$7", parameters={"MEMID": '"\\\\words.0"'}, connections={"DATA": "\\x.y"}),
    ]
    statement = Statement(["  connect \\x.y \\x_y"])
    wires = [Wire("\\x.y", 4), Wire("\\x_y", 4), Memory("\\words.0", 4, 8)]
    passes.plain_names([Module("top", items=[*wires, *cells, statement]), inner])
    assert inner.items[0].name == "\\a_b"
    assert cells[0].name == "\\part_1" and cells[0].connections == {"a_b": "\\x_y_1 [3:0]"}
    assert cells[1].parameters == {"MEMID": '"\\\\words_0"'}
    assert cells[1].memory == wires[2].name == "\\words_0"
    assert statement.lines == ["  connect \\x_y_1 \\x_y"]


def test_ports_come_first_clock_and_reset_before_all():
    names = ("b", "inner", "rst", "a", "clk")
    wires = [Wire(f"\\{name}", 1, None if name == "inner" else "input") for name in names]
    module = Module("top", items=list(wires))
    passes.order_ports([module])
    assert [wire.name[1:] for wire in module.wires] == ["clk", "rst", "a", "b", "inner"]


def test_initial_values_go_and_watched_wires_are_kept():
    wires = [Wire("\\status__busy", 1, attributes=["  attribute \\init 1'0"]), Wire("\\other", 1)]
    module = Module("top", items=list(wires))
    passes.drop_register_values([module])
    passes.keep_wires([module], "status__")
    assert [wire.attributes for wire in wires] == [["  attribute \\keep 1"], []]
