"""`dorefa run`: the whole command on a pseudo terminal, behind it the simulated board."""

import json
import os
import select
import threading
import tty
from contextlib import contextmanager

import numpy as np
import pytest

from dorefa.golden import logits, random_images

from ..board_support import port_of, scores, small_network


@contextmanager
def board_on_a_terminal(compiled):
    """Name of a terminal device that behaves as the serial port of a programmed board."""
    host_side, board_side = os.openpty()
    tty.setraw(board_side)
    port = port_of(compiled)
    ended = threading.Event()

    def carry():
        while not ended.is_set():
            if select.select([host_side], [], [], 0.05)[0]:
                port.write(os.read(host_side, 4096))
                # Until the board has been silent for as long as an image takes.
                os.write(host_side, port.read(1 << 16))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield os.ttyname(board_side)
    finally:
        ended.set()
        thread.join()
        os.close(host_side)
        os.close(board_side)


def settings_of(network):
    last = network.layers[-1]
    return {"baud": 115200, "scale": last.logit_scale.tolist(), "bias": last.logit_bias.tolist()}


def test_images_are_classified(dorefa, tmp_path, seed):
    compiled = small_network(seed)
    images = random_images(compiled.network, 2, seed)
    expected = scores(compiled, images)
    values = logits(compiled.network, expected)
    classes = values.argmax(axis=1)
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "labels.npy", classes)
    (tmp_path / "board.json").write_text(json.dumps(settings_of(compiled.network)))
    with board_on_a_terminal(compiled) as device:
        outcome = dorefa(
            "run",
            "--port",
            device,
            "--input",
            tmp_path / "x.npy",
            "--wait",
            120,
            "--settings",
            tmp_path / "board.json",
            "--labels",
            tmp_path / "labels.npy",
            "--output",
            tmp_path / "y.npy",
            "--logits",
            tmp_path / "logits.npy",
            "--json",
            "-",
        )
    assert outcome.status == 0, outcome.err
    assert outcome.report["outputs"] == expected.tolist()
    assert outcome.report["classes"] == classes.tolist()
    assert outcome.report["accuracy"] == 1
    assert (np.load(tmp_path / "y.npy") == expected).all()
    assert (np.load(tmp_path / "logits.npy") == values).all()


def test_no_port_and_no_board(dorefa, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 2, 1), np.uint8))
    outcome = dorefa("run", "--port", tmp_path / "tty", "--input", tmp_path / "x.npy")
    assert "tty" in outcome.error and "accepted: a serial port" in outcome.error
    host_side, board_side = os.openpty()
    try:
        outcome = dorefa(
            "run", "--port", os.ttyname(board_side), "--input", tmp_path / "x.npy", "--wait", 0.1
        )
    finally:
        os.close(host_side)
        os.close(board_side)
    assert "bytes came in time; accepted: a board that `dorefa build` made" in outcome.error


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "no 'baud'"), ('{"baud": 1, "scale": []}', "no 'bias'")],
)
def test_settings_that_are_none(text, message, dorefa, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 2, 1), np.uint8))
    (tmp_path / "board.json").write_text(text)
    outcome = dorefa(
        "run", "--port", "none", "--input", tmp_path / "x.npy", "--settings", tmp_path / "board.json"
    )
    assert outcome.error.startswith(f"{tmp_path / 'board.json'}: {message}")
    assert "accepted: board.json as `dorefa build` writes it" in outcome.error


def test_labels_need_settings(dorefa, tmp_path):
    outcome = dorefa("run", "--port", "none", "--input", "x.npy", "--labels", "l.npy")
    assert outcome.error == (
        "--labels needs the scale of the classes; accepted: --settings board.json or --load DIR"
    )
