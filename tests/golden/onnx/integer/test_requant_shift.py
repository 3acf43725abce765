"""RequantShift: codes as NumPy's integers compute them."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from dorefa.golden import run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.run.integer import real_arrays

from ..support import Graph, assert_refused, head


def requantized(graph, x, out, mul, add, domain="PACTOps", **attributes):
    """A RequantShift node."""
    inputs = [x, graph.constant(mul), graph.constant(add)]
    return graph.node("RequantShift", inputs, out, domain=domain, **attributes)


def tensors(**numbers):
    """Attributes as tensors, as the exporter has them."""
    return {name: numpy_helper.from_array(np.array([value], np.float32)) for name, value in numbers.items()}


def model(rng, mul, add, attributes, domain="PACTOps"):
    """A convolution, its requantization, and a residual sum with another one."""
    graph = Graph((1, 3, 5, 4))
    x = graph.quant("x", "image", 1, 8, signed=1)
    w = graph.constant(rng.integers(-7, 8, (6, 3, 3, 3)))
    x = graph.node("Conv", [x, w], "sums", pads=[1, 1, 1, 1])
    x = requantized(graph, x, "codes", mul, add, domain, **attributes)
    w = graph.constant(rng.integers(-7, 8, (6, 6, 1, 1)))
    y = graph.node("Conv", [x, w], "more")
    y = requantized(graph, y, "other", mul, add, domain, **attributes)
    x = graph.node("Add", [x, y], "both")
    x = requantized(graph, x, "end", [3], [1], domain, div=4, signed=1, n_levels=256)
    return graph.model(head(graph, x, rng, 6 * 20), "codes", "other", "end")


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("shape", [(6, 1, 1), (6,), (1, 6, 1, 1), ()])
def test_codes(shape, signed, tmp_path, rng):
    mul, add = rng.integers(1, 90, shape), rng.integers(-2000, 2000, shape)
    numbers = {"div": 512, "signed": signed, "n_levels_out": 255}
    attributes = tensors(**numbers) if shape else {"div": 512, "signed": signed, "n_levels": 255}
    path = tmp_path / "net.onnx"
    onnx.save(model(rng, mul, add, attributes, ("PACTOps", "", "ai.onnx.contrib")[len(shape) % 3]), path)
    found = importer.load_import(path)
    network = found.network
    images = rng.integers(0, 256, (8, *network.input_shape)).astype(np.uint8)
    values = run_integer(network, images)
    low, high = (-128, 127) if signed else (0, 254)
    codes = values[network.layers[found.tensors["codes"].source].name].astype(int)
    assert codes.min() >= low and codes.max() <= high and len(np.unique(codes)) > 50
    by_channel = [np.broadcast_to(np.reshape(array, -1), 6) for array in (mul, add)]
    weights = next(array for array in onnx.load(path).graph.initializer if array.dims == [6, 6, 1, 1])
    sums = codes @ numpy_helper.to_array(weights)[:, :, 0, 0].T.astype(int)
    # Halves go up.
    expected = np.clip((sums * by_channel[0] + by_channel[1] + 256) // 512, low, high)
    other = values[network.layers[found.tensors["other"].source].name]
    np.testing.assert_array_equal(other, expected)
    end = values[network.layers[found.tensors["end"].source].name]
    np.testing.assert_array_equal(end, np.clip(((codes + expected) * 3 + 1 + 2) // 4, -128, 127))


def test_halves_go_up(tmp_path):
    """Also those below 0: -1.5 is -1."""
    graph = Graph((1, 1, 1, 4))
    x = graph.quant("x", "image", 1, 4, signed=1)
    requantized(graph, x, "scores", 1, 0, div=2, signed=1, n_levels=16)
    onnx.save(graph.model("scores"), tmp_path / "net.onnx")
    network = importer.load(tmp_path / "net.onnx")
    values = np.array([-3, -2, -1, 3]) & 15
    scores = real_arrays(network, run_integer(network, values.astype(np.uint8).reshape(1, 1, 4, 1)))
    np.testing.assert_array_equal(scores["scores"].ravel(), [-1, -1, 0, 2])


@pytest.mark.parametrize("shape", [(6, 1, 1), (6, 1), (6,)])
def test_signals(shape, tmp_path, rng):
    """Numbers per channel may have an axis more than a signal has."""
    graph = Graph((1, 3, 7))
    x = graph.quant("x", "image", 1, 8, signed=1)
    weights = rng.integers(-7, 8, (6, 3, 1))
    x = graph.node("Conv", [x, graph.constant(weights)], "sums")
    mul, add = rng.integers(1, 90, shape), rng.integers(-2000, 2000, shape)
    requantized(graph, x, "scores", mul, add, div=512, signed=1, n_levels=256)
    onnx.save(graph.model("scores"), tmp_path / "net.onnx")
    network = importer.load(tmp_path / "net.onnx")
    images = rng.integers(-128, 128, (4, 1, 7, 3))
    found = real_arrays(network, run_integer(network, images.astype(np.int8).view(np.uint8)))["scores"]
    sums = images @ weights[:, :, 0].T * mul.ravel() + add.ravel()
    np.testing.assert_array_equal(found, np.clip((sums + 256) // 512, -128, 127))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"div": 0}, "div is 0 and n_levels 255; accepted: at least 1, and at least 2"),
        ({"div": 2.5}, "attribute div is 2.5; accepted: an integer"),
        (
            {"rounding": 1},
            "has an attribute rounding, which version 1 lacks; accepted: div, n_levels, signed",
        ),
    ],
)
def test_refused(change, message, tmp_path, rng):
    attributes = {"div": 512, "signed": 0, "n_levels": 255} | change
    path = tmp_path / "net.onnx"
    path.write_bytes(model(rng, 3, 5, attributes).SerializeToString())
    assert_refused(path, rf"node codes \(RequantShift\): {message}")
