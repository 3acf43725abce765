"""Imported QONNX networks equal the qonnx package's executor on every quantized tensor."""

import numpy as np
import pytest

from .support import Graph, bias_of, check, head, weights_of


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("a_bits", [1, 2, 4])
@pytest.mark.parametrize("w_bits", [0, 1, 2, 3, 4, 8])
def test_convolution_norm_relu_pool(w_bits, a_bits, signed, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 3, 8, 8))
        x = graph.quant("x", "image", 1 / 16, 4, signed=signed)
        w = graph.weights(weights_of(rng, 6, 3, 3, 3), "w0", 0.25, w_bits)
        x = graph.node(
            "Conv", [x, w, graph.constant(bias_of(rng, 6))], "conv0", kernel_shape=[3, 3], pads=[1, 1, 1, 1]
        )
        x = graph.norm(x, "norm0", rng, 6)
        x = graph.node("Relu", [x], "relu0") if not signed else x
        x = graph.quant(x, "act0", 0.25, a_bits, signed=signed)
        x = graph.node("MaxPool", [x], "pool0", kernel_shape=[2, 2], strides=[2, 2])
        w = graph.weights(weights_of(rng, 8, 6, 3, 3), "w1", 0.5, w_bits)
        x = graph.node("Conv", [x, w], "conv1", kernel_shape=[3, 3])
        x = graph.quant(x, "act1", 0.5, a_bits, signed=signed)
        return graph.model(head(graph, x, rng, 32))

    found = check(build, tmp_path, rng)
    layers = found.network.layers
    assert [layer.name for layer in layers] == ["conv0", "conv1", "scores"]
    assert found.network.input_signed == bool(signed)
    encoding = "bipolar" if w_bits < 2 else "twos_complement"
    if w_bits != 2:
        assert [layer.encoding for layer in layers[:2]] == [encoding] * 2
        assert layers[0].w_bits == max(w_bits, 1)
    bipolar = signed and a_bits == 1
    assert layers[0].out_bits == (2 if bipolar else a_bits)
    assert layers[0].code_step == (2 if bipolar else 1)
    assert layers[1].a_signed == bool(signed)


def conv_chain(shape, rng, steps, signed=0, a_bits=3):
    """Graph, last tensor and its channels after Conv nodes: steps of (weight shape, attributes)."""
    graph = Graph(shape)
    x = graph.quant("x", "image", 1 / 8, 4, signed=signed)
    for number, (weight, attributes) in enumerate(steps):
        w = graph.weights(weights_of(rng, *weight), f"w{number}", 0.25, 3)
        x = graph.node("Conv", [x, w], f"conv{number}", **attributes)
        x = graph.quant(x, f"act{number}", 0.5, a_bits, signed=signed)
    return graph, x


