"""Activations of 9 to 16 bits: quantizers, sums that no quantizer bounds, sums of maps."""

import numpy as np
import onnx
import pytest

from dorefa.golden.lowering.affine_form import affine_form
from dorefa.golden.onnx import importer
from dorefa.golden.run import matmul

from ..support import Graph, assert_refused, check, head, weights_of
from .runtime import compare
from .test_operators import MICROSOFT, IntegerGraph, images


def small_weights(rng, *shape):
    """So small that float32 holds every sum of their products with 16 bits."""
    return rng.integers(-2, 3, shape).astype(np.int8)


def wide(rng, zero, domain):
    """Two convolutions around codes of 16 bits, whose maxima the second one reads."""
    graph, scale = IntegerGraph(), np.float32(1 / 64)
    real = graph.node("DequantizeLinear", [graph.image(np.uint8(0)), np.float32(1 / 16), np.uint8(0)], "real")
    for number, shape in enumerate([(4, 3, 3, 3), (2, 4, 1, 1)]):
        inputs = [small_weights(rng, *shape), np.float32(0.25), np.int8(0)]
        w = graph.node("DequantizeLinear", inputs, f"w{number}")
        real = graph.node("Conv", [real, w], f"sums{number}")
        if number == 0:
            real = graph.node("Relu", [real], "bounded") if zero == 0 else real
            codes = graph.node("QuantizeLinear", [real, scale, zero], "codes", domain)
            real = graph.node("DequantizeLinear", [codes, scale, zero], "again", domain)
            real = graph.node("MaxPool", [real], "maxima", kernel_shape=[2, 2])
    return graph.model("sums1", opset=19 if domain else 21)


@pytest.mark.parametrize("domain", ["", MICROSOFT])
@pytest.mark.parametrize("zero", [np.uint16(0), np.uint16(32768), np.int16(0)])
def test_codes_of_sixteen_bits_are_the_runtimes(zero, domain, tmp_path, rng):
    onnx.save(wide(rng, zero, domain), tmp_path / "n.onnx")
    found, compared, _ = compare(tmp_path / "n.onnx", images(rng))
    assert compared > 400
    layer = found.network.layers[0]
    # As many as the sums reach.
    assert layer.out_bits == found.network.layers[1].a_bits in (13, 14)


def test_the_affine_form_has_the_codes_of_the_thresholds(tmp_path, rng):
    """Of scales that make no ties, which have none."""
    graph = Graph((1, 3, 6, 6))
    x = graph.quant("x", "image", 1 / 8, 8)
    w = graph.weights(weights_of(rng, 4, 3, 3, 3) * 15, "w", 1 / 8, 7)
    x = graph.quant(graph.node("Conv", [x, w], "conv"), "act", 0.0171, 12, signed=1)
    onnx.save(graph.model(head(graph, x, rng, 4 * 16)), tmp_path / "n.onnx")
    layer = importer.load(tmp_path / "n.onnx").layers[0]
    sums = rng.integers(layer.value_min, layer.value_max + 1, (500, 4))
    counts = matmul.apply_thresholds(sums, layer.thresholds, layer.inverted)
    assert counts.max() > 2000
    np.testing.assert_array_equal(affine_form(layer, 40).codes(sums, layer), counts)


@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize(("bits", "mode"), [(9, "ROUND"), (12, "FLOOR"), (16, "ROUND")])
def test_quant_nodes(bits, mode, pool, tmp_path, rng, seed):
    """QONNX's quantizers of more than 8 bits that a layer reads, or reads the maxima of, are codes, not
    trunks."""

    def build(batch):
        draw = np.random.default_rng(seed)
        graph = Graph((batch, 3, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        for number, inner in enumerate([3, 4]):
            w = graph.weights(weights_of(draw, 4, inner, 3, 3), f"w{number}", 1 / 8, 3)
            x = graph.node("Conv", [x, w], f"conv{number}", pads=[1] * 4)
            x = graph.quant(x, f"act{number}", 1 / 32, bits if number == 0 else 4, signed=1, mode=mode)
            if pool and number == 0:
                x = graph.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
        return graph.model(head(graph, x, draw, 4 * (9 if pool else 36)))

    found = check(build, tmp_path, rng)
    assert [layer.out_bits for layer in found.network.layers] == [min(bits, 10), 4, None]


def test_sums_that_nothing_quantizes(tmp_path, rng):
    """A layer reads the sums of another one, as many levels as these have."""
    graph = IntegerGraph()
    inputs = [graph.image(np.uint8(0), 1 / 4), np.float32(1 / 4), np.uint8(0)]
    x = graph.node("DequantizeLinear", inputs, "real")
    for number, shape in enumerate([(4, 3, 3, 3), (2, 4, 3, 3)]):
        w = [small_weights(rng, *shape), np.float32(0.5), np.int8(0)]
        x = graph.node(
            "Conv", [x, graph.node("DequantizeLinear", w, f"w{number}")], f"sums{number}", pads=[1] * 4
        )
    onnx.save(graph.model(x), tmp_path / "n.onnx")
    found, compared, _ = compare(tmp_path / "n.onnx", images(rng))
    assert compared > 400 and 8 < found.network.layers[0].out_bits <= 16


def test_sums_of_two_maps(tmp_path, rng):
    """Nine bits: what a convolution reads is the sum of two maps of eight."""
    graph = IntegerGraph()
    image = graph.node(
        "DequantizeLinear", [graph.image(np.uint8(0)), np.float32(1 / 16), np.uint8(0)], "real"
    )
    maps = []
    for name in "ab":
        inputs = [small_weights(rng, 4, 3, 3, 3), np.float32(0.25), np.int8(0)]
        sums = graph.node("Conv", [image, graph.node("DequantizeLinear", inputs, f"w{name}")], f"sums{name}")
        codes = graph.node("QuantizeLinear", [sums, np.float32(0.125), np.int8(0)], f"codes{name}")
        maps.append(graph.node("DequantizeLinear", [codes, np.float32(0.125), np.int8(0)], name))
    both = graph.node("Add", maps, "both")
    w = graph.node("DequantizeLinear", [small_weights(rng, 2, 4, 3, 3), np.float32(1), np.int8(0)], "w")
    onnx.save(graph.model(graph.node("Conv", [both, w], "scores", pads=[1] * 4)), tmp_path / "n.onnx")
    found, compared, _ = compare(tmp_path / "n.onnx", images(rng))
    assert compared > 400
    assert found.network.layers[-1].a_bits == 9


def test_what_is_too_much(tmp_path, rng):
    """Thresholds are kept for every level of every channel."""
    graph = IntegerGraph()
    real = graph.node("DequantizeLinear", [graph.image(np.uint8(0)), np.float32(1 / 16), np.uint8(0)], "real")
    w = graph.node("DequantizeLinear", [small_weights(rng, 257, 3, 3, 3), np.float32(1), np.int8(0)], "w")
    codes = graph.node(
        "QuantizeLinear", [graph.node("Conv", [real, w], "sums"), np.float32(1e-4), np.int16(0)], "codes"
    )
    real = graph.node("DequantizeLinear", [codes, np.float32(1e-4), np.int16(0)], "again")
    w = graph.node("DequantizeLinear", [small_weights(rng, 2, 257, 1, 1), np.float32(1), np.int8(0)], "w2")
    onnx.save(graph.model(graph.node("Conv", [real, w], "scores")), tmp_path / "n.onnx")
    message = "reads 65536 levels of 257 channels of sums; accepted: at most 16777216 thresholds"
    assert_refused(tmp_path / "n.onnx", rf"node scores \(Conv\): {message}")
