"""Which package may import which: arrows point one way, and every package is installed."""

import ast
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("golden", "hw", "sim", "synth", "cli")

# Package: what its modules may import of ours, beside each other. "golden" is errors, checks and files.
ALLOWED = {
    "golden": "",
    "golden.process": "golden",
    "golden.network": "golden",
    "golden.lowering": "golden golden.network",
    "golden.run": "golden golden.network golden.lowering",
    "golden.quantizers": "golden golden.network",
    "golden.random": "golden golden.network golden.backward",
    "golden.data": "golden",
    "golden.zoo": "golden golden.network golden.random",
    "golden.backward": "golden golden.network golden.run golden.quantizers",
    "golden.train": "golden golden.network golden.lowering golden.run golden.quantizers golden.zoo"
    " golden.backward",
    "golden.onnx.file": "golden",
    "golden.onnx.declared": "golden golden.onnx.file",
    "golden.onnx.values": "golden golden.network golden.lowering golden.onnx.file golden.onnx.declared",
    "golden.onnx": "golden golden.network golden.lowering golden.onnx.file golden.onnx.declared "
    "golden.onnx.values",
    "hw.lib": "golden.quantizers",
    "hw.fabric": "hw.lib",
    "hw.config": "golden",
    "hw.arith": "golden hw.lib hw.fabric hw.config",
    "hw.interface": "golden golden.network golden.lowering golden.quantizers hw.lib hw.config",
    "hw.engine.reader": "hw.config hw.lib hw.interface",
    "hw.engine.array": "hw.config hw.lib hw.arith hw.interface",
    "hw.engine.output": "hw.config hw.lib hw.interface hw.engine.array",
    "hw.engine.training": "golden golden.network golden.quantizers hw.lib hw.config hw.interface",
    "hw.engine": "hw.config hw.lib hw.interface hw.engine.reader hw.engine.array hw.engine.output"
    " hw.engine.training",
    "hw.compiler": "golden golden.lowering hw.config hw.interface"
    " hw.engine hw.engine.reader hw.engine.array hw.engine.output",
    "hw.compiler.training": "golden golden.network golden.lowering golden.backward hw.config hw.interface"
    " hw.engine.training hw.compiler",
    "hw.pipeline.sums": "golden golden.random",
    "hw.pipeline.kernel": "golden golden.lowering hw.fabric hw.pipeline.sums",
    "hw.pipeline.slots": "golden.network golden.lowering hw.lib hw.pipeline.kernel",
    "hw.pipeline.rom": "golden.lowering hw.lib hw.arith hw.fabric hw.pipeline.kernel hw.pipeline.slots",
    "hw.pipeline.trunk": "golden.network golden.lowering hw.lib hw.pipeline.kernel hw.pipeline.slots",
    "hw.pipeline": "golden golden.network golden.lowering hw.lib hw.fabric hw.shell hw.pipeline.kernel"
    " hw.pipeline.slots hw.pipeline.rom hw.pipeline.trunk",
    "hw.hybrid": "golden golden.lowering hw.config hw.engine hw.compiler hw.pipeline hw.shell hw.generate",
    "hw.verilog": "golden golden.process hw.lib hw.fabric",
    "hw.shell": "golden hw.config hw.interface hw.engine",
    "hw.generate": "golden golden.random golden.run hw.config hw.interface hw.engine hw.shell hw.compiler"
    " hw.verilog",
}
# Rooms whose packages may import anything of the rooms below, and of each other what stands here.
BELOW = {"sim": ("golden", "hw"), "synth": ("golden", "hw"), "cli": ("golden", "hw", "sim", "synth")}
ALLOWED |= {
    "sim.job": "",
    "sim.verilator": "sim.job",
    "sim.amaranth": "sim.job",
    "sim.pipeline": "sim sim.job sim.verilator sim.amaranth sim.cocotb",
    "sim.cocotb": "sim.job sim.verilator",
    "sim.training": "sim.job sim.verilator",
    "sim": "sim.job sim.verilator sim.amaranth sim.cocotb",
    "synth.ecp5": "",
    "synth.targets": "synth.ecp5",
    "synth.flow": "synth.targets",
    "synth.boards": "synth.targets synth.flow",
    "synth.campaign": "synth.targets",
    "synth.explore": "synth.targets synth.flow synth.boards synth.campaign",
    "cli.common": "",
    "cli.training": "cli.common",
    "cli.pipeline": "cli.common",
    "cli.reporting": "",
    "cli": "cli.common cli.training cli.pipeline cli.reporting",
    "cli.demo": "cli cli.common",
}


