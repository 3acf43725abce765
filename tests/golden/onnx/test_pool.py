"""Pooling, truncation and thresholds of QONNX files equal the executor on every quantized tensor."""

import numpy as np
import pytest

from .support import QONNX, Graph, check, convolution, head, weights_of


@pytest.mark.parametrize("op", ["AveragePool", "GlobalAveragePool", "MaxPool", "GlobalMaxPool"])
@pytest.mark.parametrize("where", ["sums", "codes", "shared codes"])
@pytest.mark.parametrize("signed", [0, 1])
def test_pooling(signed, where, op, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 7, 7))
        x = graph.quant("x", "image", 1 / 8, 4, signed=signed)
        w = graph.weights(weights_of(rng, 6, 2, 3, 3), "w0", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv0", pads=[1, 1, 0, 0])
        if where != "sums":
            x = graph.norm(x, "norm0", rng, 6)
            x = graph.quant(x, "act0", 0.5, 3, signed=signed)
        window = {} if "Global" in op else {"kernel_shape": [2, 4], "strides": [2, 2]}
        pooled = graph.node(op, [x], "pool0", **window)
        size = 1 if "Global" in op else 3 * 2
        pooled = graph.quant(pooled, "act1", 0.25, 4, signed=signed)
        if where != "shared codes":
            return graph.model(head(graph, pooled, rng, 6 * size))
        w = graph.weights(weights_of(rng, 5, 6, 6, 6), "w1", 0.25, 3)
        other = graph.node("Conv", [x, w], "conv1")
        other = graph.quant(other, "act2", 2, 3, signed=signed)
        w = graph.weights(weights_of(rng, 5, 6, *((1, 1) if size == 1 else (3, 2))), "w2", 0.25, 3)
        pooled = graph.node("Conv", [pooled, w], "conv2")
        x = graph.node("Add", [graph.quant(pooled, "act3", 2, 3, signed=signed), other], "sum")
        x = graph.quant(x, "act4", 2, 3, signed=signed)
        return graph.model(head(graph, x, rng, 5))

    found = check(build, tmp_path, rng)
    assert (found.network.layers[0].pool is not None) == (
        where == "sums" or where == "codes" and ("Max" in op or not signed)
    )


@pytest.mark.parametrize("op", ["MaxPool", "GlobalMaxPool"])
@pytest.mark.parametrize("integer", ["Quant", "Floor", "MultiThreshold"])
def test_max_pooling_behind_integers_that_fall(integer, op, tmp_path, seed, rng):
    """The maximum of what falls is the least integer."""

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 5, 5))
        x = graph.quant("x", "image", 1 / 8, 4, signed=1)
        w = graph.weights(weights_of(rng, 6, 2, 2, 2), "w0", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv0")
        if integer == "Quant":
            x = graph.quant(x, "act0", 0.25, 4, signed=1)
        elif integer == "Floor":
            x = graph.node("Floor", [x], "act0")
        else:
            table = graph.constant(np.sort(rng.integers(-9, 9, (6, 7)) / 4))
            x = graph.node("MultiThreshold", [x, table], "act0", QONNX, out_dtype="UINT3")
        x = graph.node("Neg", [x], "bent")
        window = {} if "Global" in op else {"kernel_shape": [2, 2], "strides": [2, 2]}
        x = graph.node(op, [x], "pool0", **window)
        return graph.model(head(graph, x, rng, 6 * (1 if "Global" in op else 4)))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("ceil_mode", [0, 1])
def test_max_pooling_with_padding_and_partial_windows(ceil_mode, tmp_path, seed, rng):
    def build(batch):
        graph, x, rng = convolution(batch, seed, (2, 8, 9), (6, 2, 1, 1), 0.25)
        x = graph.node(
            "MaxPool",
            [x],
            "pool0",
            kernel_shape=[3, 2],
            strides=[2, 2],
            pads=[1, 0, 0, 0],
            ceil_mode=ceil_mode,
        )
        return graph.model(head(graph, x, rng, 6 * 4 * (4 + ceil_mode)))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("version", [1, 2])
def test_average_pooling_and_truncation(version, tmp_path, seed, rng):
    """As Brevitas exports its average pooling: the mean, times the window, cut to fewer bits."""

    def build(batch):
        graph, x, rng = convolution(batch, seed, (2, 8, 8), (6, 2, 1, 1), 0.25, 4, 0)
        x = graph.node("AveragePool", [x], "pool0", kernel_shape=[2, 2], strides=[2, 2])
        x = graph.node("Mul", [x, graph.constant(4)], "sum0")
        if version == 1:
            inputs = map(graph.constant, (0.25, 0, 6, 4))
            x = graph.node("Trunc", [x, *inputs], "cut0", "qonnx.custom_op.general", rounding_mode="FLOOR")
        else:
            inputs = map(graph.constant, (0.25, 0, 6, 1, 4))
            x = graph.node(
                "Trunc",
                [x, *inputs],
                "cut0",
                "qonnx.custom_op.general",
                rounding_mode="FLOOR",
                signed=0,
                narrow=0,
            )
        return graph.model(head(graph, x, rng, 6 * 16), general=version)

    found = check(build, tmp_path, rng)
    assert found.network.layers[1].out_bits == 4


@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("bias", [0, -4])
def test_multi_threshold(rows, bias, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 5, 5))
        x = graph.quant("x", "image", 1, 4)
        w = graph.weights(weights_of(rng, 6, 2, 2, 2), "w0", 0.5, 3)
        x = graph.node("Conv", [x, w], "conv0")
        table = np.sort(rng.integers(-20, 20, (rows, 7)), axis=1)
        x = graph.node(
            "MultiThreshold",
            [x, graph.constant(table)],
            "act0",
            "qonnx.custom_op.general",
            out_dtype="INT4",
            out_scale=0.5,
            out_bias=bias / 2,
        )
        return graph.model(head(graph, x, rng, 6 * 16))

    found = check(build, tmp_path, rng)
    assert found.network.layers[0].code_offset == bias


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("gains", ["mixed", "negative"])
def test_channels_that_fall_with_the_pooled_maximum(gains, signed, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        w = graph.weights(weights_of(rng, 6, 2, 3, 3), "w0", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv0")
        x = graph.node("Mul", [x, graph.constant([[[-2]], [[1]]] * 3)], "before")
        x = graph.node("MaxPool", [x], "pool0", kernel_shape=[2, 2], strides=[2, 2])
        factors = [-1, 2, -0.5, -1, 1, 0] if gains == "mixed" else [-1, -2, -0.5, -1, -1, -4]
        x = graph.node("Mul", [x, graph.constant(np.reshape(factors, (6, 1, 1)))], "after")
        x = graph.node("Add", [x, graph.constant(0.5)], "shifted")
        x = graph.quant(x, "act0", 0.5, 3, signed=signed)
        return graph.model(head(graph, x, rng, 6 * 4))

    found = check(build, tmp_path, rng, 60)
    assert [layer.name for layer in found.network.layers] == ["conv0", "conv0.turn", "scores"]


def test_a_scale_behind_pooled_codes_is_not_lost(tmp_path, seed, rng):
    """The quantizer's scale stands in front of the pooling, the factor behind it: both count."""

    def build(batch):
        graph, x, rng = convolution(batch, seed, (2, 6, 6), (6, 2, 3, 3), 0.25)
        x = graph.node("MaxPool", [x], "pool0", kernel_shape=[2, 2], strides=[2, 2])
        x = graph.node("Mul", [x, graph.constant(2)], "scaled0")
        return graph.model(head(graph, x, rng, 6 * 4))

    found = check(build, tmp_path, rng)
    assert len(found.network.layers) == 2


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("factors", [(-1, -1, -1, -1, -1, -1), (2, -0.5, 0, 1, -3, 1)])
def test_maxima_of_codes_that_a_factor_turns_round(factors, signed, tmp_path, seed):
    """Of falling multiples of codes the maximum is that of the least code."""

    def build(batch):
        graph, x, rng = convolution(batch, seed, signed=signed)
        x = graph.node("Mul", [x, graph.constant(np.reshape(factors, (6, 1, 1)))], "turned")
        x = graph.node("MaxPool", [x], "pooled", kernel_shape=[2, 2], strides=[2, 2])
        # A depthwise layer reads channels of different scales.
        w = graph.weights(weights_of(rng, 6, 1, 1, 1), "w1", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv1", group=6), "act1", 0.25, 5, signed=1)
        return graph.model(head(graph, x, rng, 6 * 4))

    check(build, tmp_path, np.random.default_rng(seed))
