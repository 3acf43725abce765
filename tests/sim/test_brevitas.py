"""Networks that Brevitas trained and exported, in the generated Verilog: every layer bit-exact."""

from pathlib import Path

import numpy as np
import pytest

from dorefa.golden import random_images
from dorefa.golden.onnx import importer
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.sizing import fit
from dorefa.hw.generate.manifest import engine_files
from dorefa.sim import simulate

FOLDER = Path(__file__).parents[1] / "golden" / "onnx" / "brevitas"
NAMES = sorted(path.stem for path in FOLDER.glob("*.onnx"))


def run(name, images, **engine):
    """Simulates and checks the network `name`; images: None for random ones, 3 in number."""
    network = importer.load(FOLDER / f"{name}.onnx")
    config = fit(network, **engine)
    if images is None:
        images = random_images(network, 3, 1)
    report = simulate(
        network,
        images=images,
        config=config,
        simulator="verilator",
        verilog_text=engine_files(config)["engine.v"],
    )
    assert report.bit_exact, report.mismatches[:1]
    assert report.images == len(images)
    # Without stalls the prediction is what the Verilog takes.
    assert report.cycles == compile_network(network, config).cycles
    return report


@pytest.mark.parametrize("name", ["residual", "xnor"])
def test_random_images(name):
    run(name, None, lanes=32, rows=8)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("engine", [{"lanes": 64, "rows": 16}, {"lanes": 24, "rows": 6, "cols": 2}])
def test_more_engines(name, engine):
    run(name, None, **engine)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*NAMES} - {"mlp", "xnor"}))
def test_digits(name):
    """The image quantizer of the convolutional networks: 8 bits, the scale of the training's maximum."""
    found = importer.load_import(FOLDER / f"{name}.onnx")
    scale = next(float(t.scale[0]) for t in found.tensors.values() if t.source < 0)
    images = np.rint(digits_sample()[0][800:830] / 256 / scale).clip(0, 255).astype(np.uint8)
    run(name, images, lanes=32, rows=8)
