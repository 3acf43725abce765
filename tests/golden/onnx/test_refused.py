"""Networks that cannot be imported: each is refused in one line with the node and the reason."""

import numpy as np
import pytest

from .support import QONNX, Graph, head, refuse, weights_of


def start(rng, shape=(1, 2, 6, 6), **quant):
    graph = Graph(shape)
    graph.quant("x", "image", **({"scale": 0.125, "bits": 4} | quant))
    return graph, "image"


def conv(graph, rng, tensor, out="conv", shape=(4, 2, 3, 3), bits=3, **attributes):
    w = graph.weights(weights_of(rng, *shape), f"{out}_w", 0.25, bits)
    return graph.node("Conv", [tensor, w], out, **attributes)


def behind_conv(op, *constants, outputs="bent", domain="", **attributes):
    """A file with one more operator between a convolution and its quantizer."""

    def make(rng):
        graph, x = start(rng)
        x = conv(graph, rng, x)
        x = graph.node(op, [x, *map(graph.constant, constants)], outputs, domain, **attributes)
        x = graph.quant(x, "act", 0.5, 3)
        return graph.model(head(graph, x, rng, 4 * 16))

    return make


def behind_quant(op, *constants, **attributes):
    """A file with one more operator in front of its fully connected layer."""

    def make(rng):
        graph, x = start(rng)
        x = graph.quant(conv(graph, rng, x), "act", 0.5, 3)
        # Arrays of NumPy keep their type.
        given = [graph.constant(c, dtype=getattr(c, "dtype", np.float32)) for c in constants]
        x = graph.node(op, [x, *given], "bent", **attributes)
        return graph.model(head(graph, x, rng, 4 * 16))

    return make


def with_quant(place, **parameters):
    """A file whose quantizer of the image, the weights or the activations has other parameters."""

    def make(rng):
        of = {"image": {}, "weights": {}, "act": {}} | {place: parameters}
        graph, x = start(rng, **of["image"])
        given = {"scale": 0.25, "bits": 3} | of["weights"]
        w = graph.weights(
            weights_of(rng, 4, 2, 3, 3), "weights", given.pop("scale"), given.pop("bits"), **given
        )
        x = graph.node("Conv", [x, w], "conv", pads=[1, 1, 1, 1])
        x = graph.quant(x, "act", **({"scale": 0.5, "bits": 3} | of["act"]))
        x = conv(graph, rng, x, "conv1", (4, 4, 3, 3))
        x = graph.quant(x, "act1", 0.5, 3)
        return graph.model(head(graph, x, rng, 4 * 16))

    return make


def pad_a_shifted_map(rng):
    graph, x = start(rng)
    x = graph.quant(conv(graph, rng, x), "act", 0.5, 3)
    x = graph.node("Add", [x, graph.constant(0.3)], "shifted")
    x = conv(graph, rng, x, "conv1", (4, 4, 3, 3), pads=[1, 1, 1, 1])
    return graph.model(head(graph, graph.quant(x, "act1", 0.5, 3), rng, 4 * 16))


def no_quantizer_between(rng):
    graph, x = start(rng, bits=8)
    w = graph.weights(weights_of(rng, 4, 2, 3, 3) * 15, "wide", 1 / 64, 8)
    x = conv(graph, rng, graph.node("Conv", [x, w], "conv"), "conv1", (4, 4, 3, 3))
    return graph.model(head(graph, graph.quant(x, "act1", 0.5, 3), rng, 4 * 4))


def raw_image(rng):
    graph = Graph((1, 2, 6, 6))
    x = graph.quant(conv(graph, rng, "x"), "act", 0.5, 3)
    return graph.model(head(graph, x, rng, 4 * 16))


def float_weights(rng):
    graph, x = start(rng)
    w = graph.constant(rng.normal(size=(4, 2, 3, 3)), "floats")
    x = graph.quant(graph.node("Conv", [x, w], "conv"), "act", 0.5, 3)
    return graph.model(head(graph, x, rng, 4 * 16))


