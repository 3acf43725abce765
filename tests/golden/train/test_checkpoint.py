"""Going on from a file gives the bits of never having stopped; what is no such file is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dorefa.golden import archive
from dorefa.golden.errors import InputError
from dorefa.golden.train import train as loop
from dorefa.golden.train.train import train

from .support import TINY, recipe_of

RECIPE = recipe_of(batch=8, epochs=3, rate=1e-2)


@pytest.fixture
def data(rng):
    """20 images of TINY and their labels: 3 steps an epoch, the last of 4 images."""
    return rng.integers(0, 256, (20, *TINY.input_shape), np.uint8), rng.integers(0, 3, 20)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize(
    "changed", [{}, {"g_bits": 12, "last": "float"}, {"noise": False, "weight_decay": 0.1}]
)
def test_the_same_bits_from_wherever_it_goes_on(data, tmp_path, optimizer, changed):
    recipe = replace(RECIPE, optimizer=optimizer, **changed)
    whole = train(TINY, recipe, *data, test=data, checkpoint=tmp_path / "whole")
    for stop in (1, 3, 5, 9):
        part = train(TINY, recipe, *data, test=data, steps=stop, checkpoint=tmp_path / "part")
        assert part.losses == whole.losses[:stop]
        rest = train(TINY, recipe, *data, test=data, resume=tmp_path / "part", checkpoint=tmp_path / "rest")
        assert rest.parameters_sha256 == whole.parameters_sha256
        assert rest.losses == whole.losses
        assert rest.history == whole.history
        assert rest.accuracy == whole.accuracy
        assert (tmp_path / "rest").read_bytes() == (tmp_path / "whole").read_bytes()
        # Where nothing is left to do, and where there was nothing to do.
        again = train(TINY, recipe, *data, test=data, steps=stop, resume=tmp_path / "part")
        assert (again.history, again.parameters_sha256) == (part.history, part.parameters_sha256)
    with pytest.raises(InputError, match="^train: steps is 8; accepted: an integer >= 9$"):
        train(TINY, recipe, *data, steps=8, resume=tmp_path / "part")


def test_written_after_every_epoch_and_after_a_minute(data, tmp_path, monkeypatch):
    written = []

    def steps_written(*_):
        path = tmp_path / "c"
        written.append(len(archive.load(path, "a checkpoint")["losses"]) if path.exists() else 0)

    train(TINY, RECIPE, *data, checkpoint=tmp_path / "c", progress=steps_written)
    assert written == [0, 0, 0, 3, 3, 3, 6, 6, 6]
    monkeypatch.setattr(loop, "_SAVE_SECONDS", -1)
    written.clear()
    train(TINY, RECIPE, *data, checkpoint=tmp_path / "c", progress=steps_written)
    assert written == [9, 1, 2, 3, 4, 5, 6, 7, 8]


def refusal(path, recipe, data, architecture=TINY):
    with pytest.raises(InputError) as error:
        train(architecture, recipe, *data, resume=path)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def checkpoint(data, tmp_path):
    train(TINY, RECIPE, *data, steps=4, checkpoint=tmp_path / "c.npz")
    return tmp_path / "c.npz"


def test_another_training_is_refused(data, checkpoint):
    for field, value, was in (
        ("w_bits", 2, "1"),
        ("g_bits", 4, "6"),
        ("epochs", 4, "3"),
        ("rate", 0.1, "0.01"),
        ("noise", False, "True"),
        ("noise_seed", 7, "None"),
        ("optimizer", "sgd", "'adam'"),
        ("first", "float", "'quantized'"),
    ):
        message = refusal(checkpoint, replace(RECIPE, **{field: value}), data)
        assert message == f"{field} was {was} and is {value!r}; accepted: the same training"
    message = refusal(checkpoint, RECIPE, data, replace(TINY, name="other"))
    assert message == "network was 'tiny' and is 'other'; accepted: the same training"
    assert refusal(checkpoint, RECIPE, (data[0] ^ 1, data[1])).startswith("images_sha256 was '")
    assert refusal(checkpoint, RECIPE, (data[0], data[1][::-1])).startswith("images_sha256 was '")


def rewritten(path, header=None, **changed):
    arrays = archive.load(path, "a checkpoint")
    old = json.loads(arrays.pop("header").tobytes())
    arrays.update(changed)
    kept = {name: array for name, array in arrays.items() if array is not None}
    path.write_bytes(archive.packed(old | (header or {}), kept))
    return path


NAN = np.array([np.nan] * 4, np.float32)


@pytest.mark.parametrize(
    "header, arrays, message",
    [
        ({"format": "x"}, {}, "header has no format 'dorefa checkpoint'; accepted: a checkpoint"),
        ({"version": 2}, {}, "version is 2; accepted: 1..1"),
        ({"more": 1}, {}, "header: more is unknown; accepted: format, version, network, recipe"),
        ({"recipe": 3}, {}, "header recipe is 3; accepted: an object"),
        ({"recipe": {}}, {}, "header recipe: a_bits is missing; accepted: w_bits"),
        ({"correct": -1}, {}, "header correct is -1; accepted: an integer in 0..8"),
        ({"correct": 9}, {}, "header correct is 9; accepted: an integer in 0..8"),
        ({"history": []}, {}, "header history is []; accepted: a list of the 1 epochs"),
        ({"history": [1]}, {}, "header history has 1; accepted: epoch, loss, train_accuracy"),
        (
            {"history": [{"epoch": 1, "loss": [], "train_accuracy": 0}]},
            {},
            "header history: loss is []; accepted: numbers",
        ),
        ({}, {"losses": NAN}, "losses is nan at (0,); accepted: finite numbers"),
        ({}, {"losses": NAN[:, None]}, "losses is nan at (0, 0); accepted: finite numbers"),
        ({}, {"losses": np.zeros((2, 2), np.float32)}, "losses has shape (2, 2); accepted: one of every"),
        ({}, {"losses": np.zeros(10, np.float32)}, "losses has 10 steps; accepted: at most 9"),
        ({}, {"losses": None}, "array losses is missing; accepted: every array of the header"),
        ({}, {"conv1.gamma": None}, "array conv1.gamma is missing; accepted: every array of the header"),
        ({}, {"conv1.gamma": NAN}, "conv1.gamma is nan at (0,); accepted: finite numbers"),
        ({}, {"conv1.gamma": NAN[:3]}, "conv1.gamma has shape (3,); accepted: (4,)"),
        ({}, {"conv1.gamma": np.zeros(4, np.uint8)}, "conv1.gamma has dtype uint8; accepted: float32"),
        ({}, {"conv1.var": np.full(4, -1, np.float32)}, "conv1.var has the value -1.0; accepted: 0 or more"),
        (
            {},
            {"second.fc1.bias": np.full(3, -1, np.float32)},
            "second.fc1.bias has the value -1.0; accepted: 0 or more",
        ),
        ({}, {"conv9.mean": NAN}, "array conv9.mean is unknown; accepted: those of the network"),
    ],
)
def test_damaged_checkpoints_are_refused(data, checkpoint, header, arrays, message):
    assert refusal(rewritten(checkpoint, header, **arrays), RECIPE, data).startswith(message)


def test_files_that_are_no_checkpoint_are_refused(data, checkpoint):
    content = checkpoint.read_bytes()
    for damaged in (b"", b"PK", content[:-1], content[:100], content[50:], bytes(1000)):
        checkpoint.write_bytes(damaged)
        assert refusal(checkpoint, RECIPE, data).startswith("is not a checkpoint or is truncated (")
    checkpoint.unlink()
    assert refusal(checkpoint, RECIPE, data) == (
        "cannot be read (No such file or directory); accepted: a checkpoint (.npz)"
    )