GEOMETRIES = {
    "grouped": ((4, 6, 6), [((8, 2, 3, 3), {"group": 2})], 8 * 4 * 4),
    "depthwise": (
        (4, 6, 6),
        [((4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}), ((8, 4, 1, 1), {})],
        8 * 6 * 6,
    ),
    "depthwise times two": ((4, 6, 6), [((8, 1, 3, 3), {"group": 4})], 8 * 4 * 4),
    "dilated": ((2, 9, 8), [((3, 2, 3, 3), {"dilations": [2, 3]})], 3 * 5 * 2),
    "strided, pads of four sizes": (
        (2, 9, 8),
        [((3, 2, 3, 3), {"strides": [2, 3], "pads": [0, 1, 2, 3]})],
        3 * 5 * 4,
    ),
    "same upper": ((2, 7, 8), [((3, 2, 4, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"})], 3 * 4 * 4),
    "same lower": ((2, 7, 8), [((3, 2, 4, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"})], 3 * 4 * 4),
    "one axis": ((4, 16), [((6, 4, 5), {"strides": [2], "pads": [1, 2]}), ((5, 6, 3), {})], 5 * 6),
    "one axis, depthwise": ((4, 16), [((4, 1, 5), {"group": 4}), ((6, 4, 1), {})], 6 * 12),
}


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries(name, signed, tmp_path, seed, rng):
    shape, steps, features = GEOMETRIES[name]

    def build(batch):
        rng = np.random.default_rng(seed)
        graph, x = conv_chain((batch, *shape), rng, steps, signed)
        return graph.model(head(graph, x, rng, features))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("mode", ["ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN"])
@pytest.mark.parametrize("narrow", [0, 1])
@pytest.mark.parametrize("signed", [0, 1])
def test_rounding_modes(signed, narrow, mode, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 4, 4))
        x = graph.quant("x", "image", 0.5, 3)
        w = graph.weights(weights_of(rng, 16, 2, 2, 2), "w0", 0.25, 3, mode=mode)
        x = graph.node("Conv", [x, w], "conv0")
        x = graph.norm(x, "norm0", rng, 16)
        # The scale is a multiple of the accumulator's unit: many values lie on boundaries.
        x = graph.quant(x, "act0", 1, 3, signed=signed, narrow=narrow, mode=mode)
        return graph.model(head(graph, x, rng, 16 * 9))

    check(build, tmp_path, rng)


def test_fully_connected_bipolar_network(tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 1, 6, 6))
        x = graph.node("Mul", ["x", graph.constant(1)], "scaled")
        x = graph.bipolar(x, "image")
        x = graph.node("Reshape", [x, graph.constant([batch, -1], dtype=np.int64)], "flat0")
        for number, (outputs, inputs) in enumerate([(20, 36), (16, 20)]):
            w = graph.weights(weights_of(rng, inputs, outputs), f"w{number}", 0.5, 0)
            x = graph.node("MatMul", [x, w], f"fc{number}")
            x = graph.norm(x, f"norm{number}", rng, outputs)
            x = graph.bipolar(x, f"act{number}", 0.25)
        w = graph.weights(weights_of(rng, 16, 10), "w9", 0.5, 0)
        x = graph.node("MatMul", [x, w], "fc9")
        x = graph.node("Mul", [x, graph.constant(0.125)], "times")
        x = graph.node("Add", [x, graph.constant(-1.5)], "scores")
        return graph.model(graph.node("Softmax", [x], "probabilities"))

    found = check(build, tmp_path, rng, 200, image_values=[-1, 1])
    assert [layer.name for layer in found.network.layers] == ["fc0", "fc1", "fc9"]
    for layer in found.network.layers[:2]:
        assert (layer.code_step, layer.code_offset, layer.out_bits) == (2, -1, 2)
        assert not layer.inverted.any() and layer.encoding == "bipolar" and layer.w_bits == 1


@pytest.mark.parametrize("pads", [0, 1])
def test_bipolar_convolutions_pad_with_the_value_0(pads, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 5, 5))
        x = graph.bipolar("x", "image")
        for number, weight in enumerate([(6, 2, 3, 3), (4, 6, 3, 3)]):
            w = graph.weights(weights_of(rng, *weight), f"w{number}", 0.5, 0)
            x = graph.node("Conv", [x, w], f"conv{number}", pads=[pads] * 4)
            x = graph.bipolar(x, f"act{number}")
        return graph.model(head(graph, x, rng, 4 * (5 if pads else 1) ** 2))

    check(build, tmp_path, rng, 100, image_values=[-1, 1])


@pytest.mark.parametrize("zero", [3, 8, 7.5])
def test_zero_points(zero, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 2, 5, 5))
        x = graph.quant("x", "image", 0.25, 4, zero=zero)
        w = graph.weights(weights_of(rng, 6, 2, 3, 3), "w0", 0.25, 4, signed=0, narrow=0, zero=zero)
        x = graph.node("Conv", [x, w], "conv0", pads=[1, 1, 0, 2])
        x = graph.quant(x, "act0", 0.5, 4, zero=zero)
        w = graph.weights(weights_of(rng, 4, 6, 3, 3), "w1", 0.25, 4, signed=0, narrow=0, zero=zero)
        x = graph.node("Conv", [x, w], "conv1", pads=[0, 1, 1, 0])
        x = graph.quant(x, "act1", 0.5, 4, zero=zero)
        return graph.model(head(graph, x, rng, 4 * 3 * 5))

    values = [int(q) for q in (1 if zero != 7.5 else 2) * (np.arange(16) - zero)]
    found = check(build, tmp_path, rng, image_values=values)
    first = found.network.layers[0]
    if zero == 7.5:
        # The odd grid: 2 q - 15.
        assert first.encoding == "bipolar" and first.w_bits == 4
        assert (first.code_step, first.code_offset) == (2, -15)
    else:
        assert (first.code_step, first.code_offset) == (1, -zero)


def test_odd_grid_as_signed_narrow_codes(tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 12))
        x = graph.quant("x", "image", 0.5, 2)
        values = rng.choice([-3, -1, 1, 3], (8, 12)) / 4
        w = graph.weights(values, "w0", 0.25, 3)
        x = graph.node("Gemm", [x, w], "fc0", transB=1)
        x = graph.quant(x, "act0", 0.5, 2)
        w = graph.weights(rng.choice([-3, -1, 1, 3], (8, 10)), "w1", 1, 3)
        return graph.model(graph.node("Gemm", [x, w], "scores"))

    found = check(build, tmp_path, rng)
    assert all(layer.encoding == "bipolar" and layer.w_bits == 2 for layer in found.network.layers)


@pytest.mark.parametrize("signed", [0, 1])
def test_channels_last(signed, tmp_path, seed, rng):
    last = "qonnx.custom_op.channels_last"

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 7, 6, 3))
        graph.shapes = {
            "image": (batch, 7, 6, 3),
            "w0": (5, 3, 2, 3),
            "conv0": (batch, 7, 6, 5),
            "norm0": (batch, 7, 6, 5),
            "act0": (batch, 7, 6, 5),
        }
        x = graph.quant("x", "image", 1 / 8, 4, signed=signed)
        w = graph.weights(weights_of(rng, 5, 3, 2, 3), "w0", 0.25, 3)
        x = graph.node(
            "Conv",
            [x, w],
            "conv0",
            last,
            kernel_shape=[3, 2],
            pads=[1, 0, 1, 1],
            strides=[1, 1],
            group=1,
            dilations=[1, 1],
        )
        x = graph.norm(x, "norm0", rng, 5, last)
        x = graph.quant(x, "act0", 0.5, 3, signed=signed)
        x = graph.node(
            "MaxPool", [x], "pool0", last, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0], ceil_mode=0
        )
        w = graph.weights(weights_of(rng, 5, 4), "w1", 0.25, 3)
        x = graph.node("MatMul", [x, w], "pointwise")
        x = graph.node("Add", [x, graph.constant(bias_of(rng, 4))], "bias")
        x = graph.quant(x, "act1", 0.5, 3, signed=signed)
        return graph.model(head(graph, x, rng, 3 * 3 * 4))

    found = check(build, tmp_path, rng, 10, one_by_one=True)
    assert found.network.input_shape == (7, 6, 3)


