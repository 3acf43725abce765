"""The demo and its pictures, on few images."""

import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from dorefa.cli.demo import demo, pictures, waveform
from dorefa.golden import lower, random_images, random_network
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.config.engine import PRESETS

PICTURES = ("digits.png", "engine.png", "utilization.png", "waveform.png")


def _has_ink(path):
    picture = matplotlib.image.imread(path)
    return min(picture.shape[:2]) > 100 and float(np.std(picture)) > 0.02


def documented(page, line):
    """Numbers that a page's first table with a line that begins so has in that line."""
    text = (Path(__file__).parents[2] / page).read_text()
    cells = next(row for row in text.splitlines() if row.startswith(f"| {line}")).split("|", 2)[2]
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", cells)]


@pytest.mark.slow
@pytest.mark.sample
def test_demo_on_few_images(tmp_path, capsys):
    status = demo.main(["--output", str(tmp_path), "--limit", "20"])
    text = capsys.readouterr().out
    assert status == 0
    assert "hardware equals the integer model in every bit of every layer: yes" in text
    accuracies = {
        line.rpartition("  ")[2]
        for line in text.splitlines()
        if line.startswith(("float model", "integer model", "hardware ")) and "equals" not in line
    }
    assert len(accuracies) == 1
    for words in ("conv1", "per image", "asic", "block RAMs"):
        assert words in text
    for name in PICTURES:
        assert _has_ink(tmp_path / name), name
    assert (tmp_path / "engine.v").exists()
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
    sizes = {
        name: [float(cell.replace(",", "")) for cell in row if cell != "-"]
        for name, row in rows.items()
        if name in ("ice40", "ecp5", "gowin", "gatemate", "xilinx", "asic")
    }
    assert documented("README.md", "LUTs, flip-flops, block RAMs: ECP5") == sizes["ecp5"][:3]
    luts = [sizes[name][0] for name in ("ice40", "gowin", "xilinx")]
    assert documented("README.md", "iCE40 / Gowin / 7 series") == luts
    assert {name: documented("docs/results.md", name) for name in sizes} == sizes
    (total,) = (line for line in text.splitlines() if line.startswith("per image"))
    cycles = [float(cell.replace(",", "")) for cell in total.split()[2:4]]
    assert documented("README.md", "cycles per image") == cycles


@pytest.mark.parametrize("name", PRESETS)
def test_block_diagram_of_every_preset(tmp_path, name):
    pictures.draw_engine(tmp_path / "engine.png", PRESETS[name])
    assert _has_ink(tmp_path / "engine.png")


def test_wrong_answers_are_red(tmp_path):
    images = np.zeros((2, 8, 8, 1), np.uint8)
    for name, answers in (("right", [1, 2]), ("wrong", [1, 3])):
        pictures.draw_digits(tmp_path / f"{name}.png", images, [1, 2], answers, columns=2)

    def red(name):
        picture = matplotlib.image.imread(tmp_path / f"{name}.png")[..., :3]
        return np.any((picture[..., 0] > 0.6) & (picture[..., 1] < 0.4) & (picture[..., 2] < 0.4))

    assert red("wrong") and not red("right")


def test_recorded_tile_has_the_steps_of_the_layer(seed):
    network = lower(random_network(seed))
    config = fit(network, lanes=16, rows=4)
    compiled = compile_network(network, config)
    cycles = compiled.layers[0].cycles
    traces = waveform.record(compiled, random_images(network, 1, seed)[0], first=0, cycles=cycles)
    values = {trace.label: trace.values for trace in traces}
    assert all(len(trace.values) == cycles for trace in traces)
    # Each step is an operation of the whole array: the layer's bound counts them.
    assert values["issue: step"].sum() == compiled.layers[0].bound
    assert values["issue: last step of a tile"].sum() == values["array: tile is captured"].sum()
