"""Networks of the shapes of public models, and the trained ones of the qonnx package."""

from fractions import Fraction
from importlib.resources import files

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dorefa.golden import run_integer
from dorefa.golden.onnx import importer

from .support import Graph, check, execute, head, real_values, weights_of


def mlp(batch, rng, inputs, hidden, classes, w_bits, a_bits, image_bits=8, per_channel=False):
    """Fully connected layers with batch normalization; w_bits or a_bits 0 is bipolar."""
    graph = Graph((batch, inputs))
    x = graph.quant("x", "image", 1 / 128, image_bits) if image_bits else graph.bipolar("x", "image")
    for number, outputs in enumerate((*hidden, classes)):
        scale = 2.0 ** rng.integers(-3, 0, (outputs, 1)) if per_channel else 0.5
        w = graph.weights(weights_of(rng, outputs, inputs), f"w{number}", scale, w_bits)
        x = graph.node("Gemm", [x, w], f"fc{number}", transB=1)
        x = graph.norm(x, f"norm{number}", rng, outputs)
        if number < len(hidden):
            x = (
                graph.bipolar(x, f"act{number}", 0.5)
                if not a_bits
                else graph.quant(graph.node("Relu", [x], f"relu{number}"), f"act{number}", 2, a_bits)
            )
        inputs = outputs
    return graph.model(x)


MLPS = {
    # Fully connected digit classifiers, 784-64-64-64-10.
    "tfc-w1a1": {
        "inputs": 784,
        "hidden": (64, 64, 64),
        "classes": 10,
        "w_bits": 0,
        "a_bits": 0,
        "image_bits": 0,
    },
    "tfc-w1a2": {"inputs": 784, "hidden": (64, 64, 64), "classes": 10, "w_bits": 0, "a_bits": 2},
    "tfc-w2a2": {"inputs": 784, "hidden": (64, 64, 64), "classes": 10, "w_bits": 2, "a_bits": 2},
    "sfc-w1a1": {"inputs": 784, "hidden": (256, 256), "classes": 10, "w_bits": 0, "a_bits": 0},
    # Keyword spotting with 3 bits and scales per channel, 490-256-256-12.
    "kws-w3a3": {
        "inputs": 490,
        "hidden": (256, 256),
        "classes": 12,
        "w_bits": 3,
        "a_bits": 3,
        "per_channel": True,
    },
    # Network intrusion detection with 2 bits on binary features, 593-64-64-64-1.
    "unsw-w2a2": {
        "inputs": 593,
        "hidden": (64, 64, 64),
        "classes": 1,
        "w_bits": 2,
        "a_bits": 2,
        "image_bits": 1,
    },
}


@pytest.mark.parametrize("name", MLPS)
def test_fully_connected_models(name, tmp_path, seed, rng):
    parameters = MLPS[name]

    def build(batch):
        return mlp(batch, np.random.default_rng(seed), **parameters)

    last = f"norm{len(parameters['hidden'])}"
    values = [-1, 1] if parameters.get("image_bits") == 0 else None
    check(build, tmp_path, rng, 1000, output=last, image_values=values)


@pytest.mark.parametrize(("w_bits", "a_bits"), [(0, 0), (0, 2), (2, 2)])
def test_convolutions_without_padding(w_bits, a_bits, tmp_path, seed, rng):
    """CNV: two convolutions and a pooling three times, then fully connected layers."""

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 3, 32, 32))
        x, channels = graph.quant("x", "image", 1 / 128, 8, signed=1), 3

        def activation(x, out):
            return graph.bipolar(x, out) if not a_bits else graph.quant(x, out, 1, a_bits)

        for number, outputs in enumerate([8, 8, 16, 16, 32, 32]):
            w = graph.weights(weights_of(rng, outputs, channels, 3, 3), f"w{number}", 0.5, w_bits)
            x = graph.node("Conv", [x, w], f"conv{number}", kernel_shape=[3, 3])
            x = activation(graph.norm(x, f"norm{number}", rng, outputs), f"act{number}")
            if number in (1, 3):
                x = graph.node("MaxPool", [x], f"pool{number}", kernel_shape=[2, 2], strides=[2, 2])
            channels = outputs
        x = graph.node("Reshape", [x, graph.constant([batch, -1], dtype=np.int64)], "flat")
        w = graph.weights(weights_of(rng, 32, 64), "w6", 0.5, w_bits)
        x = activation(graph.norm(graph.node("MatMul", [x, w], "fc0"), "norm6", rng, 64), "act6")
        w = graph.weights(weights_of(rng, 64, 10), "w7", 0.5, w_bits)
        return graph.model(graph.node("MatMul", [x, w], "scores"))

    check(build, tmp_path, rng, 40)


