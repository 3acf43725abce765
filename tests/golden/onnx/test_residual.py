"""Additions of feature maps in QONNX files, and tensors that several nodes read."""

import re

import numpy as np
import onnx
import pytest

from dorefa.golden import InputError
from dorefa.golden.onnx import importer

from .support import Graph, bias_of, check, head, weights_of


def conv(graph, rng, tensor, out, channels, unit=0.25, bias=None, **attributes):
    w = graph.weights(weights_of(rng, *channels), out + "_w", unit, 3)
    inputs = [tensor, w] if bias is None else [tensor, w, graph.constant(bias)]
    return graph.node("Conv", inputs, out, **attributes)


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("scales", [(0.5, 0.5), (0.5, 0.125), (0.375, 0.25)])
@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("op", ["Add", "Sub"])
def test_two_quantized_tensors(op, order, scales, signed, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 4, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4, signed=signed)
        x = graph.quant(conv(graph, rng, x, "conv0", (4, 4, 1, 1)), "act0", scales[0], 3, signed)
        y = conv(graph, rng, x, "conv1", (4, 4, 3, 3), pads=[1, 1, 1, 1])
        y = graph.quant(y, "act1", scales[1], 3, signed=signed)
        x = graph.node(op, [x, y][::order], "sum")
        x = graph.quant(graph.node("Relu", [x], "relu"), "act2", 0.5, 3)
        return graph.model(head(graph, x, rng, 4 * 36))

    found = check(build, tmp_path, rng)
    names = [layer.name for layer in found.network.layers]
    assert names == ["conv0", "conv1", "sum.skip", "sum", "scores"]
    last = found.network.layers[3]
    assert last.add == 2 and found.network.layers[2].trunk and found.network.layers[2].out_bits is None


@pytest.mark.parametrize("what", ["sums and codes", "sums and sums", "three", "four"])
def test_sums_go_into_the_trunk_without_a_quantizer(what, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 4, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        x = graph.quant(conv(graph, rng, x, "conv0", (4, 4, 1, 1)), "act0", 0.5, 3)
        y = conv(graph, rng, x, "conv1", (4, 4, 3, 3), bias=bias_of(rng, 4), pads=[1] * 4)
        y = graph.norm(y, "norm1", rng, 4)
        if what != "sums and codes":
            x = conv(graph, rng, x, "conv2", (4, 4, 1, 1), bias=bias_of(rng, 4))
        y = graph.node("Add", [y, x], "sum")
        if what == "three":
            z = conv(graph, rng, "act0", "conv3", (4, 4, 1, 1), unit=0.125 / 16)
            y = graph.node("Add", [z, y], "sum3")
        if what == "four":
            z = conv(graph, rng, "act0", "conv3", (4, 4, 1, 1), unit=0.125 / 16)
            z = graph.node("Add", [z, conv(graph, rng, "act0", "conv4", (4, 4, 1, 1))], "sum4")
            y = graph.node("Add", [z, y], "sum3")
        y = graph.quant(y, "act2", 0.5, 4, signed=1)
        y = graph.node("MaxPool", [y], "pool", kernel_shape=[2, 2], strides=[2, 2])
        return graph.model(head(graph, y, rng, 4 * 9))

    check(build, tmp_path, rng)


def test_blocks_in_a_row(tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 3, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        x = graph.quant(conv(graph, rng, x, "conv", (4, 3, 3, 3), pads=[1] * 4), "act", 0.5, 4)
        for block in range(3):
            y = conv(graph, rng, x, f"conv{block}a", (6, 4, 3, 3), pads=[1] * 4)
            y = graph.quant(graph.norm(y, f"norm{block}a", rng, 6), f"act{block}a", 1, 2)
            y = conv(graph, rng, y, f"conv{block}b", (4, 6, 3, 3), pads=[1] * 4)
            y = graph.quant(graph.norm(y, f"norm{block}b", rng, 4), f"act{block}b", 0.5, 4, signed=1)
            y = graph.node("Add", [y, x], f"sum{block}")
            x = graph.quant(graph.node("Relu", [y], f"relu{block}"), f"act{block}", 0.5, 4)
        x = graph.node("GlobalAveragePool", [x], "mean")
        x = graph.quant(x, "mean_q", 1 / 16, 8)
        return graph.model(head(graph, x, rng, 4))

    found = check(build, tmp_path, rng, 60)
    assert sum(layer.add is not None for layer in found.network.layers) == 3


def test_a_small_sum_is_read_without_a_quantizer(tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 4, 5, 5))
        x = graph.quant("x", "image", 1 / 8, 4)
        a = graph.quant(conv(graph, rng, x, "conv0", (6, 4, 1, 1)), "act0", 0.5, 3, signed=1)
        b = graph.quant(conv(graph, rng, x, "conv1", (6, 4, 1, 1)), "act1", 0.25, 3, signed=1)
        x = graph.node("Add", [a, b], "sum")
        x = graph.quant(conv(graph, rng, x, "conv2", (5, 6, 3, 3), pads=[1] * 4), "act2", 1, 3)
        return graph.model(head(graph, x, rng, 5 * 25))

    found = check(build, tmp_path, rng)
    stored = found.tensors["sum"]
    assert (stored.low, stored.high, stored.bits) == (-12, 9, 5)


def test_shared_tensors_and_a_second_quantizer(tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 4, 5, 5))
        x = graph.quant("x", "image", 1 / 8, 5, signed=1)
        # Quantizers that change nothing, that cut, and one behind an activation.
        x = graph.quant(x, "again", 1 / 8, 5, signed=1)
        x = graph.quant(x, "coarse", 1 / 2, 3, signed=1)
        y = conv(graph, rng, x, "conv0", (6, 4, 3, 3))
        y = graph.norm(y, "norm0", rng, 6)
        a = graph.quant(y, "act0", 0.5, 3, signed=1)
        b = graph.quant(graph.node("Relu", [a], "relu"), "act1", 1, 2)
        c = graph.quant(y, "act2", 0.25, 2)
        z = [conv(graph, rng, t, f"conv_{t}", (4, 6, 2, 2)) for t in (a, b, c)]
        z = [graph.quant(t, t + "_q", 0.5, 4, signed=1) for t in z]
        y = graph.node("Add", [graph.node("Add", z[:2], "sum0"), z[2]], "sum1")
        y = graph.quant(y, "act3", 1, 4, signed=1)
        return graph.model(head(graph, y, rng, 4 * 4))

    check(build, tmp_path, rng)


