# amaranth: UnusedElaboratable=no
"""`dorefa build --architecture pipeline` and `dorefa run` on such a board: files, reports and refusals."""

import json
import os
from hashlib import sha256

import numpy as np
import pytest

from dorefa.cli.run import read_settings
from dorefa.golden import logits, random_images, random_network
from dorefa.golden.network import npz
from dorefa.hw.pipeline.board import pipeline_board
from dorefa.hw.pipeline.plan import make_plan
from dorefa.sim.amaranth.serial_port import SimulatedPort
from dorefa.synth.boards.pipeline_report import pipeline_settings

from ..board_support import BAUD, DIVISOR, bitstream_of, on_a_terminal
from ..hw.pipeline.bench import expected, network_of

PIPELINE = ("--architecture", "pipeline", "--effort", 0)


@pytest.fixture
def model(tmp_path):
    """A small network in a file."""
    path = tmp_path / "small.npz"
    npz.save(
        random_network(7, max_macs=20_000, max_size=7, max_channels=8, conv_layers=2, wide_padding=False),
        path,
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "board", [pytest.param("ulx3s_25f", marks=pytest.mark.sample), "ice40_hx8k_b_evn", "tang_nano_9k"]
)
def test_files_and_report(board, model, dorefa, tmp_path):
    """What is written is what `dorefa run` reads."""
    folder = tmp_path / "board"
    outcome = dorefa("build", model, "--board", board, *PIPELINE, "-o", folder, "--json", "-")
    assert outcome.status == 0, outcome.err
    report, written = outcome.report, sorted(os.listdir(folder))
    assert written[0] == "board.json" and f"{board}.v" in written
    assert report["bitstream"] in [str(folder / name) for name in written]
    assert report["fmax_mhz"] >= report["clock_mhz"] and report["luts"] > 0
    assert report["architecture"] == "pipeline" and len(report["layers"]) == 3
    assert report["fps"] == pytest.approx(1e6 * report["fmax_mhz"] / report["interval_cycles"])
    assert report["latency_us"] == pytest.approx(report["latency_cycles"] / report["clock_mhz"])
    assert report["fps_end_to_end"] < report["fps_host"] < report["fps_clock"] <= report["fps"]
    settings = read_settings(str(folder / "board.json"))
    assert settings["latency_cycles"] == report["latency_cycles"]
    assert settings["sha256"] == {
        name: sha256((folder / name).read_bytes()).hexdigest() for name in written[1:]
    }


@pytest.mark.slow
def test_a_network_that_does_not_fit(dorefa, tmp_path):
    outcome = dorefa("build", "digits-small", "--board", "icebreaker", *PIPELINE, "-o", tmp_path / "board")
    assert " does not fit ICEBreakerPlatform: it needs " in outcome.error
    assert outcome.error.endswith("accepted: a longer --interval, a smaller network or a larger board")
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--interval", 9), "--interval is 9; accepted: only with --architecture pipeline, auto"),
        ((*PIPELINE, "--lanes", 8), "--lanes is 8; accepted: only with --architecture engine"),
        ((*PIPELINE, "--training"), "--training is 1; accepted: only with --architecture engine"),
        ((*PIPELINE, "--net-g", 4), "--net-g is 4; accepted: only with --architecture engine"),
        ((*PIPELINE, "--interval", 1), "--interval is 1; accepted: "),
        (
            (*PIPELINE, "--baud", 20_000_000),
            "baud is 20000000 at a clock of 50 MHz; accepted: at most 12500000 (4 cycles a bit)",
        ),
        ((*PIPELINE, "--clock", 5000), "clock is 5000 MHz; accepted with the PLL: "),
    ],
)
def test_refusals(options, message, model, dorefa, tmp_path):
    outcome = dorefa("build", model, "--board", "ulx3s_25f", *options, "-o", tmp_path / "board")
    assert outcome.error.startswith(message)
    assert not (tmp_path / "board").exists()


def test_networks_that_no_pipeline_runs(dorefa, tmp_path):
    path = tmp_path / "padded.npz"
    # A map of one pixel, whose window is all padding but for that.
    npz.save(random_network(10, max_macs=20_000, conv_layers=2, wide_padding=True), path)
    outcome = dorefa("build", path, "--board", "ulx3s_25f", *PIPELINE, "-o", tmp_path / "board")
    assert outcome.error.endswith("; the engine (--architecture engine) runs it")
    assert not (tmp_path / "board").exists()


@pytest.fixture
def programmed(tmp_path):
    """A network, its plan, and the command that runs two images on a simulated board with it, without the
    port: the settings file is the one of the build."""
    network = network_of(3)
    plan = make_plan(network, evaluations=0)
    made = bitstream_of(pipeline_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD))
    (tmp_path / "board.json").write_text(
        pipeline_settings(made, plan, {}, architecture="pipeline", board="ulx3s_25f", baud=115200)
    )
    np.save(tmp_path / "x.npy", random_images(network, 2, 1))
    inputs = "--input", tmp_path / "x.npy", "--settings", tmp_path / "board.json", "--wait", 120
    return network, plan, ("run", *inputs)


def port_of(plan):
    core = pipeline_board(plan, clock_hz=BAUD * DIVISOR, baud=BAUD)
    return SimulatedPort(core, divisor=DIVISOR, timeout=plan.latency + 1000)


def test_run(programmed, dorefa, tmp_path):
    """The whole command on a pseudo terminal, behind it the simulated board."""
    network, plan, command = programmed
    wanted = expected(network, np.load(tmp_path / "x.npy"))
    values = logits(network, wanted)
    np.save(tmp_path / "labels.npy", values.argmax(axis=1))
    files = "--labels", tmp_path / "labels.npy", "--output", tmp_path / "y.npy"
    files += "--logits", tmp_path / "logits.npy", "--json", "-"
    with on_a_terminal(port_of(plan)) as device:
        outcome = dorefa(*command, "--port", device, *files)
    assert outcome.status == 0, outcome.err
    report = outcome.report
    assert report["outputs"] == wanted.tolist() and report["accuracy"] == 1
    assert (report["cycles"], report["images"]) == (plan.latency, 2)
    assert (np.load(tmp_path / "y.npy") == wanted).all()
    assert (np.load(tmp_path / "logits.npy") == values).all()


def test_a_network_of_an_engine_is_not_loaded(programmed, dorefa, tmp_path):
    _, plan, command = programmed
    error = dorefa(*command, "--port", "none", "--load", tmp_path).error
    assert error == (
        f"--load is {tmp_path}, and {tmp_path / 'board.json'} is of a pipeline, whose weights are its logic; "
        "accepted: --load for a board with an engine"
    )


def test_settings_of_another_network(programmed, dorefa, tmp_path):
    _, plan, command = programmed
    settings = json.loads((tmp_path / "board.json").read_text()) | {"input_shape": [2, 2, 5]}
    (tmp_path / "board.json").write_text(json.dumps(settings))
    with on_a_terminal(port_of(plan)) as device:
        error = dorefa(*command, "--port", device).error
    assert error.startswith(f"{tmp_path / 'board.json'}: images (2, 2, 5), 1 classes; accepted: ")
