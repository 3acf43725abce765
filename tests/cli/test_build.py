"""`dorefa build`: files, report and refusals, with the real tools."""

import json
import os
from fnmatch import fnmatchcase
from hashlib import sha256

import numpy as np
import pytest

from dorefa.cli.training.board import read_training_settings
from dorefa.golden import lower, random_network
from dorefa.golden.errors import InputError
from dorefa.golden.network import npz
from dorefa.hw.config.engine import EngineConfig
from dorefa.hw.generate.file_set import interface_sha256
from dorefa.synth.boards import bitstream

from .test_own import own


@pytest.mark.slow
@pytest.mark.sample
def test_files_and_report(dorefa, tmp_path, seed):
    model, folder = tmp_path / "small.npz", tmp_path / "board"
    network = random_network(seed, conv_layers=1, a_bits=2, max_macs=20_000, max_size=6, max_channels=6)
    npz.save(network, model)
    outcome = dorefa(
        "build",
        model,
        "--board",
        "ulx3s_25f",
        "--lanes",
        8,
        "--rows",
        2,
        "-o",
        folder,
        "--json",
        "-",
        "--keep",
        tmp_path / "kept",
    )
    assert outcome.status == 0, outcome.err
    kept = os.listdir(tmp_path / "kept")
    assert kept and all(any(fnmatchcase(name, pattern) for pattern in bitstream.FILES) for name in kept)
    assert sorted(os.listdir(folder)) == ["board.json", "ulx3s_25f.bit", "ulx3s_25f.svf", "ulx3s_25f.v"]
    report = outcome.report
    assert report["bitstream"] == str(folder / "ulx3s_25f.bit")
    assert b"Part: LFE5U-25F" in (folder / "ulx3s_25f.bit").read_bytes()[:500]
    assert report["fmax_mhz"] >= report["clock_mhz"] == 50
    assert report["luts"] > 0 and report["fps"] > report["fps_end_to_end"]
    settings = json.loads((folder / "board.json").read_text())
    assert settings["sha256"] == {
        name: sha256((folder / name).read_bytes()).hexdigest()
        for name in ("ulx3s_25f.bit", "ulx3s_25f.svf", "ulx3s_25f.v")
    }
    assert settings["interface_sha256"] == interface_sha256(EngineConfig().replace(**report["config"]))
    integer = lower(network)
    assert settings["input_shape"] == list(integer.input_shape)
    assert (np.array(settings["scale"]) == integer.layers[-1].logit_scale).all()


@pytest.mark.slow
def test_an_engine_that_trains(dorefa, tmp_path):
    """What is written is what `dorefa train --backend board` reads."""
    folder = tmp_path / "board"
    options = "--training", "--batch", 2, "--lanes", 8, "--rows", 4, "-o", folder, "--json", "-"
    outcome = dorefa("build", own(tmp_path, (9, 8, 1)), "--board", "ulx3s_25f", *options)
    assert outcome.status == 0, outcome.err
    report = outcome.report
    assert report["fmax_mhz"] >= report["clock_mhz"] == 50
    assert report["step_seconds_host"] > report["step_seconds_engine"] > 0
    assert (report["batch"], report["net_g"]) == (2, 6)
    config, baud = read_training_settings(str(folder / "board.json"))
    assert (config.as_dict(), baud) == (report["config"], 1_000_000)
    assert (config.training, config.weights, config.port_bytes) == (1, "onchip", 4)
    (folder / "ulx3s_25f.bit").write_bytes(b"another")
    with pytest.raises(InputError, match=r"ulx3s_25f\.bit: SHA-256 is "):
        read_training_settings(str(folder / "board.json"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--net-g", 4), "--net-g is 4 without --training; accepted: both, or neither"),
        (
            ("--training", "--weights", "stream"),
            "weights is 'stream'; accepted on a board: 'onchip', because",
        ),
        (("--training", "--port-bytes", 8), "port_bytes is 8; accepted on a board: 4, because"),
        (("--training", "--net-g", 9), "gradients have 9 bits"),
    ],
)
def test_engines_that_do_not_train_on_a_board(options, message, dorefa, tmp_path):
    network = own(tmp_path, (9, 8, 1))
    outcome = dorefa("build", network, "--board", "ulx3s_25f", *options, "-o", tmp_path / "board")
    assert message in outcome.error
    assert not (tmp_path / "board").exists()


def test_unknown_board(dorefa, tmp_path):
    outcome = dorefa("build", "digits", "--board", "icebraker", "-o", tmp_path / "board")
    assert outcome.error.startswith("unknown board 'icebraker'; accepted: ulx3s_12f, ")
    assert not (tmp_path / "board").exists()


def test_a_line_rate_that_the_clock_cannot_make(dorefa, tmp_path):
    outcome = dorefa(
        "build", "digits", "--board", "icebreaker", "--baud", 5_000_000, "-o", tmp_path / "board"
    )
    assert outcome.error == (
        "baud is 5000000 at a clock of 12 MHz; accepted: at most 3000000 (4 cycles a bit)"
    )
    assert os.listdir(tmp_path) == []
