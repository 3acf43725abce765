"""Two outputs, or an output and an input, under one name: refused before any work, by every verb."""

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from dorefa.cli import golden

CONFIG = "lanes = 8\nrows = 2\n"


@pytest.fixture
def here(tmp_path, small, monkeypatch):
    """The working folder, with every input that a command of this page reads, and a folder `d`."""
    model, images, network = small
    monkeypatch.chdir(tmp_path)
    np.save("labels.npy", np.zeros(5, np.int64))
    Path("c.toml").write_text(CONFIG)
    Path("cells.lib").write_text("library (cells) { }")
    Path("board.json").write_text(json.dumps({"baud": 1, "scale": [1.0], "bias": [0.0]}))
    Path("d").mkdir()
    Path("mnist").mkdir()
    Path("mnist", "t10k-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01\0\0\0\0")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


GOLDEN = ("golden", "small.npz", "--input", "images.npy")
SIMULATE = ("simulate", "small.npz", "--input", "images.npy", "--labels", "labels.npy", "--config", "c.toml")
RUN = ("run", "--port", "/dev/tty", "--input", "images.npy", "--settings", "board.json")
GENERATE = ("generate", "--model", "small.npz", "--config", "c.toml")
BUILD = ("build", "small.npz", "--board", "ulx3s_25f", "--lanes", "8", "--rows", "2")
EXPLORE = ("explore", "small.npz", "--lanes", "8", "--rows", "1")
TRAIN = ("train", "digits-small", "--data", "mnist")


@pytest.mark.parametrize(
    ("command", "name", "one", "other"),
    [
        ((*GOLDEN, "--output", "y", "--logits", "./y"), "./y", "--output", "--logits"),
        ((*GOLDEN, "--output", "y", "--json", "d/../y"), "y", "--json", "--output"),
        ((*GOLDEN, "--output", "images.npy"), "images.npy", "--input", "--output"),
        ((*GOLDEN, "--logits", "small.npz"), "small.npz", "MODEL", "--logits"),
        ((*GOLDEN, "--labels", "labels.npy", "--output", "labels.npy"), "labels.npy", "--labels", "--output"),
        ((*GOLDEN, "--json", "images.npy"), "images.npy", "--json", "--input"),
        ((*GOLDEN, "--json", "-", "--output", "/dev/stdout"), "/dev/stdout", "--json", "--output"),
        (
            (*GOLDEN, "--output", "/dev/fd/1", "--logits", "/dev/stdout"),
            "/dev/stdout",
            "--output",
            "--logits",
        ),
        ((*SIMULATE, "--output", "y", "--logits", "y"), "y", "--output", "--logits"),
        ((*SIMULATE, "--output", "labels.npy"), "labels.npy", "--labels", "--output"),
        ((*SIMULATE, "--json", "c.toml"), "c.toml", "--json", "--config"),
        ((*RUN, "--output", "y", "--logits", "y"), "y", "--output", "--logits"),
        ((*RUN, "--output", "board.json"), "board.json", "--settings", "--output"),
        ((*RUN, "--json", "images.npy"), "images.npy", "--json", "--input"),
        ((*TRAIN, "-o", "y.npz", "--json", "y.npz"), "y.npz", "--json", "--output"),
        (
            (*TRAIN, "-o", "y.npz", "--json", "mnist/t10k-labels-idx1-ubyte"),
            "mnist/t10k-labels-idx1-ubyte",
            "--json",
            "--data",
        ),
        (("export", "small.npz", "-o", "y.onnx", "--json", "y.onnx"), "y.onnx", "--json", "--output"),
        (("export", "small.npz", "-o", "y.onnx", "--json", "small.npz"), "small.npz", "--json", "MODEL"),
        (("check", "small.npz", "--json", "small.npz"), "small.npz", "--json", "MODEL"),
        (("check", "small.npz", "--config", "c.toml", "--json", "c.toml"), "c.toml", "--json", "--config"),
        (("zoo", "small.npz", "--json", "small.npz"), "small.npz", "--json", "NAME"),
        (
            ("synth", "--target", "asic", "--liberty", "cells.lib", "--json", "cells.lib"),
            "cells.lib",
            "--json",
            "--liberty",
        ),
        ((*GENERATE, "-o", "d", "--json", "d/engine.json"), "d/engine.json", "--json", "--output"),
        ((*GENERATE, "-o", "d", "--json", "c.toml"), "c.toml", "--json", "--config"),
        ((*BUILD, "-o", "d", "--json", "d/board.json"), "d/board.json", "--json", "--output"),
        ((*BUILD, "-o", "d", "--json", "d/ulx3s_25f.bit"), "d/ulx3s_25f.bit", "--json", "--output"),
        ((*EXPLORE, "-o", "d", "--json", "d/explore.csv"), "d/explore.csv", "--json", "--output"),
        ((*EXPLORE, "-o", "d", "--json", "small.npz"), "small.npz", "--json", "MODEL"),
    ],
)
def test_one_name_for_two_files(command, name, one, other, dorefa, here):
    before = contents(here)
    error = dorefa(*command).error
    assert error == f"{name}: is both {one} and {other}; accepted: a file for each"
    assert contents(here) == before and Path("d").is_dir()