_MAP = runpy.run_path(str(ROOT / "docs" / "rooms.py"))
MODULES, targets = _MAP["MODULES"], _MAP["targets"]
# Arrows hold for types too; a circle is one only at run time.
GRAPH, RUNTIME = _MAP["graph_of"](), _MAP["graph_of"](_MAP["runtime"])


def violations(module, imported):
    """What a module must not import, of what it imports."""
    package, room = module.rpartition(".")[0], module.split(".")[0]
    allowed = {package, *ALLOWED[package].split()}
    for target in sorted(imported):
        if target in MODULES:
            below = target.split(".")[0] in BELOW.get(room, ())
            if target.rpartition(".")[0] not in allowed and not below:
                yield f"{module} imports {target}"
        elif room != "cli":
            # A face: for the commands alone, so that no module waits for all of a room.
            yield f"{module} imports from the face dorefa.{target}"


@pytest.mark.parametrize("module", GRAPH)
def test_imports_point_down(module):
    assert not list(violations(module, GRAPH[module]))


@pytest.mark.parametrize(
    ("module", "line", "finding"),
    [
        ("hw.interface.memory_map", "from ..engine.slice import EngineSlice", "hw.engine.slice"),
        ("hw.engine.array.issue", "from ...compiler import cycles", "hw.compiler.cycles"),
        ("golden.run.graph", "from dorefa.hw.config.engine import EngineConfig", "hw.config.engine"),
        ("hw.compiler.cycles", "def later():\n    from dorefa.sim import compare", "sim.compare"),
        ("synth.flow.units", "from dorefa.hw import Engine", "the face dorefa.hw"),
    ],
)
def test_planted_imports_are_found(module, line, finding):
    planted = set(targets(module, ast.parse(line)))
    assert [found.endswith(finding) for found in violations(module, planted)] == [True]


def circle(graph):
    """Modules of `graph` that import one another in a circle, the first one again at the end, or None."""
    done, entered = set(), []

    def visit(module):
        if module in entered:
            return [*entered[entered.index(module) :], module]
        if module in done or module not in graph:
            return None
        entered.append(module)
        found = next(filter(None, map(visit, sorted(graph[module]))), None)
        entered.pop()
        done.add(module)
        return found

    return next(filter(None, map(visit, graph)), None)


def test_no_module_imports_itself_in_a_circle():
    assert circle(RUNTIME) is None


def test_a_planted_circle_is_found():
    last = "hw.lib.delay"
    assert circle(RUNTIME | {last: {"hw.engine.engine"}})[0] in GRAPH


def test_no_room_is_crowded():
    folders = [path.parent for path in MODULES.values()]
    most = max(set(folders), key=folders.count)
    assert folders.count(most) <= 20, f"{most} holds {folders.count(most)} modules; accepted: 20"


def test_every_package_is_installed():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    listed = settings["tool"]["setuptools"]["packages"]
    faces = [face for room in ROOMS for face in (ROOT / room).rglob("__init__.py")]
    found = {"dorefa", *(".".join(("dorefa", *face.parent.relative_to(ROOT).parts)) for face in faces)}
    assert found == set(listed) and len(found) == len(listed)


def test_the_map_in_the_documentation_is_true():
    drawn = (ROOT / "docs" / "images" / "rooms.svg").read_text()
    assert drawn == _MAP["draw"](), "accepted: the output of python docs/rooms.py"
