"""`dorefa explore --architecture pipeline`, `auto`: points, table, recommendation, refusals."""

import csv
import os

import platformdirs
import pytest

from dorefa.golden import random_network
from dorefa.golden.network import npz

ECP5 = ("--target", "ecp5", "--device", "LFE5U-25F-6", "--effort", 0, "--jobs", 1)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of measured points, empty; the tools keep the cache that they have."""
    tools = os.environ.get("YOWASP_CACHE_DIR", platformdirs.user_cache_dir("YoWASP", appauthor=False))
    monkeypatch.setenv("YOWASP_CACHE_DIR", tools)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dorefa" / "explore"


def network(**options):
    """A small network."""
    sizes = {"max_macs": 20_000, "max_size": 5, "max_channels": 6, "conv_layers": 1, "wide_padding": False}
    return random_network(**({"seed": 7} | sizes | options))


@pytest.fixture
def model(tmp_path):
    """A small network in a file."""
    path = tmp_path / "small.npz"
    npz.save(network(), path)
    return path


def test_both_in_one_table(dorefa, model, cache, tmp_path):
    planned = ("--architecture", "pipeline", "--effort", 0, "--device", "LFE5U-25F-6")
    checked = dorefa("check", model, *planned, "--json", "-").report
    least = checked["interval_cycles"]
    sweep = ("--lanes", 8, "--rows", 1, "--interval", f"{least},{9 * least + 1},{least + 1}")
    arguments = ("explore", model, "--architecture", "auto", *ECP5, *sweep)
    outcome = dorefa(*arguments, "-o", tmp_path / "a", "--json", "-")
    assert outcome.status == 0, outcome.err
    report = outcome.report
    engine, fast, slow = report["points"]
    assert [point["architecture"] for point in report["points"]] == ["engine", "pipeline", "pipeline"]
    assert fast["parameters"] == {"interval": least, "effort": 0}
    assert slow["cycles"] == slow["interval_cycles"] == 9 * least
    assert fast["latency_cycles"] == checked["latency_cycles"]
    assert [layer["structure"] for layer in fast["layers"]] == [
        layer["structure"] for layer in checked["layers"]
    ]
    assert fast["config"] is None and engine["layers"] is None
    assert engine["cycles"] < engine["interval_cycles"] == engine["latency_cycles"] + 2
    assert fast["binary_ops"] == engine["binary_ops"]
    assert fast["predicted_cells"] == checked["cells"]
    assert fast["predicted_brams"] == fast["brams"] and engine["predicted_cells"] is None
    assert report["recommended"] == fast and fast["pareto"]
    ratio, rate = engine["interval_cycles"] / least, 1e6 / engine["interval_cycles"]
    because = f"the fastest engine has {rate:,.1f} images/s/MHz with {engine['luts']:,} LUTs"
    assert report["recommended_because"].startswith(f"{because}: this is {ratio:.2f} times that speed with ")
    assert f"LFE5U-25F-6: --architecture pipeline --interval {least} --effort 0\n" in outcome.err
    assert f"because {report['recommended_because']}\n" in outcome.err
    with open(tmp_path / "a" / "explore.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["architecture"] for line in lines] == ["engine", "pipeline", "pipeline"]
    assert [line["interval"] for line in lines] == ["", str(least), str(9 * least)]
    assert lines[1]["latency_cycles"] == str(fast["latency_cycles"]) and lines[1]["lanes"] == ""

    again = dorefa(*arguments, "-o", tmp_path / "b", "--json", "-").report
    assert again["measured"] == 0 and again["cached"] == 3 and again["points"] == report["points"]
    for name in os.listdir(tmp_path / "a"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_sizes_are_those_of_synth(dorefa, model, cache):
    """On a target that sizes are not predicted for, too."""
    options = ("--architecture", "pipeline", "--effort", 0, "--target", "ice40")
    (point,) = dorefa("explore", model, *options, "--interval", 100, "--json", "-").report["points"]
    made = dorefa("synth", "--model", model, *options, "--interval", 100, "--no-components", "--json", "-")
    assert point["reason"] is None and point["predicted_cells"] is None
    for name in ("luts", "ffs", "brams", "cells", "luts_per_binary_op", "interval_cycles", "latency_cycles"):
        assert point[name] == made.report[name], name


def test_what_no_pipeline_runs_is_a_point_with_a_reason(dorefa, cache, tmp_path):
    path = tmp_path / "padded.npz"
    npz.save(network(seed=8, wide_padding=True), path)
    arguments = (*ECP5, "--architecture", "auto", "--lanes", 8, "--rows", 1)
    outcome = dorefa("explore", path, *arguments, "--json", "-")
    engine, pipeline = outcome.report["points"]
    assert pipeline["reason"].endswith("the engine (--architecture engine) runs it")
    assert outcome.report["recommended"] == engine
    assert f"because no pipeline of 1 is usable: {pipeline['reason']}\n" in outcome.err
    assert "LFE5U-25F-6: --architecture engine --lanes 8 --rows 1" in outcome.err


def test_the_reason_of_a_single_point(dorefa, cache):
    outcome = dorefa("explore", "svhn-a", "--architecture", "pipeline", "--jobs", 1)
    assert outcome.status == 0
    assert (
        "\nunusable: layer conv6: has 1,638,400 weights; accepted as constants: at most 1,000" in outcome.out
    )
    assert "recommended: none, because no point fits LFE5U-85F-6" in outcome.out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--interval", "5"), "--interval is 5; accepted: only with --architecture pipeline, auto"),
        (("--effort", "5"), "--effort is 5; accepted: only with --architecture pipeline, hybrid, auto"),
        (("--architecture", "pipeline", "--lanes", "8,16"), "--lanes is 8,16; accepted: only with --archit"),
        (("--architecture", "pipeline", "--preset", "tiny"), "--preset is tiny; accepted: only with --arch"),
        (("--architecture", "pipeline", "--interval", "784,x"), "--interval is '784,x'; accepted: integers"),
        (("--architecture", "pipeline", "--interval", ""), "--interval is ''; accepted: integers, as 784,3"),
        (("--architecture", "auto", "--interval", "784,0"), "--interval is 0; accepted: 784, a pixel a cyc"),
        (("--architecture", "auto", "--interval", "-1"), "--interval is -1; accepted: 784, a pixel a cycle"),
        (("--architecture", "auto", "--interval", "9" * 12), "--interval is 999999999999; accepted: 784, a"),
        (("--architecture", "auto", "--effort", "-1"), "--effort is -1; accepted: 0 or more evaluations"),
    ],
)
def test_refusals(dorefa, cache, arguments, message, tmp_path):
    """One line, and neither a report nor a folder is left."""
    outputs = ("-o", tmp_path / "made" / "explored", "--json", tmp_path / "r.json")
    assert dorefa("explore", "digits-small", *arguments, *outputs).error.startswith(message)
    assert not (tmp_path / "r.json").exists() and not (tmp_path / "made").exists()