def test_a_folder_of_outputs(dorefa, here, small, monkeypatch):
    """Names in --dump are those of the layers; links in the folder lead to inputs, names may be folders."""
    _, _, network = small
    monkeypatch.setattr(golden, "_results", lambda *_: pytest.fail("the work began"))
    layer = next(iter(golden.dump_names(layer.name for layer in network.layers).values()))
    path = f"d/{layer}.npy"
    assert f"{path}: is both --json and --dump" in dorefa(*GOLDEN, "--dump", "d", "--json", path).error
    assert f"{path}: is both --output and --dump" in dorefa(*GOLDEN, "--dump", "d", "--output", path).error
    os.symlink("../images.npy", path)
    assert f"{path}: is both --input and --dump" in dorefa(*GOLDEN, "--dump", "d").error
    os.unlink(path)
    os.mkdir(path)
    assert f"{path}: cannot be written: it is a folder" in dorefa(*GOLDEN, "--dump", "d").error
    error = dorefa(*GOLDEN, "--dump", "new/er", "--json", "/dev/null", "--output", "new/er").error
    assert "new/er: cannot be written" in error and not Path("new").exists()


@pytest.mark.parametrize(
    ("command", "name"), [(GENERATE, "engine.h"), (BUILD, "board.json"), (EXPLORE, "explore.csv")]
)
def test_files_of_a_folder_are_tried_before_the_work(command, name, dorefa, here):
    Path("d", name).mkdir()
    assert dorefa(*command, "-o", "d").error.startswith(f"d/{name}: cannot be written: it is a folder")
    Path("d", name).rmdir()
    os.symlink("../small.npz", Path("d", name))
    assert (
        dorefa(*command, "-o", "d").error
        == f"d/{name}: is both MODEL and --output; accepted: a file for each"
    )
    assert os.listdir("d") == [name]
    shutil.rmtree("d")
    assert "is no name of a folder" in dorefa(*command, "-o", "").error


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("synth", "--unit", "popcount", "--preset", "tiny"), "yosys.log"),
        (("synth", "--unit", "popcount", "--preset", "tiny"), "dorefa_popcount.v"),
        (("synth", "--unit", "popcount", "--preset", "tiny", "--pnr"), "nextpnr_1.json"),
        ((*BUILD, "-o", "new"), "report.json"),
    ],
)
def test_files_of_the_tools(command, name, dorefa, here):
    """A report beside them is no mistake, one in their place is."""
    path = f"d/{name}"
    error = dorefa(*command, "--keep", "d", "--json", path).error
    assert error == f"{path}: is both --json and --keep; accepted: a file for each"
    os.symlink("../c.toml", path)
    error = dorefa(*command, "--keep", "d", "--config", "c.toml", "--lanes", 16).error
    assert error == f"{path}: is both --config and --keep; accepted: a file for each"
    assert os.listdir("d") == [name] and not Path("new").exists()


