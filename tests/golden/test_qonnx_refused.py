"""Files that cannot be imported: each is refused in one line that names the node and the reason."""

import re
import tracemalloc

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dorefa.golden import InputError, qonnx

from .qonnx_support import QONNX, Graph, head, weights_of


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


def behind_quant(op, *constants):
    """A file with one more operator in front of its fully connected layer."""

    def make(rng):
        graph, x = start(rng)
        x = graph.quant(conv(graph, rng, x), "act", 0.5, 3)
        x = graph.node(op, [x, *map(graph.constant, constants)], "bent")
        return graph.model(head(graph, x, rng, 4 * 16))

    return make


def with_quant(place, **parameters):
    """A file whose quantizer of the image, the weights or the activations has other parameters."""

    def make(rng):
        of = {"image": {}, "weights": {}, "act": {}} | {place: parameters}
        graph, x = start(rng, **of["image"])
        given = {"scale": 0.25, "bits": 3} | of["weights"]
        w = graph.weights(weights_of(rng, 4, 2, 3, 3), "weights", given.pop("scale"),
                          given.pop("bits"), **given)  # fmt: skip
        x = graph.node("Conv", [x, w], "conv", pads=[1, 1, 1, 1])
        x = graph.quant(x, "act", **({"scale": 0.5, "bits": 3} | of["act"]))
        x = conv(graph, rng, x, "conv1", (4, 4, 3, 3))
        x = graph.quant(x, "act1", 0.5, 3)
        return graph.model(head(graph, x, rng, 4 * 16))

    return make


def changed(change):
    """A good file, changed as a ModelProto."""

    def make(rng):
        model = behind_conv("Relu")(rng)
        return change(model) or model

    return make


def cyclic(model):
    nodes = {node.name: node for node in model.graph.node}
    nodes["conv"].input[0] = "act"


def no_initializer(model):
    del model.graph.initializer[3]


def named_axis(axis):
    def change(model):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "N"

    return change


def two_gigabytes(model):
    model.graph.initializer[0].dims[:] = [1 << 10, 1 << 19]


def huge_shape(model):
    model.graph.initializer[0].dims[:] = [1 << 40, 1 << 40, 1 << 40]


def external(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def half_floats(model):
    model.graph.initializer[0].data_type = TensorProto.FLOAT16


def second_input(model):
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2]))


def other_output(model):
    model.graph.output[0].name = "nothing"


def no_output(model):
    del model.graph.output[:]


def no_graph(model):
    model.ClearField("graph")


def twice_made(model):
    model.graph.node.append(helper.make_node("Relu", ["conv"], ["bent"], name="again"))


def without_weights(model):
    del model.graph.node[-1].input[1:]


def wrong_kernel(model):
    conv = next(node for node in model.graph.node if node.name == "conv")
    conv.attribute.append(helper.make_attribute("kernel_shape", [5, 5]))


def huge_padding(model):
    conv = next(node for node in model.graph.node if node.name == "conv")
    conv.attribute.append(helper.make_attribute("pads", [1 << 40] * 4))


def huge_image(model):
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 1 << 30


def branch(model):
    body = helper.make_graph([helper.make_node("Relu", ["conv"], ["inner"])], "then", [], [])
    node = next(node for node in model.graph.node if node.name == "bent")
    node.op_type = "If"
    node.attribute.append(helper.make_attribute("then_branch", body))


def pad_a_shifted_map(rng):
    graph, x = start(rng)
    x = graph.quant(conv(graph, rng, x), "act", 0.5, 3)
    x = graph.node("Add", [x, graph.constant(0.3)], "shifted")
    x = conv(graph, rng, x, "conv1", (4, 4, 3, 3), pads=[1, 1, 1, 1])
    return graph.model(head(graph, graph.quant(x, "act1", 0.5, 3), rng, 4 * 16))


