"""`simulate --engine DIR`: what `generate` wrote is what runs, and a folder that is no set is refused."""

import dataclasses
import json
import re

import numpy as np
import pytest

from dorefa.golden import random_images, random_network
from dorefa.golden.lowering.lower import lower
from dorefa.golden.network import npz

ENGINE = ("--lanes", 16, "--rows", 2)


@pytest.fixture
def models(tmp_path, seed):
    """Two small networks in files, of which the last layer has other weights, and images for both."""
    network = random_network(seed, conv_layers=1, a_bits=2, max_macs=20_000, max_size=6, max_channels=6)
    *layers, last = network.layers
    other = dataclasses.replace(network, layers=(*layers, dataclasses.replace(last, codes=last.codes ^ 1)))
    npz.save(network, tmp_path / "one.npz")
    npz.save(other, tmp_path / "other.npz")
    np.save(tmp_path / "x.npy", random_images(lower(network), 2, seed))
    return tmp_path / "one.npz", tmp_path / "other.npz", tmp_path / "x.npy"


@pytest.mark.parametrize("preload", [(), ("--preload",)])
def test_what_lies_in_the_folder_is_what_runs(preload, dorefa, models, tmp_path):
    one, other, images = models
    folder = tmp_path / "e"
    assert dorefa("generate", "-o", folder, "--model", one, *ENGINE, *preload).status == 0
    simulate = ("simulate", one, "--input", images, "--engine", folder)
    outcome = dorefa(*simulate, "--json", "-")
    assert outcome.status == 0 and outcome.report["bit_exact"], outcome
    assert outcome.report["config"]["lanes"] == 16 and outcome.report["config"]["rows"] == 2

    error = dorefa("simulate", other, "--input", images, "--engine", folder).error
    if preload:
        # The network is in the Verilog; nothing tells but the results.
        assert "other.npz is not bit-exact" in error
    else:
        assert error.startswith(
            f"{folder / 'load.bin'}: is not what loads {other} into this engine; accepted: "
        )

    text = (folder / "engine.v").read_bytes()
    (folder / "engine.v").write_bytes(text + b"\n")
    assert re.match(
        rf"{folder}/engine\.v: SHA-256 is \w+; accepted: \w+, as engine.json", dorefa(*simulate).error
    )
    (folder / "engine.v").write_bytes(text)
    (folder / "engine.json").unlink()
    assert dorefa(*simulate).error.startswith(
        f"{folder / 'engine.json'}: cannot be read (No such file or directory); accepted: the files of"
    )


def test_a_name_of_its_own(dorefa, models, tmp_path):
    one, _, images = models
    folder = tmp_path / "e"
    refused = dorefa("generate", "-o", folder, "--model", one, "--name", "module").error
    assert refused.startswith("--name is 'module'; accepted: a letter") and not folder.exists()
    assert dorefa("generate", "-o", folder, "--model", one, *ENGINE, "--name", "vision").status == 0
    modules = re.findall(r"^module (\w+)", (folder / "engine.v").read_text(), re.MULTILINE)
    assert modules[0] == "vision" and all(name.startswith("vision_") for name in modules[1:])
    assert "\nname: dorefa::vision:" in (folder / "engine.core").read_text()
    macros = re.findall(r"^#define (\w+) ", (folder / "engine.h").read_text(), re.MULTILINE)
    assert macros and all(name.startswith("VISION_") for name in macros)
    outcome = dorefa("simulate", one, "--input", images, "--engine", folder, "--json", "-")
    assert outcome.status == 0 and outcome.report["bit_exact"], outcome


@pytest.mark.parametrize("architecture", ["pipeline", "hybrid"])
def test_names_of_pipelines(architecture, dorefa, small_pipeline, tmp_path):
    command = ("generate", "-o", tmp_path / "p", "--model", small_pipeline, "--architecture", architecture)
    outcome = dorefa(*command, "--effort", 0, "--name", "vision")
    assert outcome.status == 0, outcome
    text = (tmp_path / "p" / f"{architecture}.v").read_text()
    modules = re.findall(r"^module (\w+)", text, re.MULTILINE)
    assert modules[0] == "vision" and all(name.startswith("vision_") for name in modules[1:])
    assert json.loads((tmp_path / "p" / f"{architecture}.json").read_text())["module"] == "vision"


def test_options_that_an_engine_of_a_folder_excludes(dorefa, models, tmp_path):
    one, _, images = models
    command = ("simulate", one, "--engine", tmp_path / "e")
    assert "which fixes lanes; accepted beside it: no engine options" in dorefa(*command, "--lanes", 8).error
    assert "accepted without --netlist" in dorefa(*command, "--netlist").error
    assert "accepted without --simulator amaranth" in dorefa(*command, "--simulator", "amaranth").error
    assert dorefa(*command).error.startswith(
        f"{tmp_path / 'e' / 'engine.json'}: cannot be read (No such file"
    )
    assert dorefa("generate", "-o", tmp_path / "e", "--preset", "tiny", "--memory", "macro").status == 0
    assert "its memories are macros; accepted: an engine of --memory logic" in dorefa(*command).error
    report = tmp_path / "e" / "engine.v"
    assert "is both --json and --engine" in dorefa(*command, "--json", report).error
