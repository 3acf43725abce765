"""What `dorefa generate` and `synth` choose for a target, and whose cells the Verilog has."""

import re

import pytest

from dorefa.golden.network import npz
from dorefa.golden.random.network import random_network

SMALL = ("--lanes", 16, "--rows", 4)


def test_generate_for_a_target(dorefa, tmp_path):
    folder = tmp_path / "engine"
    said = dorefa("generate", "-o", folder, "--target", "ecp5", *SMALL).out
    (chosen,) = re.findall(r"^chosen for ecp5: (.*)$", said, re.MULTILINE)
    assert "structure mapped, pipeline level2" in chosen and "lanes" not in chosen
    assert "CCU2C" in (folder / "engine.v").read_text()
    # The cells are known to the family's tools alone.
    assert "lint" not in (folder / "engine.core").read_text()


def test_generate_for_a_target_without_cells_of_its_own(dorefa, tmp_path):
    folder = tmp_path / "engine"
    report = dorefa("generate", "-o", folder, "--target", "asic", "--librelane", *SMALL, "--json", "-").report
    assert report["config"]["structure"] == "compress" and report["config"]["fetch_bits"] == 8
    assert "lint" in (folder / "engine.core").read_text()
    error = dorefa("generate", "-o", folder, "--target", "ice40", "--librelane").error
    assert error == "--librelane is for gates, and ice40 has cells of its own; accepted: without --target"


def test_generate_for_no_target(dorefa, tmp_path):
    outcome = dorefa("generate", "-o", tmp_path / "engine", *SMALL, "--fetch-bits", 16)
    assert "chosen" not in outcome.out
    assert "structure = compress" in (tmp_path / "engine" / "engine.v").read_text()


def test_generate_a_pipeline_for_a_target(dorefa, tmp_path):
    model, texts = tmp_path / "small.npz", {}
    sizes = {"max_macs": 20_000, "max_size": 7, "max_channels": 8, "conv_layers": 1, "wide_padding": False}
    npz.save(random_network(7, **sizes), model)
    for target in ("ecp5", "gowin"):
        folder = tmp_path / target
        command = ("generate", "--model", model, "--architecture", "pipeline", "--effort", 0)
        assert dorefa(*command, "-o", folder, "--target", target).status == 0
        texts[target] = (folder / "pipeline.v").read_text()
    assert "CCU2C" in texts["ecp5"] and "CCU2C" not in texts["gowin"]


@pytest.mark.parametrize("target, structure", [("ecp5", "mapped"), ("gowin", "compress")])
def test_synth_sizes_for_the_target(dorefa, target, structure):
    command = ("synth", "--target", target, "--unit", "popcount", "--lanes", 16, "--no-components")
    assert dorefa(*command, "--json", "-").report["config"]["structure"] == structure
    said = dorefa(*command).out
    assert f"chosen for {target}: plane_groups 4, quant 2," in said
    said = dorefa(*command, "--preset", "tiny").out
    assert "chosen" not in said


def test_names_that_no_engine_has(dorefa):
    error = dorefa("synth", "--target", "ecp5", "--column-reads", "foo").error
    assert error == "column_reads is 'foo'; accepted: separate, shared"


def test_a_preset_stays_as_it_is(dorefa):
    command = ("synth", "--unit", "popcount", "--preset", "default", "--json", "-")
    config = dorefa(*command).report["config"]
    assert (config["structure"], config["quant"], config["acc_bits"]) == ("compress", 4, 20)


@pytest.mark.slow
@pytest.mark.sample
def test_what_a_target_alone_gives(dorefa):
    """64 lanes x 32 rows, nothing else given, in the cells of the target."""
    command = "synth --target ecp5 --w-bits 1 --a-bits 8 --encoding bipolar --lanes 64 --rows 32 --cols 1"
    report = dorefa(*command.split(), "--no-components", "--json", "-").report
    assert (report["luts"], report["ffs"], report["brams"]) == (6476, 11117, 147)
    assert report["luts_per_binary_op"] <= 3.2