@pytest.mark.parametrize(
    "command",
    [
        (*GOLDEN, "--labels", ""),
        ("golden", "small.npz", "--input", ""),
        ("golden", "", "--input", "images.npy"),
        (*SIMULATE, "--labels", ""),
        (*SIMULATE, "--input", ""),
        (*SIMULATE, "--engine", ""),
        (*SIMULATE, "--config", ""),
        (*RUN, "--settings", ""),
        (*RUN, "--load", ""),
        ("generate", "-o", "d", "--model", ""),
        ("synth", "--target", "asic", "--liberty", ""),
        ("synth", "--model", ""),
        ("synth", "--preset", "tiny", "--keep", ""),
        ("explore", "small.npz", "--lanes", "8", "--rows", "1", "-o", ""),
        (*BUILD, "-o", "d", "--keep", ""),
    ],
)
def test_empty_names_are_no_missing_options(command, dorefa, here):
    """As of a shell's variable that was never set."""
    before = contents(here)
    assert "accepted" in dorefa(*command).error or "known" in dorefa(*command).error
    assert contents(here) == before


def test_hard_links_are_one_file(dorefa, here):
    os.link("images.npy", "again.npy")
    os.symlink("again.npy", "link.npy")
    for name in ("again.npy", "link.npy"):
        error = dorefa(*GOLDEN, "--output", name).error
        assert error == f"{name}: is both --input and --output; accepted: a file for each"


def test_the_port_is_no_output(dorefa, here):
    host_side, board_side = os.openpty()
    try:
        port = os.ttyname(board_side)
        os.symlink(port, "link")
        error = dorefa("run", "--port", port, "--input", "images.npy", "--output", "link").error
    finally:
        os.close(host_side)
        os.close(board_side)
    assert error == "link: is both --port and --output; accepted: a file for each"


def test_what_keeps_nothing_may_be_named_twice(dorefa, here):
    outcome = dorefa(*GOLDEN, "--output", "/dev/null", "--logits", "/dev/null", "--json", "/dev/null")
    assert outcome.status == 0, outcome
    assert os.path.exists("/dev/null") and not os.path.isfile("/dev/null")


@pytest.mark.parametrize("option", ["--output", "--logits", "--json"])
def test_empty_names_and_folders(option, dorefa, here):
    assert dorefa(*GOLDEN, option, "").error == "'' is no file name; accepted: characters, none of them NUL"
    assert "d/: cannot be written: it is a folder" in dorefa(*GOLDEN, option, "d/").error
    assert "new/: cannot be written: " in dorefa(*GOLDEN, option, "new/").error


def test_standard_output_as_a_file_has_nothing_else(dorefa, here):
    """As with --json -, what is said goes to standard error."""
    assert dorefa(*GOLDEN, "--output", "y.npy").status == 0
    expected = Path("y.npy").read_bytes()
    with open("z.npy", "wb") as file:
        saved = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            outcome = dorefa(*GOLDEN, "--output", "/dev/stdout")
        finally:
            os.dup2(saved, 1)
            os.close(saved)
    assert outcome.status == 0 and outcome.out == "" and "wrote /dev/stdout" in outcome.err
    assert Path("z.npy").read_bytes() == expected


def test_outputs_into_pipes(dorefa, here):
    """What the shell's >(...) passes, and a FIFO, whose reader must not see anybody come and go before."""
    assert dorefa(*GOLDEN, "--output", "y.npy", "--logits", "l.npy").status == 0
    os.mkfifo("fifo")
    got = []
    reader = threading.Thread(target=lambda: got.append(Path("fifo").read_bytes()))
    reader.start()
    read, write = os.pipe()
    outcome = dorefa(*GOLDEN, "--output", "fifo", "--logits", f"/dev/fd/{write}")
    os.close(write)
    reader.join()
    with os.fdopen(read, "rb") as pipe:
        assert (outcome.status, pipe.read()) == (0, Path("l.npy").read_bytes())
    assert got == [Path("y.npy").read_bytes()] and Path("fifo").is_fifo()