def test_scores_with_a_quantizer(tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 12))
        x = graph.quant("x", "image", 1 / 8, 4)
        w = graph.weights(weights_of(rng, 12, 10), "w", 0.25, 4)
        x = graph.node("MatMul", [x, w], "fc")
        return graph.model(graph.quant(x, "scores", 0.5, 5, signed=1))

    found = check(build, tmp_path, rng)
    assert [layer.name for layer in found.network.layers] == ["fc", "scores"]


def test_scales_without_a_small_ratio_are_refused(tmp_path, rng):
    graph = Graph((1, 4, 6, 6))
    x = graph.quant("x", "image", 1 / 8, 4)
    x = graph.quant(conv(graph, rng, x, "conv0", (4, 4, 1, 1)), "act0", 0.1, 3)
    # Sums that no quantizer has made codes of are too many to look at.
    y = graph.node("Mul", [conv(graph, rng, x, "conv1", (4, 4, 1, 1)), graph.constant(0.3)], "act1")
    x = graph.quant(graph.node("Add", [x, y], "sum"), "act2", 0.5, 3)
    onnx.save(graph.model(head(graph, x, rng, 4 * 36)), tmp_path / "net.onnx")
    message = (
        r"node sum \(Add\): the scales of its two inputs have no small ratio \(\d+ to 1 in steps\);"
        " accepted: one quantizer for both, or scales that are powers of two"
    )
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path / 'net.onnx'))}: {message}$"):
        importer.load(tmp_path / "net.onnx")


def test_a_trunk_without_quantizers_is_computed_once(tmp_path, seed, rng):
    """Pre-activation blocks: every sum is quantized for its block and goes on unquantized."""

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 4, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        trunk = conv(graph, rng, x, "conv", (4, 4, 3, 3), pads=[1] * 4)
        for block in range(3):
            y = graph.quant(graph.norm(trunk, f"norm{block}", rng, 4), f"act{block}", 0.25, 3)
            y = conv(graph, rng, y, f"conv{block}", (4, 4, 3, 3), unit=0.125, pads=[1] * 4)
            trunk = graph.node("Add", [trunk, y], f"sum{block}")
        x = graph.quant(trunk, "act", 0.5, 4, signed=1)
        return graph.model(head(graph, x, rng, 4 * 36))

    found = check(build, tmp_path, rng)
    names = [layer.name for layer in found.network.layers]
    # The first convolution has a layer of its own for its trunk, whose unit is not its own.
    assert names == ["conv", "conv.1", "conv0", "conv1", "conv2", "scores"]
