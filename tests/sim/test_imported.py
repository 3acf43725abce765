"""Imported networks with what the engine has no name for: parts of maps and maps side by side, sums of other
scales, codes of nine bits, several results. On the generated Verilog."""

import numpy as np
import onnx
import pytest

from dorefa.golden.onnx import importer
from dorefa.hw.compiler.sizing import fit

from ..golden.onnx.integer.float_models import NETWORKS, quantized
from ..golden.onnx.support import Graph, head, weights_of
from .test_results import assert_exact


def conv(graph, rng, x, out, channels, inner, kernel=1, **more):
    """A convolution of three bits and its quantizer of four."""
    w = graph.weights(weights_of(rng, channels, inner, kernel, kernel), f"{out}_w", 0.25, 3)
    return graph.quant(graph.node("Conv", [x, w], f"{out}_sums", **more), out, 0.5, 4, signed=1)


def cut(graph, x, out, **bounds):
    """A Slice of places "starts" to "ends" of "axes" in "steps"."""
    ints = [graph.constant(bounds[name], dtype=np.int64) for name in ("starts", "ends", "axes", "steps")]
    return graph.node("Slice", [x, *ints], out)


def parts(rng):
    """Rows and columns left out in front of and behind a quantizer, and by a layer of weights 1."""
    graph = Graph((1, 2, 7, 6))
    x = conv(graph, rng, graph.quant("x", "image", 0.5, 4), "first", 5, 2, kernel=3, pads=[1, 1, 1, 1])
    late = cut(graph, x, "late", starts=[2, 1], ends=[7, 5], axes=[2, 3], steps=[2, 3])
    chosen = cut(graph, x, "chosen", starts=[1], ends=[4], axes=[1], steps=[2])
    return graph.model(head(graph, late, rng, 5 * 3 * 2), conv(graph, rng, chosen, "few", 3, 2, kernel=2))


def padding_alone(rng):
    """Rows, and columns of another map, of which no window has a pixel."""
    graph = Graph((1, 2, 3, 4))
    image = graph.quant("x", "image", 0.5, 4)
    x = conv(graph, rng, image, "first", 5, 2, kernel=2, pads=[0, 1, 3, 1])
    below = cut(graph, x, "below", starts=[4], ends=[5], axes=[2], steps=[1])
    y = conv(graph, rng, image, "second", 3, 2, kernel=2, pads=[1, 4, 1, 0])
    beside = cut(graph, y, "beside", starts=[0], ends=[2], axes=[3], steps=[1])
    return graph.model(head(graph, below, rng, 5 * 5), conv(graph, rng, beside, "few", 3, 3, kernel=2))


def side_by_side(rng):
    """Two maps that a convolution, a depthwise one and a result read."""
    graph = Graph((1, 2, 5, 4))
    x = conv(graph, rng, graph.quant("x", "image", 0.5, 4), "first", 6, 2, kernel=3, pads=[1, 1, 1, 1])
    y = conv(graph, rng, x, "second", 3, 6)
    joined = graph.node("Concat", [y, x], "joined", axis=1)
    z = conv(graph, rng, joined, "third", 4, 9, kernel=2)
    w = graph.weights(weights_of(rng, 9, 1, 2, 2), "dw", 0.25, 3)
    return graph.model(head(graph, z, rng, 4 * 12), graph.node("Conv", [joined, w], "deep", group=9))


def sums(rng):
    """Maps of different scales that are added, in front of a pool of stride 1 with padding."""
    graph = Graph((1, 2, 5, 4))
    x = conv(graph, rng, graph.quant("x", "image", 0.5, 4), "first", 6, 2, kernel=3, pads=[1, 1, 1, 1])
    w = graph.weights(weights_of(rng, 6, 6, 1, 1), "w", 0.25, 3)
    y = graph.quant(graph.node("Conv", [x, w], "beside"), "other", 0.059037, 8, signed=1)
    x = graph.quant(graph.node("Add", [x, y], "sum"), "act", 0.0737, 8, signed=1, zero=17)
    x = graph.node("MaxPool", [x], "pool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    return graph.model(head(graph, x, rng, 6 * 20), "act")


SIZES = [{"lanes": 16, "rows": 4, "quant": 2}, {"lanes": 16, "rows": 2, "quant": 2, "cols": 3}]


@pytest.mark.parametrize("make", [parts, padding_alone, side_by_side, sums])
def test_parts_and_sums(make, tmp_path, rng, sizes=SIZES[0]):
    path = tmp_path / "net.onnx"
    onnx.save(make(rng), path)
    network = importer.load(path)
    assert len(network.results) == 2
    assert_exact(network, fit(network, **sizes))


@pytest.mark.slow
@pytest.mark.parametrize("make", [parts, padding_alone, side_by_side, sums])
def test_parts_and_sums_of_columns(make, tmp_path, rng):
    test_parts_and_sums(make, tmp_path, rng, SIZES[1])


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.parametrize(("bits", "quantizer"), [(9, "thresholds"), (10, "affine"), (16, "affine")])
def test_codes_of_many_bits(bits, quantizer, tmp_path, rng):
    """Quantizers of more than eight bits between layers, beside codes of four bits with a sign."""
    graph = Graph((1, 3, 6, 6))
    x = graph.quant("x", "image", 1 / 8, 8)
    w = graph.weights(weights_of(rng, 4, 3, 3, 3) * 15, "w", 1 / 8, 7)
    sums = graph.node("Conv", [x, w], "sums", pads=[1] * 4)
    scale = 1 / 64 if quantizer == "thresholds" else 0.0171
    x = conv(
        graph, rng, graph.quant(sums, "wide", scale, bits, signed=1), "act", 4, 4, kernel=3, pads=[1] * 4
    )
    onnx.save(graph.model(head(graph, x, rng, 4 * 36)), tmp_path / "net.onnx")
    network = importer.load(tmp_path / "net.onnx")
    config = fit(network, quantizer=quantizer, **SIZES[0])
    assert config.out_bits == network.layers[1].a_bits == bits
    assert_exact(network, config, count=2)


@pytest.mark.parametrize("name", ["leaky", "residual"])
def test_static_quantization(name, tmp_path, sizes=SIZES[0]):
    """W8A8 with zero points; codes of both signs that are padded take nine bits."""
    path = quantized(tmp_path, name, 3, form="QDQ", activations="QUInt8", per_channel=True)
    network = importer.load(path)
    config = fit(network, **sizes)
    assert config.out_bits == config.a_bits == (9 if name == "leaky" else 8)
    assert_exact(network, config, count=2)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [SIZES[0], {"lanes": 32, "rows": 8, "quantizer": "thresholds"}])
@pytest.mark.parametrize("name", NETWORKS)
def test_other_static_quantization(name, sizes, tmp_path):
    test_static_quantization(name, tmp_path, sizes)