def product_of_maps(rng):
    graph, x = start(rng)
    a = graph.quant(conv(graph, rng, x), "act", 0.5, 3)
    b = graph.quant(conv(graph, rng, x, "conv1"), "act1", 0.5, 3)
    x = graph.quant(graph.node("Mul", [a, b], "gate"), "act2", 0.5, 3)
    return graph.model(head(graph, x, rng, 4 * 16))


def moving_scale(rng):
    graph, x = start(rng)
    x = conv(graph, rng, x)
    inputs = [x, x, graph.constant(0), graph.constant(3)]
    x = graph.node("Quant", inputs, "act", QONNX, signed=0, narrow=0, rounding_mode="ROUND")
    return graph.model(head(graph, x, rng, 4 * 16))


def scores(op, **attributes):
    def make(rng):
        graph, x = start(rng)
        x = graph.quant(conv(graph, rng, x), "act", 0.5, 3)
        x = head(graph, x, rng, 4 * 16)
        return graph.model(graph.node(op, [x], "end", **attributes))

    return make


def conv_of_features(rng):
    graph, x = start(rng, (1, 6))
    return graph.model(conv(graph, rng, x, shape=(4, 6)))


def map_of_scores(rng):
    graph, x = start(rng)
    return graph.model(conv(graph, rng, x))


def many_operators(op, count):
    def make(rng):
        graph, x = start(rng)
        x = conv(graph, rng, x)
        for number in range(count):
            inputs = [x, graph.constant(1.1)] if op == "Mul" else [x]
            x = graph.node(op, inputs, f"{op}{number}")
        return graph.model(head(graph, graph.quant(x, "act", 0.5, 3), rng, 4 * 16))

    return make


