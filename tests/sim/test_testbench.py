"""The testbench that comes with an engine and its network, in Icarus: random networks on random engines."""

import subprocess

import pytest

from dorefa.golden.random.draws import RawDraws
from dorefa.hw.generate.file_set import file_set, write_set

from .regression.drawing import random_case

LATER = (pytest.mark.slow, pytest.mark.sample)


def run(folder):
    """(status, what is said) of the testbench in a folder."""
    command = ["iverilog", "-g2012", "-s", "dorefa_engine_tb", "-o", "bench", "engine.v", "engine_tb.sv"]
    command += ["memories.v"] if (folder / "memories.v").exists() else []
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    done = subprocess.run(["vvp", "-n", "bench"], cwd=folder, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.icarus
@pytest.mark.parametrize("case", [0, 1, *(pytest.param(case, marks=LATER) for case in range(2, 12))])
def test_random_networks(case, seed, tmp_path):
    """Also preloaded, and with macros; each finds a result with one wrong bit."""
    network, compiled, _ = random_case(1000 * seed + case)
    draws = RawDraws(seed + case)
    options = draws.pick(({}, {"preload": True}, {"memory": "macro"}))
    print(f"case {1000 * seed + case}: {options}, {compiled.config}")
    contents = file_set(compiled.config, compiled, **options)
    write_set(tmp_path, contents)
    status, said = run(tmp_path)
    assert status == 0 and f"PASS: all {len(contents['tb_results.bin'])} bytes of the results" in said, said
    wrong = bytearray(contents["tb_results.bin"])
    at, bit = draws.integer(0, len(wrong) - 1), draws.integer(0, 7)
    wrong[at] ^= 1 << bit
    (tmp_path / "tb_results.bin").write_bytes(wrong)
    status, said = run(tmp_path)
    assert status and f"byte {at} of the results is {contents['tb_results.bin'][at]:02x}" in said.replace(
        "  ", " "
    )
