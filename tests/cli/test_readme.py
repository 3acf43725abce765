"""The commands of the README do what they say, on a new user's files."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from dorefa.golden.zoo.datasets import digits_sample

from .test_quantize import model

README = (Path(__file__).parents[2] / "README.md").read_text()
COMMANDS = re.findall(r"^    dorefa (.*?)(?:\s+#.*)?$", README, flags=re.M)
# What takes a quarter of an hour and more, or data that is not here; each has tests of its own.
LONGER = ("simulate alexnet", "explore", "train")


def test_the_readme_has_commands():
    assert len(COMMANDS) > 10
    for start in LONGER:
        assert any(command.startswith(start) for command in COMMANDS)


@pytest.mark.slow
@pytest.mark.sample
def test_commands_of_the_readme(dorefa, tmp_path, monkeypatch):
    images, labels = digits_sample()
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", images[:8])
    np.save("l.npy", labels[:8])
    rng = np.random.default_rng(1)
    onnx.save(model(rng.normal(size=(4, 1, 5, 5)), rng.normal(size=(144, 10))), "float.onnx")
    np.save("f.npy", images[:8].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
    # The one whose model is a file of the user's comes last, with the file that another one writes.
    for command in sorted(COMMANDS, key=lambda command: "model.onnx" in command):
        if command.startswith(LONGER):
            continue
        if "model.onnx" in command:
            shutil.copy("digits.onnx", "model.onnx")
        done = dorefa(*shlex.split(command))
        assert done.status == 0, (command, done.err)