@pytest.mark.parametrize("at", ["image", "codes"])
def test_transposed_to_channels_first(at, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 7, 6, 3))
        x = "x" if at == "image" else graph.quant("x", "image", 1 / 8, 4)
        x = graph.node("Transpose", [x], "first", perm=[0, 3, 1, 2])
        x = graph.quant(x, "image", 1 / 8, 4) if at == "image" else x
        w = graph.weights(weights_of(rng, 5, 3, 3, 2), "w0", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv0")
        x = graph.quant(x, "act0", 0.5, 3)
        x = graph.node("Transpose", [x], "last", perm=[0, 2, 3, 1])
        return graph.model(head(graph, x, rng, 5 * 5 * 5))

    found = check(build, tmp_path, rng, nhwc=True)
    assert found.network.input_shape == (7, 6, 3)


@pytest.mark.parametrize("per_channel", [False, True])
def test_scales_per_channel(per_channel, tmp_path, seed, rng):
    """Weights always; activations in front of a depthwise layer."""

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 3, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        scale = 2.0 ** rng.integers(-5, 0, (6, 1, 1, 1))
        w = graph.weights(weights_of(rng, 6, 3, 3, 3), "w0", scale, 4)
        x = graph.node("Conv", [x, w], "conv0", pads=[1, 1, 1, 1])
        scale = 2.0 ** rng.integers(-3, 1, (1, 6, 1, 1)) if per_channel else 0.5
        x = graph.quant(x, "act0", scale, 3, signed=1)
        w = graph.weights(weights_of(rng, 6, 1, 3, 3), "w1", 0.25, 4)
        x = graph.node("Conv", [x, w], "conv1", group=6)
        x = graph.quant(x, "act1", 0.5, 3, signed=1)
        scale = 2.0 ** rng.integers(-5, -2, (10, 1))
        return graph.model(head(graph, x, rng, 6 * 16, scale=scale))

    check(build, tmp_path, rng)
