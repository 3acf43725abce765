"""`dorefa explore`: table, plots, recommendation, cache, interruption, a Dask cluster."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import distributed
import platformdirs
import pytest

from dorefa.golden import random_network
from dorefa.golden.network import npz

SWEEP = ("--target", "ice40", "--lanes", "8,16", "--rows", "1,2", "--fetch-bits", "16")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder of measured points, empty; the tools keep the cache that they have."""
    tools = os.environ.get("YOWASP_CACHE_DIR", platformdirs.user_cache_dir("YoWASP", appauthor=False))
    monkeypatch.setenv("YOWASP_CACHE_DIR", tools)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dorefa" / "explore"


@pytest.fixture
def model(tmp_path, seed):
    """A small network in a file."""
    path = tmp_path / "small.npz"
    npz.save(random_network(seed, conv_layers=1, a_bits=2, max_macs=20_000, max_size=6, max_channels=6), path)
    return path


@pytest.mark.slow
@pytest.mark.sample
def test_workers_and_cluster_make_the_same_table(dorefa, model, cache, tmp_path, monkeypatch):
    outcome = dorefa(
        "explore", model, *SWEEP, "--jobs", 2, "-o", tmp_path / "here", "--json", tmp_path / "r.json"
    )
    assert outcome.status == 0, outcome.err
    assert "4 points, 0 of them from the cache" in outcome.out
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
        there = dorefa(
            "explore", model, *SWEEP, "--cluster", cluster.scheduler_address, "-o", tmp_path / "there"
        )
    assert there.status == 0, there.err
    assert "4 points, 0 of them from the cache" in there.out
    names = ["efficiency.png", "efficiency.svg", "explore.csv", "throughput.png", "throughput.svg"]
    assert sorted(os.listdir(tmp_path / "here")) == sorted(os.listdir(tmp_path / "there")) == names
    for name in names:
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes(), name


