"""`--architecture pipeline`: check, generate, simulate, synth."""

import hashlib
import json
import re

import numpy as np
import pytest

from dorefa.cli.main import main
from dorefa.golden import lower, random_network
from dorefa.golden.network import npz
from dorefa.hw.pipeline.cells import Size
from dorefa.sim.pipeline import amaranth
from dorefa.synth.targets.target import Device


@pytest.fixture
def residual_model(tmp_path):
    """One with additions of trunks."""
    path = tmp_path / "residual.npz"
    npz.save(
        random_network(27, residual=True, max_macs=20_000, max_size=6, max_channels=6, wide_padding=False),
        path,
    )
    return str(path)


def run(capsys, *arguments):
    """(status, report, standard error)."""
    status = main([*arguments, "--json", "-"])
    told = capsys.readouterr()
    return status, json.loads(told.out) if told.out else None, told.err


def test_check(small_pipeline, capsys):
    status, report, _ = run(capsys, "check", small_pipeline, "--architecture", "pipeline", "--effort", "0")
    assert (status, report["supported"], report["problems"]) == (0, True, [])
    assert report["interval_cycles"] > 0 and report["latency_cycles"] > 0
    assert [layer["name"] for layer in report["layers"]] == ["conv0", "conv1", "fc"]
    assert {layer["structure"] for layer in report["layers"]} <= {"constant", "planes", "rom"}
    assert (report["device"], report["cells"], report["brams"]) == (None, None, None)


@pytest.mark.parametrize("interval", [None, 400])
def test_check_for_a_device(small_pipeline, interval, capsys):
    options = ("--interval", str(interval)) if interval else ()
    arguments = ("--architecture", "pipeline", "--effort", "0", "--device", "LFE5U-25F-6", *options)
    status, report, said = run(capsys, "check", small_pipeline, *arguments)
    assert status == 0 and report["device"] == "LFE5U-25F-6"
    assert f"{report['cells']:,} cells and {report['brams']} block RAMs predicted, of LFE5U-25F-6's" in said
    # The rest makes slots, and numbers wait in it.
    assert 0 < report["cells"] - sum(layer["cells"] for layer in report["layers"]) < 400
    assert sum(layer["brams"] for layer in report["layers"]) == report["brams"]
    assert re.search(r"^layer .*  cells  block RAMs$", said, re.MULTILINE)
    assert interval is None or 0 < interval - report["interval_cycles"] < 50


@pytest.mark.parametrize(
    "options, chosen, why",
    [
        (
            (),
            "pipeline",
            r"[\d,]+ cells and \d+ block RAMs of LFE5U-85F-6's 83,640 and 208 give an image every",
        ),
        (("--device", "LFE5U-25F-6"), "pipeline", r"[\d,]+ cells and \d+ block RAMs of LFE5U-25F-6's"),
        (("--lanes", "8"), "engine", "--lanes is 8"),
    ],
)
def test_the_architecture_is_chosen(small_pipeline, options, chosen, why, capsys):
    status = main(["check", small_pipeline, "--architecture", "auto", *options])
    told = capsys.readouterr()
    assert status == 0
    assert re.search(rf"architecture: {chosen}, because {why}", told.out)
    assert ("runs as a pipeline" in told.out) == (chosen == "pipeline")


def test_an_engine_is_chosen_for_what_no_pipeline_runs(capsys):
    """What is said of a pipeline does not matter then."""
    arguments = ("--device", "LFE5U-25F-6", "--interval", "9999", "--effort", "3")
    assert main(["check", "svhn-a", "--architecture", "auto", *arguments]) == 0
    assert "architecture: engine, because layer conv6: has 1,638,400 weights" in capsys.readouterr().out


@pytest.mark.parametrize("options", [("--preload",), ("--memory", "macro")])
def test_an_engine_is_chosen_for_what_only_engines_have(options, small_pipeline, tmp_path, capsys):
    folder = tmp_path / "out"
    arguments = ("generate", "-o", str(folder), "--model", small_pipeline, "--architecture", "auto", *options)
    assert main(arguments) == 0
    assert f"architecture: engine, because {options[0]} is " in capsys.readouterr().out
    assert (folder / "engine.v").exists()


