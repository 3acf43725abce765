"""`dorefa run`: the whole command on a pseudo terminal, behind it the simulated board."""

import hashlib
import json
import os

import numpy as np
import pytest

from dorefa.golden import logits, lower, random_images, random_network
from dorefa.hw import compile_network, find_problems
from dorefa.hw.generate.file_set import file_set, interface_sha256, write_set

from ..board_support import emptied, on_a_terminal, port_of, scores, small_network


def board_on_a_terminal(compiled):
    """Name of a terminal device that behaves as the serial port of a programmed board."""
    return on_a_terminal(port_of(compiled))


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


@pytest.mark.parametrize("wait", [0, -1, "nan", "inf"])
def test_a_wait_that_is_no_time(wait, dorefa, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 2, 1), np.uint8))
    outcome = dorefa("run", "--port", tmp_path / "tty", "--input", tmp_path / "x.npy", "--wait", wait)
    assert outcome.status == 1 and outcome.error == f"--wait is {wait}; accepted: seconds above 0"


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
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON: nested too deeply"),
        ("[]", "no 'baud'"),
        ('{"baud": 1, "scale": []}', "no 'bias'"),
        ('{"baud": "fast", "scale": [1], "bias": [1]}', "baud is 'fast'"),
        ('{"baud": 9999999999, "scale": [1], "bias": [1]}', "baud is 9999999999"),
        ('{"baud": 1, "scale": [], "bias": []}', "scale is []"),
        ('{"baud": 1, "scale": [1, null], "bias": [1]}', "scale is [1, None]"),
        ('{"baud": 1, "scale": [1], "bias": [NaN]}', "not JSON: NaN is no number of JSON"),
        ('{"baud": 1, "scale": [1, 2], "bias": [1]}', "scale has 2 numbers and bias 1"),
    ],
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"baud": "fast"}, "baud is 'fast'; accepted: board.json as `dorefa build` writes it"),
        ({"scale": 1}, "scale is 1; accepted: board.json as `dorefa build` writes it"),
        ({"bias": ["0"]}, "bias is ['0']; accepted: board.json as `dorefa build` writes it"),
        ({"bias": []}, "bias is []; accepted: board.json as `dorefa build` writes it"),
        (
            {"input_shape": [1, 2]},
            "input_shape is [1, 2]; accepted: 3 integers >= 1 (height, width, channels)",
        ),
        ({"sha256": []}, "sha256 is []; accepted: a hash for each file"),
    ],
)
def test_settings_of_no_use(values, message, dorefa, tmp_path):
    (tmp_path / "board.json").write_text(json.dumps({"baud": 1, "scale": [1.0], "bias": [0.0]} | values))
    outcome = dorefa("run", "--port", "none", "--input", "x.npy", "--settings", tmp_path / "board.json")
    assert outcome.error == f"{tmp_path / 'board.json'}: {message}"


def test_settings_beside_another_bitstream(dorefa, tmp_path):
    """As an interrupted build leaves them; a bitstream that is not beside them tells nothing."""
    path = tmp_path / "board.json"
    hashes = {"b.bit": hashlib.sha256(b"bits").hexdigest(), "b.v": hashlib.sha256(b"verilog").hexdigest()}
    path.write_text(json.dumps({"baud": 1, "scale": [1.0], "bias": [0.0], "sha256": hashes}))
    command = ("run", "--port", "none", "--input", "none.npy", "--settings", path)
    (tmp_path / "b.bit").write_bytes(b"bits")
    assert "none.npy" in dorefa(*command).error
    (tmp_path / "b.bit").write_bytes(b"other bits")
    found = hashlib.sha256(b"other bits").hexdigest()
    assert dorefa(*command).error == (
        f"{tmp_path / 'b.bit'}: SHA-256 is {found}; accepted: {hashes['b.bit']}, as {path} says, in the "
        "files of one `dorefa build`"
    )


def command_of(compiled, device, tmp_path, *more):
    """Settings of the board in a file, an image, and the command that runs it."""
    settings = settings_of(compiled.network) | {
        "input_shape": compiled.network.input_shape,
        "interface_sha256": interface_sha256(compiled.config),
    }
    (tmp_path / "board.json").write_text(json.dumps(settings))
    np.save(tmp_path / "x.npy", random_images(compiled.network, 1, 1))
    inputs = ("--input", tmp_path / "x.npy", "--settings", tmp_path / "board.json", "--wait", 120)
    return ("run", "--port", device, *inputs, *more)


