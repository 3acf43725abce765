"""dorefa.hw.lib.amaranth_private: the one file that looks into Amaranth, and what it finds there."""

import ast
from pathlib import Path

import pytest
from amaranth import Module
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import Out

from dorefa.hw.lib.amaranth_private import find_component, find_memories

ROOT = Path(__file__).parents[3]
OWN = Path("hw/lib/amaranth_private.py")
SOURCES = [
    path.relative_to(ROOT)
    for room in ("golden", "hw", "sim", "synth", "cli", "bench", "tests")
    for path in sorted((ROOT / room).rglob("*.py"))
]


def private_names(text):
    """What a source imports of Amaranth beyond its interface, as dotted names."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{name.name}" for name in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            private = any(part.startswith("_") for part in parts[1:]) or parts[1:3] == ["back", "rtlil"]
            if parts[0] == "amaranth" and private:
                found.append(name)
    return found


def test_only_one_file_looks_inside():
    found = {path: names for path in SOURCES if (names := private_names((ROOT / path).read_text()))}
    assert list(found) == [OWN]
    assert len(found[OWN]) == 9


@pytest.mark.parametrize(
    "text, name",
    [
        ("from amaranth.hdl._ir import Fragment", "amaranth.hdl._ir.Fragment"),
        ("def f():\n    from amaranth.hdl import _ast", "amaranth.hdl._ast"),
        ("import amaranth.hdl._mem as memory", "amaranth.hdl._mem"),
        ("from amaranth.back import rtlil", "amaranth.back.rtlil"),
        ("from amaranth.sim._pyrtl import _Emitter", "amaranth.sim._pyrtl._Emitter"),
    ],
)
def test_planted_imports_are_found(text, name):
    assert private_names(text) == [name]
    assert private_names("from amaranth.hdl import Fragment\nfrom ._own import amaranth") == []


class Inner(wiring.Component):
    out: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = memory = Memory(shape=4, depth=3, init=[7, 8, 9])
        m.d.comb += self.out.eq(memory.read_port().data)
        return m


class Outer(wiring.Component):
    out: Out(4)

    def elaborate(self, platform):
        m = Module()
        m.submodules.one, m.submodules.two = self.parts = Inner(), Inner()
        m.d.comb += self.out.eq(self.parts[0].out ^ self.parts[1].out)
        return m


def test_memories_and_components_are_found_by_their_paths():
    top = Module()
    top.submodules.core = outer = Outer()
    fragment = Fragment.get(top, None)
    memories = find_memories(fragment)
    assert list(memories) == ["core.one.words", "core.two.words"]
    assert list(memories["core.two.words"].init) == [7, 8, 9]
    assert list(find_memories(fragment, "top.")) == ["top.core.one.words", "top.core.two.words"]
    assert find_component(fragment, "core") is outer
    assert find_component(fragment, "core.two") is outer.parts[1]
