"""`dorefa check`: every problem at once, the nearest engine that works, and the report."""

import json
import math

import pytest

from dorefa.golden.network import npz

from ..hw.separable import separable_network


def test_supported_network(dorefa):
    outcome = dorefa("check", "digits", "--lanes", 32, "--rows", 16, "--json", "-")
    assert outcome.status == 0
    report = outcome.report
    assert report["supported"] is True and report["problems"] == []
    assert report["config"]["lanes"] == 32 and report["config"]["rows"] == 16
    names = [layer["name"] for layer in report["layers"]]
    assert names == ["conv0", "conv1", "conv2", "conv3", "conv4", "fc1"]
    assert report["cycles_estimate"] == sum(layer["cycles"] for layer in report["layers"])
    # Loading is not among the layers' cycles.
    assert report["cycles_estimate"] < report["latency_cycles"] == report["interval_cycles"] - 2
    assert report["memory_bits"] == sum(report["memories"].values()) > 100_000
    assert all(layer["bound"] <= layer["cycles"] for layer in report["layers"])


def test_every_problem_is_listed_and_the_report_is_written(dorefa, tmp_path):
    path = tmp_path / "report.json"
    outcome = dorefa(
        "check",
        "digits",
        "--lanes",
        0,
        "--rows",
        16,
        "--quant",
        0,
        "--acc-bits",
        5,
        "--weight-depth",
        10,
        "--json",
        path,
    )
    assert "does not run on this engine" in outcome.error
    report = json.loads(path.read_text())
    assert report["supported"] is False and len(report["problems"]) >= 4
    for start in ("lanes is 0;", "quant is 0;", "layer fc1: acc_bits is 5;", "weight memory: "):
        found = [problem for problem in report["problems"] if problem.startswith(start)]
        assert len(found) == 1, start
        assert f"problem: {found[0]}\n" in outcome.out
    assert "(and " in outcome.error


def test_memory_too_small_says_which_and_how_much(dorefa):
    outcome = dorefa("check", "digits", "--lanes", 32, "--rows", 16, "--weight-depth", 10)
    assert "weight memory: the network needs" in outcome.error
    assert "too few; accepted: weight_depth of at least" in outcome.error


def test_nearest_engine_works(dorefa):
    outcome = dorefa("check", "digits", "--preset", "tiny", "--lanes", 24, "--json", "-")
    assert outcome.status == 1
    nearest = json.loads(outcome.out)["nearest"]
    assert "lanes" not in nearest and nearest
    options = [f"--{name.replace('_', '-')}={value}" for name, value in nearest.items()]
    assert dorefa("check", "digits", "--preset", "tiny", "--lanes", 24, *options).status == 0


def test_configuration_file(dorefa, tmp_path):
    path = tmp_path / "engine.toml"
    path.write_text("lanes = 48\nrows = 8\n")
    report = dorefa("check", "digits", "--config", path, "--rows", 12, "--json", "-").report
    assert (report["config"]["lanes"], report["config"]["rows"]) == (48, 12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lanes = '48'", "lanes is '48'; accepted: an integer"),
        ("lanes = true", "lanes is True; accepted: an integer"),
        ("encoding = 3", "encoding is 3; accepted: a string"),
        ("lane = 48", "unknown engine parameter 'lane'; accepted: lanes, "),
        ("lanes =", "not TOML"),
    ],
)
def test_wrong_configuration_file(dorefa, tmp_path, text, message):
    path = tmp_path / "engine.toml"
    path.write_text(text)
    error = dorefa("check", "digits", "--config", path).error
    assert error.startswith(f"{path}: ") and message in error