def test_depthwise_separable_blocks(tmp_path, seed, rng):
    """MobileNet: 8-bit first layer, depthwise and pointwise 4-bit layers, one of them strided."""

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 3, 16, 16))
        x = graph.quant("x", "image", 1 / 256, 8)
        w = graph.weights(weights_of(rng, 8, 3, 3, 3), "w", 1 / 64, 8)
        x = graph.node("Conv", [x, w], "conv", strides=[2, 2], pads=[1, 1, 1, 1])
        x = graph.quant(graph.norm(x, "norm", rng, 8), "act", 0.125, 4)
        for block, (channels, outputs, stride) in enumerate([(8, 16, 1), (16, 24, 2)]):
            scale = 2.0 ** rng.integers(-3, 0, (channels, 1, 1, 1))
            w = graph.weights(weights_of(rng, channels, 1, 3, 3), f"dw{block}", scale, 4)
            x = graph.node(
                "Conv", [x, w], f"depthwise{block}", group=channels, pads=[1] * 4, strides=[stride, stride]
            )
            x = graph.norm(x, f"dnorm{block}", rng, channels)
            x = graph.quant(graph.node("Relu", [x], f"drelu{block}"), f"dact{block}", 0.125, 4)
            w = graph.weights(weights_of(rng, outputs, channels, 1, 1), f"pw{block}", 0.25, 4)
            x = graph.node("Conv", [x, w], f"pointwise{block}")
            x = graph.norm(x, f"pnorm{block}", rng, outputs)
            x = graph.quant(graph.node("Relu", [x], f"prelu{block}"), f"pact{block}", 0.125, 4)
        x = graph.node("GlobalAveragePool", [x], "mean")
        return graph.model(head(graph, graph.quant(x, "mean_q", 1 / 32, 8), rng, 24))

    check(build, tmp_path, rng, 40)


def espcn(kind):
    folder = files("qonnx") / "data" / "onnx" / "bsd300x3-espcn"
    return onnx.load_model_from_string((folder / kind / "quant_model.onnx").read_bytes())


def exact_code(model, code, channel, patch, unit):
    """A code behind Conv, BatchNormalization, Relu and Quant by their definition, in fractions.

    patch: input codes (channel, row, column) under the kernel, whose real unit is `unit`.
    """
    numbers = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = {node.output[0]: node for node in model.graph.node}
    quant = nodes[code]
    norm = nodes[nodes[quant.input[0]].input[0]]
    layer = nodes[norm.input[0]]
    weights, scales = (numbers[name] for name in nodes[layer.input[1]].input[:2])
    scale = scales[channel].item()
    integers = np.round(weights[channel] / np.float32(scale)).astype(int)
    gamma, beta, mean, var = (numbers[name][channel].item() for name in norm.input[1:])
    total = Fraction(scale) * unit * int((integers * patch).sum())
    total += Fraction(numbers[layer.input[2]][channel].item())
    epsilon = next(a.f for a in norm.attribute if a.name == "epsilon")
    total = Fraction(gamma) * (total - Fraction(mean)) / Fraction(np.sqrt(var + epsilon).item())
    total = max(total + Fraction(beta), 0) / Fraction(numbers[quant.input[1]].item())
    return min(round(total), 15)


def test_trained_layers_in_front_of_the_resizing(tmp_path, rng):
    """Scales of training, per channel, none a power of two.

    Where the executor's float32 falls on the other side of a rounding boundary, the definition in
    exact arithmetic has the last word.
    """
    model = espcn("nn_resize")
    graph = model.graph
    place = [node.name for node in graph.node].index("Resize_42")
    before = graph.node[place].input[0]
    del graph.node[place:]
    graph.node.append(helper.make_node("GlobalMaxPool", [before], ["top"], name="top"))
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("top", TensorProto.FLOAT, None))
    onnx.save(model, tmp_path / "net.onnx")
    found = importer.load_import(tmp_path / "net.onnx")
    network = found.network
    images = rng.integers(0, 256, (1, *network.input_shape), dtype=np.uint8)
    results = run_integer(network, images)
    codes = {
        name: images if tensor.source < 0 else results[network.layers[tensor.source].name]
        for name, tensor in found.tensors.items()
    }
    start = found.tensors["x"]
    context = execute(model, real_values(start, images).reshape(1, 3, 128, 128), graph.input[0].name)
    assert np.array_equal(real_values(start, images).ravel(), context["x"].ravel())
    source = "x"
    for name, pad in (("x.7", 2), ("x.15", 1)):
        tensor, unit = found.tensors[name], found.tensors[source].scale[0]
        expected = np.rint(context[name] / float(tensor.scale[0])).transpose(0, 2, 3, 1)
        different = np.argwhere(expected != codes[name])
        print(f"{name}: {len(different)} of {expected.size} codes differ")
        assert len(different) < codes[name].size / 10_000
        maps = np.pad(codes[source][0], ((pad, pad), (pad, pad), (0, 0))).transpose(2, 0, 1)
        for _, row, column, channel in different.tolist():
            patch = maps[:, row : row + 2 * pad + 1, column : column + 2 * pad + 1].astype(int)
            code = exact_code(model, name, channel, patch, unit)
            assert codes[name][0, row, column, channel] == code
        # The same evaluation somewhere else, so that it is tested itself.
        for row, column, channel in rng.integers(0, 64, (50, 3)).tolist():
            patch = maps[:, row : row + 2 * pad + 1, column : column + 2 * pad + 1].astype(int)
            code = exact_code(model, name, channel, patch, unit)
            assert codes[name][0, row, column, channel] == code
        source = name
