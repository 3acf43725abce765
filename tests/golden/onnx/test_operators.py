"""Every elementwise and layout operator of QONNX files equals the executor."""

import numpy as np
import pytest
from onnx import TensorProto

from .support import Graph, bias_of, check, convolution, head, weights_of

INT64 = {"dtype": np.int64}


def factors(rng, *shape):
    return rng.choice([-2, -1, -0.5, 0.5, 1, 2], shape)


ELEMENTWISE = {
    "Mul": lambda g, x, rng: g.node("Mul", [g.constant(factors(rng, 1, 6, 1, 1)), x], "bent"),
    "Div": lambda g, x, rng: g.node("Div", [x, g.constant(factors(rng, 6, 1, 1))], "bent"),
    "Add": lambda g, x, rng: g.node("Add", [g.constant(bias_of(rng, 6)[:, None, None]), x], "bent"),
    "Sub": lambda g, x, rng: g.node("Sub", [x, g.constant(bias_of(rng, 6)[:, None, None])], "bent"),
    "Sub from": lambda g, x, rng: g.node("Sub", [g.constant(1.5), x], "bent"),
    "Neg": lambda g, x, rng: g.node("Neg", [x], "bent"),
    "Relu": lambda g, x, rng: g.node("Relu", [x], "bent"),
    "LeakyRelu": lambda g, x, rng: g.node("LeakyRelu", [x], "bent", alpha=0.25),
    "PRelu": lambda g, x, rng: g.node("PRelu", [x, g.constant(np.abs(factors(rng, 6, 1, 1)))], "bent"),
    "Clip": lambda g, x, rng: g.node("Clip", [x, g.constant(-0.75), g.constant(1.25)], "bent"),
    "Clip above": lambda g, x, rng: g.node("Clip", [x, "", g.constant(1)], "bent"),
    "Clip to infinity": lambda g, x, rng: g.node("Clip", [x, g.constant(-1), g.constant(np.inf)], "bent"),
    "Floor": lambda g, x, rng: g.node("Floor", [x], "bent"),
    "Ceil": lambda g, x, rng: g.node("Ceil", [x], "bent"),
    "Round": lambda g, x, rng: g.node("Round", [x], "bent"),
    "Identity": lambda g, x, rng: g.node("Identity", [x], "bent"),
}


