"""Components that are mutated, and the tests that are their own."""

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[3]
_HARDWARE = "tests/hw/engine"
_FABRICS = "tests/hw/fabric/test_families.py"
_SEQUENCER = tuple(f"{_HARDWARE}/test_sequencer{part}.py" for part in ("", "_guard", "_jobs"))
_JOBS = f"{_HARDWARE}/training/test_jobs.py"
_READERS = tuple(f"{_HARDWARE}/reader/test_{name}.py" for name in ("window_reader", "shared_reader"))


@dataclass(frozen=True)
class Part:
    """A module of `hw` and its tests for pytest, from the project's folder.

    functions: those that are mutated where the module has no component, "*" for all; inside: the module of
    the component that they describe parts of.
    """

    module: str
    tests: tuple[str, ...]
    functions: tuple[str, ...] = ()
    inside: str = ""

    @property
    def file(self) -> Path:
        """The module's source."""
        return ROOT / self.module

    @property
    def source(self) -> str:
        """Its text."""
        return self.file.read_text()

    def test_files(self) -> list[Path]:
        """Files of its tests, those that they import, and all others that tests of the hardware share."""
        own = {ROOT / test.partition("::")[0] for test in self.tests}
        for path in sorted(own):
            imported = re.findall(r"^from \.(test_\w+) import", path.read_text(), re.MULTILINE)
            own |= {path.with_name(f"{name}.py") for name in imported}
        folder = ROOT / "tests/hw"
        shared = (path for path in folder.rglob("*.py") if not path.name.startswith("test_"))
        own |= {path for path in shared if path.parent.name != "mutator"}
        return sorted({*own, *(ROOT / "tests").glob("[!t]*.py")})


def imported(module: str) -> ModuleType:
    """A module by its path from the project's folder."""
    return import_module("dorefa." + module.removesuffix(".py").replace("/", "."))


def _own(folder: str, *names: str) -> dict[str, Part]:
    """Modules of a folder of the engine with one file of tests each."""
    return {
        name: Part(f"hw/engine/{folder}{name}.py", (f"{_HARDWARE}/{folder}test_{name}.py",)) for name in names
    }


COMPONENTS = {
    "popcount": Part(
        "hw/arith/popcount.py",
        (
            "tests/hw/arith/test_popcount.py",
            f"{_FABRICS}::test_every_operand_of_nine_lanes",
            f"{_FABRICS}::test_portable_verilog_has_no_vendor_cells",
        ),
    ),
    "dot": Part("hw/arith/dot.py", ("tests/hw/arith/test_dot.py", f"{_FABRICS}::test_dot_unit")),
    **_own("array/", "issue"),
    "drain": Part("hw/engine/output/drain.py", (f"{_HARDWARE}/array/test_array.py",)),
    "run_generator": Part("hw/engine/reader/run_generator.py", _READERS),
    "window_reader": Part("hw/engine/reader/window_reader.py", _READERS[:1]),
    "shared_reader": Part("hw/engine/reader/shared_reader.py", _READERS[1:]),
    "column_packer": Part("hw/engine/reader/column_packer.py", _READERS[1:]),
    "set_columns": Part(
        "hw/engine/reader/set_columns.py", _READERS, ("*",), "hw/engine/reader/run_generator.py"
    ),
    **_own("reader/", "column_segments"),
    **_own("output/", "plane_packer", "pool", "pixel_position", "threshold_quantizer", "affine_quantizer"),
    "residual": Part(
        "hw/engine/output/residual.py",
        tuple(f"{_HARDWARE}/output/test_residual{part}.py" for part in ("", "_bounds")),
    ),
    **_own("output/", "column_order"),
    **_own("reader/", "feature_memory", "patch_buffer"),
    **_own("array/", "weight_memory"),
    "lfsr_counter": Part(
        "hw/lib/lfsr_counter.py", ("tests/hw/lib/test_lfsr_counter.py",), ("loop_feed", "loop")
    ),
    "thermometer": Part("hw/lib/thermometer.py", ("tests/hw/lib/test_thermometer.py",), ("reached",)),
    "noise_source": Part("hw/lib/noise_source.py", ("tests/hw/lib/test_noise_source.py",)),
    **_own("training/", "gradient_quantizer", "weight_quantizer"),
    "greatest": Part(
        "hw/engine/training/greatest.py",
        tuple(f"{_HARDWARE}/training/test_{name}_quantizer.py" for name in ("gradient", "weight")),
    ),
    **_own("training/", "operand_port"),
    "job": Part("hw/engine/training/job.py", _SEQUENCER, ("runs", "has_passes", "is_whole")),
    **_own("array/", "array"),
    **_own("", "slice"),
    "weight_loader": Part(
        "hw/engine/array/weight_loader.py",
        (*(f"{_HARDWARE}/array/test_weight_loader{part}.py" for part in ("", "_guard", "_hold")), _JOBS),
    ),
    "trunk_streams": Part(
        "hw/engine/output/trunk_streams.py",
        tuple(f"{_HARDWARE}/output/test_trunk_streams{part}.py" for part in ("_guard", "_promises", "")),
    ),
    **_own("output/", "results"),
    "wide_results": Part(
        "hw/engine/output/wide_results.py",
        tuple(f"{_HARDWARE}/output/test_wide_results{part}.py" for part in ("", "_promises")),
    ),
    **_own("", "outlet", "recovery", "watchdog", "load_check"),
    "sequencer": Part("hw/engine/sequencer.py", _SEQUENCER),
    **{
        name: Part(f"hw/engine/{name}.py", _SEQUENCER, ("*",), "hw/engine/sequencer.py")
        for name in ("descriptor_fetch", "packet_gate")
    },
    "host_port": Part(
        "hw/engine/host_port.py", tuple(f"{_HARDWARE}/test_host_port{part}.py" for part in ("", "_guard"))
    ),
    "engine": Part(
        "hw/engine/engine.py",
        tuple(
            f"{_HARDWARE}/test_{name}.py"
            for name in ("engine", "slice", "engine_guard_watch", "engine_guard_trunks")
        ),
    ),
    "guard": Part(
        "hw/engine/guard.py",
        tuple(f"{_HARDWARE}/test_engine_guard{part}.py" for part in ("", "_watch", "_trunks")),
        ("*",),
        "hw/engine/engine.py",
    ),
    "axi": Part("hw/shell/axi.py", tuple(f"tests/hw/shell/test_axi{part}.py" for part in ("", "_top"))),
    "uart": Part("hw/shell/uart.py", ("tests/hw/shell/test_uart.py",)),
    "serial_host": Part("hw/shell/serial_host.py", ("tests/hw/shell/test_serial_host.py",)),
    **{
        f"rom_{name}": Part(f"hw/pipeline/rom/{name}.py", ("tests/hw/pipeline/rom/test_rom_stage.py",))
        for name in ("banks", "walk", "array", "drain", "flush")
    },
    "board_core": Part("hw/shell/board_core.py", ("tests/hw/shell/test_board_core.py",)),
}