def no_quantizer_between(rng):
    graph, x = start(rng)
    x = conv(graph, rng, conv(graph, rng, x), "conv1", (4, 4, 3, 3))
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
    "cycle": (changed(cyclic), r"node \w+ \(\w+\): reads \w+ of \w+, which depends on it"),
    "missing initializer": (
        changed(no_initializer),
        r"node conv_w \(Quant\): reads constant3, which no node, input or initializer provides"),
    "dynamic batch": (changed(named_axis(0)), "input x: axis 0 has the size N; accepted: fixed "),
    "dynamic rows": (changed(named_axis(2)), "input x: axis 2 has the size N; accepted: fixed "),
    "2 GB claimed": (
        changed(two_gigabytes),
        r"initializer constant0: shape \(1024, 524288\) claims 2147483648 bytes and 4 are there"),
    "more than any memory claimed": (changed(huge_shape), "initializer constant0: shape .* claims "),
    "data elsewhere": (changed(external), "initializer constant0: its data is in another file"),
    "half floats": (changed(half_floats), "initializer constant0: data type 10; accepted: float32"),
    "two inputs": (changed(second_input), r"graph: has 2 inputs \(x, y\); accepted: one"),
    "output of no node": (changed(other_output), "graph: output nothing is made by no node"),
    "no output": (changed(no_output), "graph: has no output"),
    "no graph": (changed(no_graph), "holds no graph"),
    "tensor made twice": (changed(twice_made), r"node again \(Relu\): its output bent exists already"),
    "no weights": (changed(without_weights), r"node scores \(Gemm\): has no weight tensor"),
    "kernel of another shape": (changed(wrong_kernel), r"node conv \(Conv\): kernel_shape is \(5, 5\)"),
    "padding of 2^40": (changed(huge_padding), r"node conv \(Conv\): makes a map of "),
    "image of 2^60 pixels": (changed(huge_image), r"input x: shape .*; accepted: at most \d+ elements"),
    "subgraph": (changed(branch), r"node bent \(If\): is not supported; accepted: Quant, "),
    "not monotone": (behind_conv("Abs"), r"node bent \(Abs\): is not monotone"),
    "not rational": (behind_conv("Sigmoid"), r"node act \(Quant\): follows the scores"),
    "unknown operator": (behind_conv("Erf"), r"node bent \(Erf\): is not supported; accepted: "),
    "slope below 0": (behind_conv("LeakyRelu", alpha=-0.5),
                      r"node bent \(LeakyRelu\): its slope -0.5 is not monotone"),
    "division by 0": (behind_conv("Div", 0), r"node bent \(Div\): divides by 0"),
    "not a number": (behind_conv("Mul", np.nan), r"node bent \(Mul\): operand constant\d+ is not finite"),
    "factors per pixel": (behind_conv("Mul", np.arange(1, 5)),
                          r"node bent \(Mul\): the constant differs between pixels"),
    "constant of a wrong shape": (
        behind_conv("Add", np.ones(3)),
        r"node bent \(Add\): the constant has shape \(3,\) on a tensor of \(1, 4, 4, 4\)"),
    "empty clip": (behind_conv("Clip", 1, 0), r"node bent \(Clip\): clips to 1..0"),
    "variance below 0": (
        behind_conv("BatchNormalization", np.ones(4), np.ones(4), np.ones(4), -np.ones(4)),
        r"node bent \(BatchNormalization\): var \+ epsilon is -0.99999"),
    "normalization of other channels": (
        behind_conv("BatchNormalization", *np.ones((4, 5))),
        r"node bent \(BatchNormalization\): parameters of 5, 5, 5, 5 elements for 4 channels"),
    "batch moved": (behind_conv("Transpose", perm=[1, 0, 2, 3]),
                    r"node bent \(Transpose\): perm is \(1, 0, 2, 3\), which moves the batch"),
    "padded average": (behind_conv("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 1, 1]),
                       r"node bent \(AveragePool\): averages with the padding \(1, 1, 1, 1\)"),
    "padding with 1": (behind_quant("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1]), 1),
                       r"node bent \(Pad\): pads with 1; accepted: 0"),
    "padded channels": (behind_quant("Pad", np.array([0, 1, 1, 1, 0, 0, 1, 1])),
                        r"node bent \(Pad\): pads axis 1 by 1 and 0; accepted: padding of rows"),
    "pooled padding": (behind_quant("Pad", np.array([0, 0, 1, 1, 0, 0, 1, 1])),
                       r"node flat \(Flatten\): reads a padded map; accepted: a convolution behind Pad"),
    "window beyond the map": (behind_conv("MaxPool", kernel_shape=[5, 5]),
                              r"node bent \(MaxPool\): its window covers 5 of 4 padded pixels"),
    "12-bit weights": (with_quant("weights", bits=12), r"node conv \(Conv\): its weights have 12 bits"),
    "12-bit activations": (with_quant("act", bits=12),
                           r"node act \(Quant\): quantizes activations to 12 bits; accepted: 1..8"),
    "12-bit image": (with_quant("image", bits=12), r"node image \(Quant\): quantizes the image to 12"),
    "half a bit": (with_quant("act", bits=2.5), r"node act \(Quant\): bit width is 2.5; accepted: an"),
    "scale 0": (with_quant("act", scale=0), r"node act \(Quant\): scale is 0; accepted: more than 0"),
    "unknown rounding": (with_quant("act", mode="STOCHASTIC"),
                         r"node act \(Quant\): rounding_mode is 'STOCHASTIC'; accepted: ROUND, "),
    "scale per activation channel": (
        with_quant("act", scale=np.arange(1, 5).reshape(1, 4, 1, 1)),
        r"node conv1 \(Conv\): reads activations whose scale differs between channels"),
    "zero point without a grid": (
        with_quant("weights", zero=0.3), r"node weights \(Quant\): zero point is 0.3; accepted: "),
    "zero points per channel": (
        with_quant("weights", zero=np.arange(4).reshape(4, 1, 1, 1)),
        r"node weights \(Quant\): zero points differ between channels"),
    "padding where 0 has no code": (
        pad_a_shifted_map, r"node conv1 \(Conv\): pads a tensor whose value 0 has no code"),
    "no quantizer between": (
        no_quantizer_between,
        r"node conv1 \(Conv\): reads the values of conv, which are not quantized; accepted: a Quant"),
    "raw image": (raw_image, r"node conv \(Conv\): reads the image, which is not quantized"),
    "float weights": (float_weights, r"node conv \(Conv\): the weights floats are not quantized"),
    "product of maps": (product_of_maps, r"node gate \(Mul\): combines two tensors that depend on "),
    "scale from the image": (moving_scale, r"node act \(Quant\): combines two tensors|"
                             r"node act \(Quant\): scale conv is computed from the image"),
    "bent scores": (scores("Relu"), r"node end \(Relu\): the scores are pooled, added, clipped or bent"),
    "scores of several pixels": (map_of_scores, r"node conv \(Conv\): the result has 4x4 pixels"),
    "10,000 factors": (many_operators("Mul", 9_000), r"node Mul\d+ \(Mul\): its exact factor has "),
    "many bends": (many_operators("Relu", 9_000), r"node Relu63 \(Relu\): is one of more than 64 oper"),
    "too many nodes": (many_operators("Identity", 10_000), r"graph: has 100\d\d nodes; accepted: at "),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_refused_models(name, tmp_path, rng):
    make, message = MODELS[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(make(rng).SerializeToString())
    assert_refused(path, message)


def assert_refused(path, message):
    files = sorted(path.parent.iterdir())
    tracemalloc.start()
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: ({message})") as caught:
        qonnx.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = str(caught.value)
    assert "\n" not in text and "; accepted: " in text
    assert peak < 1 << 26
    assert sorted(path.parent.iterdir()) == files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no graph"),
        (b"PK\x03\x04 not a model", "is not an ONNX file or is truncated"),
        (b"\xff" * 1000, "is not an ONNX file or is truncated"),
        (None, "is not an ONNX file or is truncated"),
    ],
)
def test_refused_files(content, message, tmp_path, rng):
    path = tmp_path / "net.onnx"
    whole = behind_conv("Relu")(rng).SerializeToString()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert_refused(path, message)


def test_a_good_file_is_not_refused(tmp_path, rng):
    onnx.save(behind_conv("Relu")(rng), tmp_path / "net.onnx")
    assert qonnx.load(tmp_path / "net.onnx").classes == 10


def test_missing_file_and_missing_package(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    with pytest.raises(InputError, match=r"net.onnx: cannot be read \(No such file or directory\)"):
        qonnx.load(path)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(InputError, match=r"accepted: after `pip install dorefa\[onnx\]`$"):
        qonnx.load(path)