def test_table_report_and_second_run(dorefa, model, cache, tmp_path):
    first = dorefa("explore", model, *SWEEP, "-o", tmp_path / "a", "--json", "-")
    assert first.status == 0, first.err
    report = first.report
    assert report["measured"] == 4 and report["cached"] == 0
    assert report["device"] == "iCE40-HX8K" and report["board"] is None
    refused = [point for point in report["points"] if point["reason"]]
    assert [point["parameters"]["lanes"] for point in refused] == [8, 8]
    assert all("fetch_bits is 16; accepted: at most lanes = 8" in point["reason"] for point in refused)
    usable = [point for point in report["points"] if not point["reason"]]
    assert report["recommended"] == min(usable, key=lambda point: point["cycles"])
    assert report["recommended"]["pareto"]
    for point in usable:
        checked = dorefa(
            "check",
            model,
            "--lanes",
            16,
            "--rows",
            point["parameters"]["rows"],
            "--fetch-bits",
            16,
            "--structure",
            "mapped",
            "--prefetch",
            0,
            "--json",
            "-",
        ).report
        assert checked["config"] == point["config"] and checked["cycles_estimate"] == point["cycles"]
        assert checked["interval_cycles"] == point["interval_cycles"]
        assert point["images_per_second_per_mhz"] == 1e6 / point["interval_cycles"]
        assert checked["latency_cycles"] == point["latency_cycles"]
    with open(tmp_path / "a" / "explore.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["reason"] for line in lines] == [point["reason"] or "" for point in report["points"]]
    assert [line["lanes"] for line in lines] == ["8", "8", "16", "16"]
    assert [line["luts"] for line in lines] == [
        "" if point["luts"] is None else str(point["luts"]) for point in report["points"]
    ]
    assert (tmp_path / "a" / "throughput.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "a" / "efficiency.svg").read_bytes()

    again = dorefa("explore", model, *SWEEP, "-o", tmp_path / "b", "--json", "-").report
    assert again["measured"] == 0 and again["cached"] == 4
    assert again["points"] == report["points"]
    table = "explore.csv"
    assert (tmp_path / "a" / table).read_bytes() == (tmp_path / "b" / table).read_bytes()


@pytest.mark.slow
@pytest.mark.sample
def test_an_interrupted_exploration_goes_on(dorefa, model, cache, tmp_path):
    sweep = ("--target", "ice40", "--lanes", "8", "--rows", "1,2,3", "--jobs", "2")
    command = [sys.executable, "-m", "dorefa.cli", "explore", str(model), *sweep, "-o", str(tmp_path / "x")]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore the signal, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while process.poll() is None and not list(cache.glob("point-*")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate()
    assert process.returncode == 130 and error == "dorefa: interrupted\n"
    assert not (tmp_path / "x").exists()
    kept = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert 1 <= len(kept) < 3 and all(path.name.startswith("point-") for path in kept)

    report = dorefa("explore", model, *sweep, "-o", tmp_path / "x", "--json", "-").report
    assert report["cached"] == len(kept) and report["measured"] == 3 - len(kept)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(cache.iterdir())) == 3 and all(point["luts"] for point in report["points"])


@pytest.mark.slow
def test_routed_points_are_compared_in_images_a_second(dorefa, model, cache, tmp_path):
    outcome = dorefa(
        "explore",
        model,
        "--target",
        "ecp5",
        "--device",
        "LFE5U-25F-6",
        "--pnr",
        "--lanes",
        8,
        "--rows",
        1,
        "--fetch-bits",
        "8,16",
        "-o",
        tmp_path / "x",
        "--json",
        tmp_path / "r.json",
    )
    assert outcome.status == 0, outcome.err
    best = json.loads((tmp_path / "r.json").read_text())["recommended"]
    assert best["images_per_second"] == best["fmax_mhz"] * best["images_per_second_per_mhz"]
    assert best["luts"] > 1000 and best["luts_per_binary_op"] == best["luts"] / 8
    assert f"{best['images_per_second']:,.1f} images a second at {best['fmax_mhz']:.2f} MHz" in outcome.out
    assert (tmp_path / "x" / "throughput.png").exists()


def test_gates_cost_cells(dorefa, model, cache, tmp_path):
    outcome = dorefa(
        "explore", model, "--target", "asic", "--lanes", 8, "--rows", 1, "-o", tmp_path / "x", "--json", "-"
    )
    best = outcome.report["recommended"]
    assert best["luts"] is None and outcome.report["device"] is None
    assert "recommended, the fastest on asic: --lanes 8 --rows 1" in outcome.err
    assert f"{best['cells']:,} cells, {best['brams']} block RAMs" in outcome.err


def test_nothing_fits(dorefa, cache):
    outcome = dorefa(
        "explore", "digits-small", "--board", "icebreaker", "--lanes", 32, "--rows", 16, "--json", "-"
    )
    assert outcome.status == 0
    report = outcome.report
    assert report["recommended"] is None and report["device"] == "iCE40-UP5K"
    (point,) = report["points"]
    assert point["reason"].startswith("does not fit iCE40-UP5K: it needs ")
    assert point["brams"] > 30 and f"{point['brams']} of 30 block RAMs" in point["reason"]
    assert "recommended: none, because no point fits icebreaker" in outcome.err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--target", "ecp6"), "unknown target 'ecp6'; accepted: ice40, ecp5, "),
        (("--board", "icebraker"), "unknown board 'icebraker'; accepted: ulx3s_12f, "),
        (("--board", "icebreaker", "--target", "ecp5"), "--target is 'ecp5'; accepted with board icebreaker"),
        (("--board", "icebreaker", "--device", "iCE40-HX8K"), "--device is 'iCE40-HX8K'; accepted with a"),
        (("--device", "LFE3"), "device is 'LFE3'; accepted for ecp5: LFE5U-85F-6, "),
        (("--target", "xilinx", "--pnr"), "no place and route for target xilinx; accepted: ice40, ecp5, "),
        (("--lanes", "32,x"), "lanes is '32,x'; accepted: integers, as 32,64"),
        (("--lanes", "32,"), "lanes is '32,'; accepted: integers, as 32,64"),
        (("--rows", "16,300"), "rows is 300; accepted: 1 to 256"),
        (("--pipeline", "none,deep"), "pipeline is 'deep'; accepted: none, level, "),
        (("--jobs", "0"), "--jobs is 0; accepted: at least 1"),
        (("--cluster", "here"), "cluster 'here': missing port number"),
    ],
)
def test_refusals(dorefa, cache, arguments, message, tmp_path):
    """One line, and neither a report nor a folder is left."""
    outputs = ("-o", tmp_path / "made" / "explored", "--json", tmp_path / "r.json")
    assert dorefa("explore", "digits-small", *arguments, *outputs).error.startswith(message)
    assert not (tmp_path / "r.json").exists()
    assert not (tmp_path / "made").exists()


def test_a_cache_that_cannot_be_made_leaves_no_folder(dorefa, cache, tmp_path):
    (tmp_path / "cache").write_text("")
    error = dorefa("explore", "digits-small", *SWEEP, "-o", tmp_path / "made" / "explored").error
    assert error == f"{cache}: Not a directory; accepted: XDG_CACHE_HOME naming a writable folder with space"
    assert not (tmp_path / "made").exists()


def test_cluster_without_scheduler_or_with_another_dorefa(dorefa, model, cache, monkeypatch):
    from dorefa.synth.campaign import makers

    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        error = dorefa("explore", model, *SWEEP, "--cluster", address).error
        assert error.startswith(f"cluster '{address}' has no workers; accepted: the address of a running")
        cluster.scale(1)
        cluster.wait_for_workers(1)
        monkeypatch.setattr(makers, "source_digest", lambda _: "another")
        error = dorefa("explore", model, *SWEEP, "--cluster", address).error
        assert "has another dorefa or other tools; accepted: the same on all machines" in error
    assert dorefa("explore", model, "--jobs", 2, "--cluster", address).status == 2
