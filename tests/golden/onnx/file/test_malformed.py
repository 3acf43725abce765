"""Files that are damaged, hostile or no networks: refused in one line, memory bounded."""

import onnx
import pytest
from onnx import TensorProto, helper

from dorefa.golden import InputError
from dorefa.golden.onnx import importer

from ..support import Graph, assert_refused, head, refuse, weights_of


def good_model(rng):
    """Quantized image, convolution "conv", Relu "bent", quantizer "act", fully connected layer."""
    graph = Graph((1, 2, 6, 6))
    x = graph.quant("x", "image", 0.125, 4)
    w = graph.weights(weights_of(rng, 4, 2, 3, 3), "conv_w", 0.25, 3)
    x = graph.node("Relu", [graph.node("Conv", [x, w], "conv")], "bent")
    return graph.model(head(graph, graph.quant(x, "act", 0.5, 3), rng, 4 * 16))


def changed(change):
    """A good file, changed as a ModelProto."""

    def make(rng):
        model = good_model(rng)
        change(model)
        return model

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


MODELS = {
    "cycle": (changed(cyclic), r"node \w+ \(\w+\): reads \w+ of \w+, which depends on it"),
    "missing initializer": (
        changed(no_initializer),
        r"node conv_w \(Quant\): reads constant3, which no node, input or initializer provides",
    ),
    "dynamic rows": (changed(named_axis(2)), "input x: axis 2 has the size N; accepted: fixed "),
    "2 GB claimed": (
        changed(two_gigabytes),
        r"initializer constant0: shape \(1024, 524288\) claims 2147483648 bytes and 4 are there",
    ),
    "more than any memory claimed": (changed(huge_shape), "initializer constant0: shape .* claims "),
    "data elsewhere": (
        changed(external),
        "initializer constant0: its external data is in '/etc/passwd'; accepted: a plain file in the folder",
    ),
    "half floats": (changed(half_floats), "initializer constant0: data type 10; accepted: float32"),
    "two inputs": (changed(second_input), r"graph: has 2 inputs \(x, y\); accepted: one"),
    "output of no node": (changed(other_output), "graph: output nothing is made by no node"),
    "no output": (changed(no_output), "graph: has no output"),
    "no graph": (changed(no_graph), "holds no graph"),
    "tensor made twice": (changed(twice_made), r"node again \(Relu\): its output bent exists already"),
    "no weights": (changed(without_weights), r"node scores \(Gemm\): has 1 inputs; accepted: 2..3"),
    "kernel of another shape": (changed(wrong_kernel), r"node conv \(Conv\): kernel_shape is \(5, 5\)"),
    "padding of 2^40": (changed(huge_padding), r"node conv \(Conv\): makes a map of "),
    "image of 2^60 pixels": (changed(huge_image), r"input x: shape .*; accepted: at most \d+ elements"),
    "subgraph": (changed(branch), r"node bent \(If\): has state or branches; accepted: feed-forward "),
}


@pytest.mark.parametrize("name", MODELS)
def test_refused_models(name, tmp_path, rng):
    refuse(*MODELS[name], tmp_path, rng)


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
    whole = good_model(rng).SerializeToString()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert_refused(path, message)


def test_a_good_file_is_not_refused(tmp_path, rng):
    onnx.save(good_model(rng), tmp_path / "net.onnx")
    assert importer.load(tmp_path / "net.onnx").classes == 10


def test_missing_file_and_missing_package(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    with pytest.raises(InputError, match=r"net.onnx: cannot be read \(No such file or directory\)"):
        importer.load(path)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(InputError, match=r"accepted: after `pip install dorefa\[onnx\]`$"):
        importer.load(path)


def two_as_bool(model):
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(onnx.TensorProto(name=tensor.name, data_type=onnx.TensorProto.BOOL, dims=[1]))
    tensor.raw_data = b"\2"


def large_byte(model):
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(onnx.TensorProto(name=tensor.name, data_type=onnx.TensorProto.UINT8, dims=[1]))
    tensor.int32_data.append(300)


def of_a_function(model):
    model.graph.node[0].attribute[0].ref_attr_name = "outer"


def two_opsets(model):
    model.opset_import.add(domain="ai.onnx", version=14)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            changed(two_as_bool),
            r"initializer \w+: a bool is neither 0 nor 1; accepted: 0 and 1",
        ),
        (
            changed(large_byte),
            r"initializer \w+: numbers beyond uint8; accepted: numbers that it holds",
        ),
        (changed(of_a_function), r"node \w+: attribute \w+ is that of a function; accepted: a value"),
        (changed(two_opsets), r"graph: has the versions 13 and 14 of the operators of ONNX; accepted: one"),
    ],
)
def test_what_two_readers_would_understand_differently(make, message, tmp_path, rng):
    refuse(make, message, tmp_path, rng)
