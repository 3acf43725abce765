"""`dorefa simulate`: report, files, defaults and refusals."""

import json
from importlib import import_module

import numpy as np
import pytest

from dorefa.golden import run_integer
from dorefa.hw.compiler.sizing import fit


def test_report_and_files(dorefa, small, tmp_path):
    model, images, network = small
    outcome = dorefa(
        "simulate",
        model,
        "--input",
        images,
        "--limit",
        3,
        "--output",
        tmp_path / "y.npy",
        "--logits",
        tmp_path / "l.npy",
        "--stalls",
        30,
        "--json",
        "-",
    )
    assert outcome.status == 0
    report = outcome.report
    assert report["bit_exact"] is True and report["images"] == 3
    assert report["mismatch_count"] == 0 and report["mismatches"] == []
    assert report["simulator"] == "verilator"
    assert report["config"] == fit(network).as_dict()
    assert [layer["name"] for layer in report["layers"]] == [x.name for x in network.layers]
    assert report["cycles"] == pytest.approx(sum(layer["cycles"] for layer in report["layers"]))
    assert {"load_cycles", "unload_cycles"} <= set(report)
    expected = run_integer(network, np.load(images)[:3])[network.layers[-1].name]
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)
    golden = dorefa("golden", model, "--input", images, "--logits", tmp_path / "g.npy")
    assert golden.status == 0
    np.testing.assert_array_equal(np.load(tmp_path / "l.npy"), np.load(tmp_path / "g.npy")[:3])


def test_random_images_without_input(dorefa, small):
    model, _, _ = small
    assert dorefa("simulate", model, "--limit", 2, "--json", "-").report["images"] == 2


def test_digits_bring_their_images_and_labels(dorefa):
    report = dorefa("simulate", "digits", "--lanes", 32, "--rows", 16, "--limit", 10, "--json", "-").report
    assert report["bit_exact"] is True and report["images"] == 10
    assert report["accuracy"] >= 0.9


def test_difference_is_status_1_and_the_report_is_written(dorefa, small, tmp_path, monkeypatch):
    model, images, network = small

    def wrong(integer, codes):
        results = run_integer(integer, codes)
        results[network.layers[0].name][0, 0, 0, 0] ^= 1
        return results

    monkeypatch.setattr(import_module("dorefa.sim.simulation"), "run_integer", wrong)
    path = tmp_path / "report.json"
    outcome = dorefa("simulate", model, "--input", images, "--limit", 1, "--json", path)
    first = f"layer {network.layers[0].name}, image 0"
    assert f"is not bit-exact: 1 differences, the first: {first}" in outcome.error
    report = json.loads(path.read_text())
    assert report["bit_exact"] is False and report["mismatch_count"] == 1
    assert report["mismatches"][0]["layer"] == network.layers[0].name
    assert "bit-exact: NO" in outcome.out


def test_latency_of_streamed_weights(dorefa, small):
    model, images, _ = small
    options = ("--input", images, "--limit", 1, "--weights", "stream", "--simulator", "amaranth")
    prompt, slow = (
        dorefa("simulate", model, *options, "--latency", latency, "--json", "-") for latency in (0, 400)
    )
    assert prompt.report["bit_exact"] is slow.report["bit_exact"] is True
    assert slow.report["cycles"] > prompt.report["cycles"]
    assert "bytes per cycle needed" in slow.err
    for layer in slow.report["layers"]:
        assert layer["transfer_cycles"] > 0 < layer["bytes_per_cycle"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--latency", -1), "latency is -1; accepted: an integer, 0 to 100000 cycles"),
        (("--batch", 2), "layer conv0: batch is 2, but the layer is a convolution"),
        (("--limit", 0), "limit is 0; accepted: an integer of at least 1"),
        (("--stalls", 100), "stalls is 100; accepted: an integer, 0 to 90 percent"),
        (("--lanes", 0), "lanes is 0"),
        (("--weight-depth", 1, "--lanes", 8, "--rows", 1), "weight memory: the network needs"),
    ],
)
def test_refusals(dorefa, small, options, message):
    model, images, _ = small
    assert message in dorefa("simulate", model, "--input", images, *options).error


def test_missing_simulator_says_what_to_install(dorefa, small, monkeypatch):
    model, images, _ = small
    monkeypatch.setenv("PATH", "")
    error = dorefa("simulate", model, "--input", images, "--simulator", "icarus").error
    assert "Icarus Verilog is missing" in error and "iverilog" in error


def test_unwritable_output_is_refused_before_running(dorefa, small, tmp_path):
    model, images, _ = small
    error = dorefa("simulate", model, "--input", images, "--output", tmp_path / "no" / "y").error
    assert "cannot be written" in error
