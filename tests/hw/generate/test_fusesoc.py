"""The core file that comes with an engine, used by FuseSoC itself."""

import os
import re
import subprocess
import sys

import pytest

from dorefa.golden import lower, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import preset
from dorefa.hw.generate.file_set import file_set, write_set
from dorefa.hw.interface.trunk_stores import trunk_store
from dorefa.hw.verilog.export import generator_version
from dorefa.sim.verilator.lint import verilator_command


@pytest.fixture
def run_target(tmp_path):
    """Runs a target of tmp_path/engine with the Verilator of this environment; (status, output)."""
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

    def run(target="lint", core="engine"):
        name = f"dorefa::{core}:{generator_version()}"
        arguments = ["--cores-root", str(tmp_path / "engine"), "run", "--target", target, name]
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
def test_lint_is_clean(memory, tmp_path, run_target):
    folder = tmp_path / "engine"
    folder.mkdir()
    write_set(folder, file_set(preset("tiny"), memory=memory))
    status, said = run_target()
    assert status == 0 and "--lint-only" in next((tmp_path / "build").rglob("*.vc")).read_text()
    assert "%Warning" not in said and "%Error" not in said


def test_waivers_are_for_the_engine_alone(tmp_path):
    """Not for the files of whoever puts it into a design."""
    own = "module other(input clk, rst, output q); assign q = clk; endmodule\n"
    (tmp_path / "design.v").write_text(own)
    contents = file_set(preset("tiny"))
    write_set(tmp_path, contents)
    (command,), variables = verilator_command()
    arguments = ["--lint-only", "-Wall", "-Wno-MULTITOP", "engine.vlt", "engine.v", "design.v"]
    done = subprocess.run(
        [command, *arguments],
        cwd=tmp_path,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    warnings = [line for line in done.stderr.splitlines() if line.startswith("%Warning")]
    assert warnings and all(": design.v:" in line for line in warnings)
    assert any("UNUSEDSIGNAL" in line and "'rst'" in line for line in warnings)


def test_lint_finds_what_is_wrong(tmp_path, run_target):
    folder = tmp_path / "engine"
    folder.mkdir()
    contents = file_set(preset("tiny"))
    write_set(folder, contents)
    text = contents["engine.v"].decode()
    (folder / "engine.v").write_text(text.replace("endmodule", "  wire [3:0] narrow = 5'd3;\nendmodule", 1))
    status, said = run_target()
    assert status and "%Warning-WIDTHTRUNC" in said and "narrow" in said


def network_of(kind, seed):
    """(network, parameters of its engine) of a kind of testbench."""
    residual = {"residual": True, "max_macs": 20_000, "max_size": 6, "max_channels": 6, "wide_padding": False}
    options = {
        "streamed": {"weights": "stream", "trunks": "stream", "port_bytes": 2, "results": "wide"},
        "on chip": {},
        "two columns": {"cols": 2, "port_bytes": 4},
    }
    network = lower(random_network(seed, **residual))
    return network, {"lanes": 16, "rows": 4, **options[kind]}


def generated(kind, seed, **options):
    print(f"seed {seed}")
    network, sizes = network_of(kind, seed)
    compiled = compile_network(network, fit(network, **sizes))
    return compiled, file_set(compiled.config, compiled, **options)


def test_simulation(tmp_path, run_target):
    """With weights and trunks that stream, a name, and no Python; and what is wrong is found."""
    folder = tmp_path / "engine"
    folder.mkdir()
    compiled, contents = generated("streamed", 27, name="vision")
    assert trunk_store(compiled.config).packets(compiled.schedule)[1]
    write_set(folder, contents)
    status, said = run_target("sim", "vision")
    passed = re.search(r"PASS: all (\d+) bytes of the results are right, \d+ cycles", said)
    assert status == 0 and int(passed[1]) == len(contents["tb_results.bin"]), said

    (program,) = (tmp_path / "build").rglob("Vvision_tb")

    def again(name, content):
        path = program.parent / name
        own = path.read_bytes()
        path.write_bytes(content)
        done = subprocess.run([program], cwd=program.parent, capture_output=True, text=True, timeout=60)
        path.write_bytes(own)
        assert done.returncode, done
        return done.stdout + done.stderr

    results = contents["tb_results.bin"]
    wrong = results[:-1] + bytes([results[-1] ^ 1])
    last = len(results) - 1
    found = again("tb_results.bin", wrong)
    assert f"byte {last} of the results is {results[-1]:02x}; expected {wrong[-1]:02x}" in found
    size = len(contents["load.bin"])
    assert f"load.bin here: 0 bytes; expected {size}" in again("load.bin", b"")
    # The engine says of a load whose checksum is wrong that it is none, and takes no image.
    broken = bytearray(contents["load.bin"])
    broken[8 * 20 + 4] ^= 1
    assert re.search("no results after|marks the results|was answered", again("load.bin", bytes(broken)))


@pytest.mark.icarus
@pytest.mark.parametrize("kind", ["streamed", "on chip"])
def test_simulation_in_icarus(kind, tmp_path, run_target):
    folder = tmp_path / "engine"
    folder.mkdir()
    _, contents = generated(kind, 27, preload=kind == "on chip")
    write_set(folder, contents)
    status, said = run_target("sim_icarus")
    assert status == 0 and "PASS: all" in said, said


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.parametrize(
    ("kind", "options"),
    [("on chip", {"preload": True}), ("two columns", {}), ("on chip", {"memory": "macro"})],
    ids=["preloaded", "columns", "macros"],
)
def test_more_simulations(kind, options, tmp_path, run_target):
    folder = tmp_path / "engine"
    folder.mkdir()
    _, contents = generated(kind, 27, **options)
    write_set(folder, contents)
    status, said = run_target("sim")
    assert status == 0 and "PASS: all" in said, said