def test_missing_configuration_file_and_preset(dorefa, tmp_path):
    assert "No such file" in dorefa("check", "digits", "--config", tmp_path / "none.toml").error
    error = dorefa("check", "digits", "--preset", "huge").error
    assert error.startswith("unknown preset 'huge'; accepted: default, ")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--lanes", -1, "lanes is -1"),
        ("--cols", 99, "cols is 99; accepted: 1 to 16"),
        ("--weights", "disk", "weights is 'disk'; accepted: onchip, stream"),
        ("--engines", 5, "engines is 5; accepted: 1 to 4"),
        ("--quantizer", "table", "quantizer is 'table'; accepted: thresholds, affine"),
        ("--port-bytes", 0, "port_bytes is 0; accepted: 1 to 64"),
    ],
)
def test_wrong_engine_option(dorefa, option, value, message):
    assert message in dorefa("check", "digits", option, value).error


def test_streamed_weights_say_what_they_need(dorefa):
    options = ("--lanes", 64, "--rows", 64, "--port-bytes", 8, "--weights", "stream", "--json", "-")
    outcome = dorefa("check", "alexnet-fc", *options)
    report = outcome.report
    assert "compute-bound from batch" in outcome.err
    for layer in report["layers"]:
        assert layer["bound_by"] == "transfer" and layer["bytes_per_cycle"] > 8
        # A layer of one pixel needs so many more bytes as it needs images.
        assert layer["compute_bound_batch"] == math.ceil(layer["bytes_per_cycle"] / 8)
    assert report["stream_bytes"] == 8 * sum(layer["transfer_cycles"] for layer in report["layers"])
    enough = max(layer["compute_bound_batch"] for layer in report["layers"])
    packed = dorefa("check", "alexnet-fc", *options, "--batch", enough).report
    assert "transfer" not in {layer["bound_by"] for layer in packed["layers"]}
    assert packed["stream_bytes"] == report["stream_bytes"] / enough
    assert packed["cycles_estimate"] < report["cycles_estimate"] / 10


def test_streamed_trunks_are_said(dorefa):
    """What leaves comes back, and ports that never wait cost next to nothing."""
    options = ("--net-size", "32x32", "--lanes", 64, "--rows", 64, "--json", "-")
    inside = dorefa("check", "resnet18", *options).report
    outcome = dorefa("check", "resnet18", *options, "--trunks", "stream")
    report = outcome.report
    out, back = (sum(layer[f"trunk_bytes_{way}"] for layer in report["layers"]) for way in ("out", "in"))
    # Stages of 64 to 512 channels of 16 bits, on maps of 8x8 pixels to one; two trunks each.
    assert out == back == 2 * 2 * sum(64 * 8 * 8 >> stage for stage in range(4))
    assert report["trunk_stream_bytes"] == out + back
    assert f"{out + back:,} bytes of residual trunks stream out and in per image" in outcome.err
    assert "trunk bytes out" in outcome.err
    assert inside["trunk_stream_bytes"] == 0 and "trunk bytes" not in dorefa("check", "resnet18").err
    waits = report["cycles_estimate"] - inside["cycles_estimate"]
    assert 0 <= waits < 0.01 * inside["cycles_estimate"]


def test_streamed_trunks_of_a_chain_are_refused(dorefa):
    error = dorefa("check", "digits", "--trunks", "stream").error
    assert "trunks is 'stream'; accepted: 'onchip', because the network adds no residual trunk" in error


def test_batch_of_a_network_with_maps_is_refused(dorefa):
    outcome = dorefa("check", "digits", "--batch", 4)
    assert "layer conv0: batch is 4, but the layer is a convolution to" in outcome.error


def test_merged_groups_and_slow_layers_are_said(dorefa, tmp_path, rng):
    model, path = tmp_path / "separable.npz", tmp_path / "report.json"
    npz.save(separable_network(rng, groups=32, w_bits=4, a_bits=4), model)
    outcome = dorefa("check", model, "--lanes", 64, "--rows", 32, "--json", path)
    layer = json.loads(path.read_text())["layers"][1]
    assert layer["merged_groups"] == 32 and layer["slow"].startswith("0.031 of the products")
    line = (
        f"groups: utilization {layer['utilization']:.3f}; 32 channel groups computed as one; "
        f"slow: {layer['slow']}\n"
    )
    assert line in outcome.out