@pytest.mark.parametrize("where", ["sums", "codes"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(name, where, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4, signed=1)
        w = graph.weights(weights_of(rng, 6, 2, 3, 3), "w0", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv0")
        if where == "codes":
            x = graph.quant(x, "act", 0.25, 5, signed=1)
            x = graph.node("Relu", [graph.node("Neg", [x], "neg")], "above")
        x = ELEMENTWISE[name](graph, x, rng)
        x = graph.quant(x, "act0", 0.5, 4, signed=1)
        return graph.model(head(graph, x, rng, 6 * 16))

    check(build, tmp_path, rng)


def flat_by_shape(graph, x, batch):
    """As PyTorch exports x.view(x.shape[0], -1)."""
    shape = graph.node("Shape", [x], "shape")
    size = graph.node("Gather", [shape, graph.constant(0, **INT64)], "size", axis=0)
    size = graph.node("Unsqueeze", [size, graph.constant([0], **INT64)], "sizes")
    graph.shapes["moved"] = (batch, 96)
    target = graph.node("Concat", [size, graph.constant([-1], **INT64)], "target", axis=0)
    return graph.node("Reshape", [x, target], "moved")


LAYOUTS = {
    "shape": flat_by_shape,
    "reshape with a copied axis": lambda g, x, batch: g.node(
        "Reshape", [x, g.constant([0, -1], **INT64)], "moved"
    ),
    "transpose": lambda g, x, batch: g.node("Transpose", [x], "moved", perm=[0, 3, 1, 2]),
    "two steps": lambda g, x, batch: g.node(
        "Reshape",
        [
            g.node("Reshape", [x, g.constant([batch, 6, 16], **INT64)], "first"),
            g.constant([batch, 96], **INT64),
        ],
        "moved",
    ),
    "unsqueezed": lambda g, x, batch: g.node(
        "Squeeze",
        [g.node("Unsqueeze", [x, g.constant([1, 5], **INT64)], "first"), g.constant([1, -1], **INT64)],
        "moved",
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_in_front_of_a_fully_connected_layer(name, tmp_path, seed, rng):
    def build(batch):
        graph, x, rng = convolution(batch, seed)
        x = LAYOUTS[name](graph, x, batch)
        return graph.model(head(graph, x, rng, 6 * 16))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER"])
def test_pad_in_front_of_a_convolution(auto_pad, signed, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 6, 5))
        x = graph.quant("x", "image", 1 / 8, 4, signed=signed)
        pads = graph.constant([0, 0, 1, 2, 0, 0, 0, 3], **INT64)
        x = graph.node("Pad", [x, pads, graph.constant(0)], "padded", mode="constant")
        w = graph.weights(weights_of(rng, 6, 2, 3, 3), "w0", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv0", strides=[2, 2], auto_pad=auto_pad)
        x = graph.quant(x, "act0", 0.5, 3, signed=1)
        return graph.model(head(graph, x, rng, 6 * (12 if auto_pad == "NOTSET" else 20)))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(("axes", "pixels"), [([2, 3], 1), ([-2], 4), ([3], 4)])
def test_mean_over_pixels(axes, pixels, keepdims, tmp_path, seed, rng):
    def build(batch):
        graph, x, rng = convolution(batch, seed)
        x = graph.node("ReduceMean", [x], "mean", axes=axes, keepdims=keepdims)
        x = graph.quant(x, "act1", 0.125, 5, signed=1)
        return graph.model(head(graph, x, rng, 6 * pixels))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "TopK"])
def test_what_follows_the_scores_is_left_out(op, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        x = head(graph, x, rng, 72)
        if op == "TopK":
            graph.node(op, [x, graph.constant([1], **INT64)], ["values", "indices"])
            return graph.model("indices", dtype=TensorProto.INT64)
        if op == "ArgMax":
            return graph.model(graph.node(op, [x], "end", axis=1), dtype=TensorProto.INT64)
        return graph.model(graph.node(op, [x], "end"))

    check(build, tmp_path, rng)


def test_weights_behind_constant_operators(tmp_path, seed, rng):
    """Weights that are transposed, reshaped and scaled behind their quantizer, or have none."""

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 12))
        x = graph.quant("x", "image", 1 / 8, 4)
        w = graph.weights(weights_of(rng, 8, 3, 4), "w0", 2.0 ** rng.integers(-3, 1, (8, 1, 1)), 4)
        w = graph.node("Reshape", [w, graph.constant([8, 12], **INT64)], "w0r")
        w = graph.node("Transpose", [w], "w0t", perm=[1, 0])
        w = graph.node("Mul", [graph.constant(2.0 ** rng.integers(-2, 2, 8)), w], "w0m")
        x = graph.quant(graph.node("MatMul", [x, w], "fc0"), "act0", 0.5, 3)
        integers = graph.constant(rng.integers(-7, 8, (8, 8)))
        x = graph.quant(graph.node("MatMul", [x, integers], "fc1"), "act1", 2, 3)
        signs = graph.constant(rng.choice([-0.75, 0.75], (8, 10)))
        inputs = [x, signs, graph.constant(bias_of(rng, 10))]
        return graph.model(graph.node("Gemm", inputs, "scores", alpha=0.5, beta=2.0))

    found = check(build, tmp_path, rng)
    layers = found.network.layers
    assert [layer.w_bits for layer in layers] == [4, 4, 1]
    assert [layer.encoding for layer in layers] == ["twos_complement", "twos_complement", "bipolar"]
