"""dorefa.hw.verilog.rtlil and model: the text is read and written without a loss, instances are found."""

from dorefa.hw.verilog import rtlil
from dorefa.hw.verilog.convert import convert
from dorefa.hw.verilog.model import Cell, Memory, Module, Statement, Wire, instances

from .components import Tree

TEXT = r"""attribute \top 1
module \top
  attribute \init 4'0000
  wire width 4 input 0 \a
  wire width 5 output 1 signed \b
  wire width 4 $1
  memory width 4 size 8 \table
  cell $memrd_v2 $2
    parameter \MEMID "\\table"
    parameter \WIDTH 4
    connect \ADDR { 1'0 \a [1:0] }
  end
  attribute \full_case 1
  process $3
    assign $1 [3:0] 4'0000
    switch \a [0]
      case 1'1
        assign $1 [3:0] \a
    end
  end
  connect \b { 1'0 $1 }
  cell \leaf \one
    connect \x \a
  end
end

module \leaf
  wire width 4 input 0 \x
end
"""


def test_every_item_is_read():
    top, leaf = rtlil.parse(TEXT)
    assert (top.name, top.attributes, leaf.name) == ("top", ["attribute \\top 1"], "leaf")
    assert top.ports == [
        Wire("\\a", 4, "input", attributes=["  attribute \\init 4'0000"]),
        Wire("\\b", 5, "output", signed=True),
    ]
    assert top.wires[2:] == [Wire("$1", 4)] and top.memories == [Memory("\\table", 4, 8)]
    read, instance = top.cells
    assert (read.kind, read.memory, read.module) == ("$memrd_v2", "\\table", None)
    assert read.connections == {"ADDR": "{ 1'0 \\a [1:0] }"}
    assert instance == Cell("\\leaf", "\\one", connections={"x": "\\a"}) and instance.memory is None
    process = top.items[5]
    assert isinstance(process, Statement) and process.lines[-1] == "  end" and len(process.lines) == 7
    assert process.attributes == ["  attribute \\full_case 1"]


def test_what_is_read_is_written():
    assert rtlil.write(rtlil.parse(TEXT)) == TEXT
    modules = convert(Tree([1]), name="tree")
    assert rtlil.parse(rtlil.write(modules)) == modules


def test_instances_of_a_module_are_all_found():
    leaf = Module("leaf")
    pair = Module("pair", items=[Cell("\\leaf", "\\x"), Cell("\\leaf", "\\y"), Cell("\\LUT4", "\\lut")])
    top = Module("top", items=[Cell("\\pair", "\\one"), Cell("$and", "$1"), Cell("\\pair", "\\two")])
    assert [(".".join(path), module.name) for path, module in instances([leaf, top, pair], "top")] == [
        ("", "top"),
        ("one", "pair"),
        ("one.x", "leaf"),
        ("one.y", "leaf"),
        ("two", "pair"),
        ("two.x", "leaf"),
        ("two.y", "leaf"),
    ]
