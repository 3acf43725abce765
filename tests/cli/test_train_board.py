"""`dorefa train --backend board`: the whole command on a pseudo terminal, behind it the compiled board."""

import json
import os

import numpy as np
import pytest

from dorefa.hw.generate.file_set import interface_sha256
from dorefa.hw.shell.board_core import training_board
from dorefa.sim.verilator.serial_line import compiled_port
from dorefa.synth.boards.training_report import training_settings

from ..board_support import BAUD, DIVISOR, on_a_terminal, training_bitstream
from ..data_support import random_arrays, write_arrays
from ..sim.conftest import TRAINING
from .test_own import own

CONFIG = TRAINING.replace(weights="onchip", weight_depth=256)


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "board.json"
    path.write_text(training_settings(training_bitstream(CONFIG), {}, board="ulx3s_85f", baud=115200))
    return path


@pytest.fixture
def train(dorefa, tmp_path, rng):
    """Takes a step of a small network on random images, with further options."""
    write_arrays(tmp_path / "data", random_arrays(rng, (9, 8, 1), train=4))
    network = own(tmp_path, (9, 8, 1))

    def run(*options):
        data = "--data", tmp_path / "data", "--batch", 2, "--steps", 1
        return dorefa("train", network, *data, *options, "--json", "-")

    return run


def test_a_step_on_a_board(train, settings):
    core = training_board(CONFIG, interface_sha256(CONFIG), clock_hz=BAUD * DIVISOR, baud=BAUD)
    with compiled_port(core, divisor=DIVISOR, timeout=500, cycles=1) as port, on_a_terminal(port) as device:
        board = "--backend", "board", "--port", device, "--settings", settings, "--wait", 60
        outcome = train(*board, "--trace")
    assert outcome.status == 0, outcome.err
    found, golden = outcome.report, train().report
    for name in ("losses", "parameters_sha256"):
        assert found[name] == golden[name]
    assert found["sums_compared"] > 100 and found["codes_compared"] > 100 and found["mismatch_count"] == 0
    assert (found["backend"], found["cycles"], found["config"]) == ("board", None, CONFIG.as_dict())
    assert {layer["cycles"] for layer in found["layers"]} == {None}
    assert found["line_bytes_in"] > found["line_bytes_out"] > 1000
    assert "ran on the board's engine" in found["host"]


def test_refused_options(train, settings):
    error = train("--port", "/dev/ttyX").error
    assert error == "--port is /dev/ttyX with --backend golden; accepted: with --backend board"
    error = train("--backend", "board", "--settings", settings).error
    assert error == "--port is missing; accepted with --backend board: --port and --settings"
    board = "--backend", "board", "--port", "/dev/ttyX", "--settings", settings
    assert train(*board, "--lanes", 8).error == (
        "lanes is 8 with --backend board; accepted: with --backend engine"
    )
    error = train(*board).error
    assert "ttyX" in error and error.endswith("accepted: a serial port and a rate that it has")


def test_a_board_that_does_not_answer(train, settings):
    host_side, board_side = os.openpty()
    try:
        board = "--backend", "board", "--port", os.ttyname(board_side), "--settings", settings, "--wait", 0.1
        assert "0 of 4 bytes came in time; accepted: a board that `dorefa build` made" in train(*board).error
    finally:
        os.close(host_side)
        os.close(board_side)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"training": None},
            "is not that of an engine that trains; accepted: board.json as `dorefa build --tr",
        ),
        (
            {"config": {"lanes": 3}},
            "config is not that of an engine; accepted: board.json as `dorefa build --",
        ),
        ({"config": CONFIG.as_dict() | {"lanes": -3}}, "lanes is -3; accepted"),
        (
            {"config": CONFIG.as_dict() | {"layer_depth": 17}},
            "as this release says, in board.json as `dorefa",
        ),
        ({"interface_sha256": "00"}, "interface_sha256 is 00; accepted: "),
        ({"baud": 1e9}, "baud is 1000000000.0; accepted: board.json as"),
        ({"sha256": {"board.json": "12"}}, "accepted: 12, as "),
    ],
)
def test_settings_that_are_none(changes, message, train, settings):
    contents = json.loads(settings.read_text()) | changes
    settings.write_text(json.dumps(contents))
    error = train("--backend", "board", "--port", "/dev/ttyX", "--settings", settings).error
    assert "board.json: " in error and message in error


def test_a_training_board_runs_no_images(dorefa, settings, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 2, 1), np.uint8))
    outcome = dorefa("run", "--port", "/dev/ttyX", "--input", tmp_path / "x.npy", "--settings", settings)
    assert outcome.error == (
        f"{settings}: is that of an engine that trains; accepted: board.json as `dorefa build` writes it "
        "without --training, or `dorefa train --backend board`"
    )