MODELS = {
    "convolution without pixels": (conv_of_features, r"node conv \(Conv\): reads 2 axes; accepted: 3 or 4"),
    "not monotone": (behind_conv("Abs"), r"node bent \(Abs\): is not monotone"),
    "not rational": (behind_conv("Sigmoid"), r"node act \(Quant\): follows the scores"),
    "unknown operator": (
        behind_conv("Erf"),
        r"node bent \(Erf\): has no exact form in rational numbers; accepted: Relu, ",
    ),
    "slope below 0": (
        behind_conv("LeakyRelu", alpha=-0.5),
        r"node bent \(LeakyRelu\): its slope -0.5 is not monotone",
    ),
    "division by 0": (behind_conv("Div", 0), r"node bent \(Div\): divides by 0"),
    "not a number": (behind_conv("Mul", np.nan), r"node bent \(Mul\): operand constant\d+ is not finite"),
    "factors per pixel": (
        behind_conv("Mul", np.arange(1, 5)),
        r"node bent \(Mul\): the constant differs between pixels",
    ),
    "constant of a wrong shape": (
        behind_conv("Add", np.ones(3)),
        r"node bent \(Add\): the constant has shape \(3,\) on a tensor of \(1, 4, 4, 4\)",
    ),
    "empty clip": (behind_conv("Clip", 1, 0), r"node bent \(Clip\): clips to 1..0"),
    "variance below 0": (
        behind_conv("BatchNormalization", np.ones(4), np.ones(4), np.ones(4), -np.ones(4)),
        r"node bent \(BatchNormalization\): var \+ epsilon is -0.99999",
    ),
    "normalization of other channels": (
        behind_conv("BatchNormalization", *np.ones((4, 5))),
        r"node bent \(BatchNormalization\): parameters of 5, 5, 5, 5 elements for 4 channels",
    ),
    "batch moved": (
        behind_conv("Transpose", perm=[1, 0, 2, 3]),
        r"node bent \(Transpose\): perm is \(1, 0, 2, 3\), which moves the batch",
    ),
    "padded average": (
        behind_conv("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 1, 1]),
        r"node bent \(AveragePool\): averages with the padding \(1, 1, 1, 1\)",
    ),
    "padding with 1": (
        behind_quant("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1]), 1),
        r"node bent \(Pad\): pads with 1; accepted: 0",
    ),
    "padded channels": (
        behind_quant("Pad", np.array([0, 1, 1, 1, 0, 0, 1, 1])),
        r"node bent \(Pad\): pads axis 1 by 1 and 0; accepted: padding of rows",
    ),
    "window beyond the map": (
        behind_conv("MaxPool", kernel_shape=[5, 5]),
        r"node bent \(MaxPool\): its window covers 5 of 4 padded pixels",
    ),
    "12-bit weights": (with_quant("weights", bits=12), r"node conv \(Conv\): its weights have 12 bits"),
    "33-bit activations": (
        with_quant("act", bits=33),
        r"node act \(Quant\): bit width is 33; accepted: an integer in 1..32",
    ),
    "12-bit image": (with_quant("image", bits=12), r"node image \(Quant\): quantizes the image to 12"),
    "half a bit": (with_quant("act", bits=2.5), r"node act \(Quant\): bit width is 2.5; accepted: an"),
    "scale 0": (with_quant("act", scale=0), r"node act \(Quant\): scale is 0; accepted: more than 0"),
    "unknown rounding": (
        with_quant("act", mode="STOCHASTIC"),
        r"node act \(Quant\): rounding_mode is 'STOCHASTIC'; accepted: ROUND, ",
    ),
    "scale per activation channel": (
        with_quant("act", scale=np.arange(1, 5).reshape(1, 4, 1, 1)),
        r"node conv1 \(Conv\): reads activations whose scale differs between channels",
    ),
    "zero point without a grid": (
        with_quant("weights", zero=0.3),
        r"node weights \(Quant\): zero point is 0.3; accepted: ",
    ),
    "zero points per channel": (
        with_quant("weights", zero=np.arange(4).reshape(4, 1, 1, 1)),
        r"node weights \(Quant\): zero points differ between channels",
    ),
    "padding where 0 has no code": (
        pad_a_shifted_map,
        r"node conv1 \(Conv\): pads a tensor whose value 0 has no code",
    ),
    "no quantizer between": (
        no_quantizer_between,
        r"node conv1 \(Conv\): reads the values of conv, which are not quantized; accepted: at most 65536",
    ),
    "raw image": (raw_image, r"node conv \(Conv\): reads the image, which is not quantized"),
    "float weights": (float_weights, r"node conv \(Conv\): the weights floats are not quantized"),
    "mean over channels": (
        behind_quant("ReduceMean", axes=[1]),
        r"node bent \(ReduceMean\): averages the axes \(1,\); accepted: rows, colu",
    ),
    "an image of the batch": (
        behind_quant("Gather", np.array([0, 0])),
        r"node bent \(Gather\): takes images of the batch; accepted: parts of each image",
    ),
    "product of maps": (product_of_maps, r"node gate \(Mul\): combines two tensors that depend on "),
    "scale from the image": (
        moving_scale,
        r"node act \(Quant\): combines two tensors|"
        r"node act \(Quant\): scale conv is computed from the image",
    ),
    "bent scores": (scores("Relu"), r"node end \(Relu\): the scores are pooled, clipped, bent or rounded"),
    "10,000 factors": (many_operators("Mul", 9_000), r"node Mul\d+ \(Mul\): its exact factor has "),
    "many bends": (many_operators("Relu", 9_000), r"node Relu63 \(Relu\): is one of more than 64 oper"),
    "too many nodes": (many_operators("Identity", 10_000), r"graph: has 100\d\d nodes; accepted: at "),
}


@pytest.mark.parametrize("name", MODELS)
def test_refused_models(name, tmp_path, rng):
    refuse(*MODELS[name], tmp_path, rng)