def test_a_board_that_is_certainly_too_small_is_refused_before_synthesis(
    small_pipeline, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("dorefa.hw.pipeline.cells.predicted", lambda plan: Size(26_990, 3))
    folder, options = tmp_path / "out", ("--architecture", "pipeline", "--effort", "0")
    assert main(["build", small_pipeline, *options, "--board", "ulx3s_25f", "-o", str(folder)]) == 1
    assert (
        "as a pipeline does not fit LFE5U-25F-6: it needs 26,990 of 24,288 LUTs and 3 of 56 block RAMs, as "
        in (error := capsys.readouterr().err)
    )
    assert error.count("\n") == 1 and not folder.exists()


def test_a_choice_holds_for_the_interval_that_is_asked_for(small_pipeline, monkeypatch, capsys):
    """On a device with a cell too few for a pixel a cycle."""
    options = ("--architecture", "pipeline", "--effort", "0", "--device", "LFE5U-25F-6")
    full = run(capsys, "check", small_pipeline, *options)[1]
    cells, interval = int(full["cells"] / 0.9) - 1, full["interval_cycles"]
    small = Device(name="small", luts=cells, ffs=2 * cells, brams=99, pattern="", arguments=())
    monkeypatch.setattr("dorefa.cli.pipeline.device.named_device", lambda name: small)
    assert main(["check", small_pipeline, "--architecture", "auto", "--interval", str(interval)]) == 0
    assert "architecture: engine, because " in (told := capsys.readouterr().out)
    assert f"with an image every {interval} cycles; accepted by small: {int(0.9 * cells):,} and 99" in told
    assert main(["check", small_pipeline, "--architecture", "auto", "--effort", "0"]) == 0
    told = capsys.readouterr().out
    found = re.search(r"architecture: pipeline, .* give an image every ([\d,]+) cycles", told)
    assert int(found[1].replace(",", "")) > interval
    assert f"{found[1]} cycles from an image to the next one" in told


def test_a_longer_interval_is_used(small_pipeline, capsys):
    short = run(capsys, "check", small_pipeline, "--architecture", "pipeline", "--effort", "0")[1]
    interval = str(9 * short["interval_cycles"] + 1)
    long = run(
        capsys, "check", small_pipeline, "--architecture", "pipeline", "--effort", "0", "--interval", interval
    )[1]
    assert long["interval_cycles"] == 9 * short["interval_cycles"]
    assert {layer["structure"] for layer in long["layers"]} == {"planes", "rom"}


def test_generate(small_pipeline, tmp_path, capsys):
    folder = tmp_path / "out"
    arguments = (
        "generate",
        "-o",
        str(folder),
        "--model",
        small_pipeline,
        "--architecture",
        "pipeline",
        "--effort",
        "5",
    )
    status, report, _ = run(capsys, *arguments)
    assert status == 0 and report["architecture"] == "pipeline"
    verilog = (folder / "pipeline.v").read_bytes()
    description = json.loads((folder / "pipeline.json").read_text())
    assert b"module dorefa_pipeline(" in verilog
    assert description["sha256"] == {"pipeline.v": hashlib.sha256(verilog).hexdigest()}
    assert description["interval_cycles"] == report["interval_cycles"]
    assert run(capsys, *arguments)[0] == 0
    assert (folder / "pipeline.v").read_bytes() == verilog


@pytest.mark.parametrize("simulator", ["auto", "amaranth", pytest.param("icarus", marks=pytest.mark.icarus)])
def test_simulate(small_pipeline, simulator, tmp_path, capsys):
    numbers = tmp_path / "numbers.npy"
    status, report, said = run(
        capsys,
        *(
            "simulate",
            small_pipeline,
            "--architecture",
            "pipeline",
            "--effort",
            "5",
            "--simulator",
            simulator,
        ),
        *("--limit", "3", "--output", str(numbers)),
    )
    assert status == 0 and report["bit_exact"] and report["images"] == 3
    assert report["measured_latency_cycles"] == report["latency_cycles"]
    assert np.load(numbers).shape[0] == 3
    assert report["compared"] == ["conv0", "conv1", "fc"]
    assert "bit-exact: yes, 3 layers compared" in said
    assert simulator in ("auto", report["simulator"])


def test_simulate_says_where_the_first_difference_is(small_pipeline, monkeypatch, capsys):
    """A bit of a code inside that no result needs to show."""
    original = amaranth.run_streams

    def broken(*arguments, **options):
        found = original(*arguments, **options)
        words = found.maps[0][1].copy()
        words[2, 0] ^= 1
        found.maps[0][1] = words
        return found

    monkeypatch.setattr(amaranth, "run_streams", broken)
    arguments = (
        "simulate",
        small_pipeline,
        "--architecture",
        "pipeline",
        "--effort",
        "0",
        "--simulator",
        "amaranth",
    )
    status, report, said = run(capsys, *arguments, "--limit", "3")
    assert (status, report["bit_exact"], report["mismatch_count"]) == (1, False, 1)
    (first,) = report["mismatches"]
    width = lower(npz.load(small_pipeline)).layers[0].out_shape[1]
    place = {"layer": "conv0", "image": 1, "y": 2 // width, "x": 2 % width, "channel": 0, "plane": 0}
    assert first.items() >= place.items() and first["expected"] ^ 1 == first["got"]
    where = ", ".join(f"{name} {value}" for name, value in place.items())
    assert f"is not bit-exact: 1 differences, the first: {where}: expected" in said


def test_residual(residual_model, tmp_path, capsys):
    """Reports say what is added, and the Verilog is bit-exact and as late as planned."""
    status, report, said = run(
        capsys, "simulate", residual_model, "--architecture", "pipeline", "--effort", "5", "--limit", "3"
    )
    assert status == 0 and report["bit_exact"] and report["images"] == 3
    assert report["measured_latency_cycles"] == report["latency_cycles"]
    names = [layer["name"] for layer in report["layers"]]
    adding = [layer for layer in report["layers"] if layer["adds"] is not None]
    assert adding and all(layer["adds"] in names and layer["waiting_pixels"] > 0 for layer in adding)
    assert all(layer["waiting_pixels"] == 0 for layer in report["layers"] if layer not in adding)
    assert re.search(r"structure +.* adds +waiting", said)
    folder = tmp_path / "out"
    options = ("--model", residual_model, "--architecture", "pipeline", "--effort", "5")
    assert run(capsys, "generate", "-o", str(folder), *options)[0] == 0
    assert json.loads((folder / "pipeline.json").read_text())["layers"] == report["layers"]


@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_synth(small_pipeline, target, capsys):
    options = ("--architecture", "pipeline", "--effort", "5", "--target", target)
    status, report, _ = run(capsys, "synth", "--model", small_pipeline, *options)
    assert status == 0 and report["unit"] == "pipeline" and report["luts"] > 0
    assert report["interval_cycles"] > 0 and len(report["layers"]) == 3
    assert ("CCU2C" in report["cell_types"]) == (target == "ecp5")
    assert report["images_per_second"] is report["latency_ns"] is None


def test_synth_says_times_at_the_routed_clock(small_pipeline, capsys):
    options = ("--effort", "0", "--interval", "3000", "--target", "ecp5", "--pnr", "--device", "LFE5U-25F-6")
    arguments = ("synth", "--model", small_pipeline, "--architecture", "pipeline", *options, "--seed", "1,2")
    status, report, said = run(capsys, *arguments, "--no-components")
    clock = 1e6 * report["fmax_median_mhz"]
    assert status == 0 and report["images_per_second"] == clock / report["interval_cycles"]
    assert report["latency_ns"] == pytest.approx(1e9 * report["latency_cycles"] / clock)
    assert re.search(
        r"cycles an image: [\d,.]+ images a second at the median; [\d,]+ cycles from .* ns$", said, re.M
    )
