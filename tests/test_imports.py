"""Which package may import which: arrows point one way, and every package is installed."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("golden", "hw", "sim", "synth", "cli")

# Package: what its modules may import of ours, beside each other. "golden" is errors, checks and files.
ALLOWED = {
    "golden": "",
    "golden.network": "golden",
    "golden.lowering": "golden golden.network",
    "golden.run": "golden golden.network",
    "golden.quantizers": "golden golden.network",
    "golden.random": "golden golden.network",
    "golden.zoo": "golden golden.network golden.random",
    "golden.train": "golden golden.network golden.lowering golden.run golden.quantizers golden.zoo",
    "golden.onnx": "golden golden.network golden.lowering",
    "hw.lib": "",
    "hw.fabric": "hw.lib",
    "hw.config": "golden",
    "hw.arith": "golden hw.lib hw.fabric hw.config",
    "hw.interface": "golden hw.lib hw.config",
    "hw.engine.reader": "hw.lib hw.interface",
    "hw.engine.array": "hw.lib hw.arith hw.interface",
    "hw.engine.output": "hw.lib hw.interface hw.engine.array",
    "hw.engine": "hw.lib hw.interface hw.engine.reader hw.engine.array hw.engine.output",
    "hw.compiler": "golden golden.lowering hw.config hw.interface"
    " hw.engine hw.engine.reader hw.engine.array hw.engine.output",
    "hw.verilog": "golden hw.lib hw.fabric",
    "hw.shell": "golden hw.interface hw.engine",
    "hw.generate": "golden hw.interface hw.engine hw.shell hw.compiler hw.verilog",
}
# Rooms whose packages may import anything of the rooms below, and of each other what stands here.
BELOW = {"sim": ("golden", "hw"), "synth": ("golden", "hw"), "cli": ("golden", "hw", "sim", "synth")}
ALLOWED |= {
    "sim.job": "",
    "sim.verilator": "sim.job",
    "sim.amaranth": "sim.job",
    "sim.cocotb": "sim.job sim.verilator",
    "sim": "sim.job sim.verilator sim.amaranth sim.cocotb",
    "synth.ecp5": "",
    "synth.targets": "synth.ecp5",
    "synth.flow": "synth.targets",
    "synth.boards": "synth.targets synth.flow",
    "synth.explore": "synth.targets synth.flow synth.boards",
    "cli": "",
}


def sources():
    """(module, path) of every file of the rooms but the faces, which only hand names on."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if path.name != "__init__.py":
                yield module, path


MODULES = dict(sources())


def targets(module, tree):
    """Modules of ours that `module` imports, anywhere in it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = [*module.split(".")[: -node.level], *filter(None, [node.module])]
        elif (node.module or "").split(".")[0] == "dorefa":
            base = node.module.split(".")[1:]
        else:
            continue
        for name in node.names:
            inner = ".".join([*base, name.name])
            yield inner if inner in MODULES else ".".join(base)


GRAPH = {module: set(targets(module, ast.parse(path.read_text()))) for module, path in MODULES.items()}


@pytest.mark.parametrize("module", GRAPH)
def test_imports_point_down(module):
    package, room = module.rpartition(".")[0], module.split(".")[0]
    allowed = {package, *ALLOWED[package].split()}
    for target in GRAPH[module]:
        if target in MODULES:
            other = target.rpartition(".")[0]
            below = target.split(".")[0] in BELOW.get(room, ())
            assert other in allowed or below, f"{module} imports {target}"
        else:
            # A face: for the commands alone, so that no module waits for all of a room.
            assert room == "cli", f"{module} imports from the face dorefa.{target}"


def test_no_module_imports_itself_in_a_circle():
    done, entered = set(), []

    def visit(module):
        assert module not in entered, " -> ".join([*entered[entered.index(module) :], module])
        if module in done or module not in GRAPH:
            return
        entered.append(module)
        for target in sorted(GRAPH[module]):
            visit(target)
        entered.pop()
        done.add(module)

    for module in GRAPH:
        visit(module)


def test_every_package_is_installed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = settings["tool"]["setuptools"]["packages"]
    faces = [face for room in ROOMS for face in (ROOT / room).rglob("__init__.py")]
    found = {".".join(("dorefa", *face.parent.relative_to(ROOT).parts)) for face in faces}
    assert sorted(found) == sorted(listed)