def generated(compiled, folder, **options):
    """The folder that `dorefa generate` writes for a compiled network."""
    folder.mkdir()
    write_set(folder, file_set(compiled.config, compiled, **options))
    return folder


@pytest.mark.slow
@pytest.mark.sample
def test_a_network_is_loaded_first(dorefa, tmp_path, seed):
    """The board's memories hold nothing; the folder's load.bin fills them over the line."""
    compiled = small_network(seed)
    folder = generated(compiled, tmp_path / "e")
    with board_on_a_terminal(emptied(compiled)) as device:
        outcome = dorefa(*command_of(compiled, device, tmp_path, "--load", folder, "--json", "-"))
    assert outcome.status == 0, outcome.err
    expected = scores(compiled, np.load(tmp_path / "x.npy"))
    assert outcome.report["outputs"] == expected.tolist()
    assert outcome.report["classes"] == logits(compiled.network, expected).argmax(axis=1).tolist()


def test_settings_of_another_network(dorefa, tmp_path, seed):
    compiled = small_network(seed)
    with board_on_a_terminal(compiled) as device:
        command = command_of(compiled, device, tmp_path)
        settings = tmp_path / "board.json"
        height, width, channels = compiled.network.input_shape
        changed = json.loads(settings.read_text()) | {"input_shape": [height, width, channels + 1]}
        settings.write_text(json.dumps(changed))
        error = dorefa(*command).error
    assert error.startswith(f"{settings}: images ({height}, {width}, {channels + 1}), ")
    assert f"accepted: the settings of the bitstream on {device}, whose network has images (" in error


def test_a_network_of_another_engine(dorefa, tmp_path, seed):
    compiled = small_network(seed)
    config = compiled.config.replace(rows=compiled.config.rows + 1)
    other = generated(compile_network(compiled.network, config), tmp_path / "other")
    inside = generated(compiled, tmp_path / "inside", preload=True)
    error = dorefa(*command_of(compiled, "none", tmp_path, "--load", inside)).error
    assert error == f"{inside}: has no load.bin; accepted: a folder made with --model, no --preload"
    error = dorefa(*command_of(compiled, "none", tmp_path, "--load", other)).error
    assert error == (
        f"{other / 'engine.json'}: interface_sha256 is {interface_sha256(config)}; accepted: "
        f"{interface_sha256(compiled.config)}, that of {tmp_path / 'board.json'}"
    )
    (other / "load.bin").write_bytes(b"")
    error = dorefa(*command_of(compiled, "none", tmp_path, "--load", other)).error
    assert error.startswith(f"{other / 'load.bin'}: SHA-256 is ")
    error = dorefa(
        "run", "--port", "none", "--input", "x", "--load", other, "--json", other / "load.bin"
    ).error
    assert error == f"{other / 'load.bin'}: is both --json and --load; accepted: a file for each"


def test_what_the_board_says_of_its_engine_and_network(dorefa, tmp_path, seed):
    """Without settings."""
    compiled = small_network(seed)
    config = compiled.config.replace(rows=compiled.config.rows + 1)
    other = generated(compile_network(compiled.network, config), tmp_path / "other")
    smaller = generated(network_of_other_sizes(compiled, seed), tmp_path / "smaller")
    np.save(tmp_path / "x.npy", random_images(compiled.network, 1, 1))
    with board_on_a_terminal(compiled) as device:
        command = ("run", "--port", device, "--baud", 115200, "--input", tmp_path / "x.npy", "--wait", 120)
        error = dorefa(*command, "--load", other).error
        assert error.startswith(f"{other / 'engine.json'}: register array is 0x")
        error = dorefa(*command, "--load", smaller).error
    assert error.startswith(f"{smaller / 'network.json'}: images (")
    assert f"accepted on this board: {compiled.network.input_shape}, " in error


def network_of_other_sizes(compiled, seed):
    """Another network for the same engine, with another image or other classes."""
    sizes = compiled.network.input_shape, compiled.network.classes
    for attempt in range(seed * 1000, seed * 1000 + 1000):
        network = lower(
            random_network(attempt, conv_layers=1, a_bits=2, max_macs=20_000, max_size=5, max_channels=5)
        )
        if (network.input_shape, network.classes) != sizes and not find_problems(network, compiled.config):
            return compile_network(network, compiled.config)
    raise AssertionError("no other network in a thousand")
