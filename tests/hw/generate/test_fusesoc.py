"""The core file that comes with an engine, used by FuseSoC itself."""

import os
import subprocess
import sys

import pytest

from dorefa.hw.config.engine import preset
from dorefa.hw.generate.file_set import file_set, write_set
from dorefa.hw.verilog.export import generator_version
from dorefa.sim.verilator.lint import verilator_command


@pytest.fixture
def run_lint(tmp_path):
    """Runs the lint target of tmp_path/engine with the Verilator of this environment; (status, output)."""
    (command,), variables = verilator_command()
    words = " ".join(f"{name}='{value}'" for name, value in variables.items())
    script = tmp_path / "bin" / "verilator"
    script.parent.mkdir()
    script.write_text(f"#!/bin/sh\n{words} exec '{command}' \"$@\"\n")
    script.chmod(0o755)
    # Its libraries and settings are of a user; nothing of this one's is read or written. Of no other tool:
    # Yosys keeps at home what it has compiled.
    homes = ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    environment = os.environ | dict.fromkeys(homes, str(tmp_path / "home"))
    environment["PATH"] = f"{script.parent}{os.pathsep}{os.environ['PATH']}"

    def run():
        name = f"dorefa::engine:{generator_version()}"
        arguments = ["--cores-root", str(tmp_path / "engine"), "run", "--target", "lint", name]
        done = subprocess.run(
            [sys.executable, "-m", "fusesoc.main", *arguments],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize("memory", ["logic", "macro"])
def test_lint_is_clean(memory, tmp_path, run_lint):
    folder = tmp_path / "engine"
    folder.mkdir()
    write_set(folder, file_set(preset("tiny"), memory=memory))
    status, said = run_lint()
    assert status == 0 and "--lint-only" in next((tmp_path / "build").rglob("*.vc")).read_text()
    assert "%Warning" not in said and "%Error" not in said


def test_lint_finds_what_is_wrong(tmp_path, run_lint):
    folder = tmp_path / "engine"
    folder.mkdir()
    contents = file_set(preset("tiny"))
    write_set(folder, contents)
    text = contents["engine.v"].decode()
    (folder / "engine.v").write_text(text.replace("endmodule", "  wire [3:0] narrow = 5'd3;\nendmodule", 1))
    status, said = run_lint()
    assert status and "%Warning-WIDTHTRUNC" in said and "narrow" in said
