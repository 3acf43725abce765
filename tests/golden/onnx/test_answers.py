"""Probabilities and classes behind the scores: left out where they keep the order of the scores."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dorefa.golden import logits, run_integer
from dorefa.golden.onnx import importer

from .support import assert_refused, execute, flat, product


def behind_scores(op, *constants, outputs="end", kind=TensorProto.FLOAT, **attributes):
    """A file with one operator behind the scores."""

    def make(rng):
        graph, _ = flat()
        product(graph, rng)
        given = [graph.constant(c, dtype=c.dtype) for c in constants]
        x = graph.node(op, ["scores", *given], outputs, **attributes)
        return graph.model(x, dtype=kind)

    return make


def answer_of_something_else(rng):
    graph, x = flat()
    product(graph, rng)
    product(graph, rng, out="other")
    graph.node("ArgMax", ["other"], "class", axis=1)
    model = graph.model("scores")
    model.graph.output.append(helper.make_tensor_value_info("class", TensorProto.INT64, None))
    return model


def behind_classes(op, **attributes):
    def make(rng):
        graph, _ = flat()
        product(graph, rng)
        graph.node("ArgMax", ["scores"], "class", axis=1)
        x = graph.node("Cast", ["class"], "floats", to=TensorProto.FLOAT)
        return graph.model(graph.node(op, [x], "end", **attributes))

    return make


def rounded_probabilities(rng):
    graph, _ = flat()
    product(graph, rng)
    graph.node("Softmax", ["scores"], "probabilities")
    return graph.model(graph.node("Cast", ["probabilities"], "end", to=TensorProto.INT32))


ONE = np.array([1])
REFUSED = {
    "the smallest": (
        behind_scores("TopK", ONE, outputs=["values", "end"], largest=0),
        r"node values \(TopK\): largest is 0; accepted: 1",
    ),
    "in any order": (
        behind_scores("TopK", ONE, outputs=["values", "end"], sorted=0),
        r"node values \(TopK\): sorted is 0; accepted: 1",
    ),
    "more than there are": (
        behind_scores("TopK", np.array([4]), outputs=["values", "end"]),
        r"node values \(TopK\): K is 4; accepted: 1..3 classes",
    ),
    "along the batch": (
        behind_scores("ArgMax"),
        r"node end \(ArgMax\): axis is 0 of \(1, 3\); accepted: the axis of the classes",
    ),
    "probabilities along the batch": (
        behind_scores("Softmax", axis=0),
        r"node end \(Softmax\): axis is 0 of \(1, 3\); accepted: the axis of the classes",
    ),
    "no such axis": (
        behind_scores("LogSoftmax", axis=2),
        r"node end \(LogSoftmax\): axis is 2 of \(1, 3\); accepted: the axis of the classes",
    ),
    "the last of equals": (
        behind_scores("ArgMax", axis=1, select_last_index=1),
        r"node end \(ArgMax\): select_last_index is 1; accepted: 0",
    ),
    "softmax of classes": (behind_classes("Softmax"), r"node end \(Softmax\): follows the classes; accepted"),
    "probabilities as integers": (rounded_probabilities, r"node end \(Cast\): follows the scores; accepted"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path, rng):
    make, message = REFUSED[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(make(rng).SerializeToString())
    assert_refused(path, message)


def test_classes_and_probabilities_beside_the_scores(tmp_path, rng):
    """Both outputs of TopK, Softmax and the scores themselves may be outputs of the file."""
    graph, _ = flat()
    product(graph, rng)
    graph.node("Softmax", ["scores"], "probabilities")
    graph.node("TopK", ["probabilities", graph.constant([2], dtype=np.int64)], ["best", "classes"])
    model = graph.model("classes", dtype=TensorProto.INT64)
    for name in ("best", "probabilities", "scores"):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    network = importer.load(path)
    images = rng.integers(0, 4, (1, *network.input_shape)).astype(np.uint8)
    found = logits(network, run_integer(network, images)[network.layers[-1].name])
    expected = execute(model, images.reshape(1, 4).astype(np.float32))
    assert np.array_equal(found, expected["scores"])


@pytest.mark.parametrize(("version", "axis"), [(11, 1), (11, 2), (13, 2), (13, -1)])
def test_softmax_joins_axes_before_version_13(version, axis, tmp_path):
    """(batch, 1, classes): axis 1 holds all classes only where it means all axes from there on."""

    def softmax(version, axis):
        rng = np.random.default_rng(1)
        graph, _ = flat()
        product(graph, rng)
        x = graph.node("Reshape", ["scores", graph.constant([1, 1, 3], dtype=np.int64)], "apart")
        model = graph.model(graph.node("Softmax", [x], "end", axis=axis))
        model.opset_import[0].version = version
        return model

    path = tmp_path / "net.onnx"
    onnx.save(softmax(version, axis), path)
    assert importer.load(path).classes == 3
    onnx.save(softmax(13, 1), path)
    assert_refused(path, r"node end \(Softmax\): axis is 1 of \(1, 1, 3\); accepted: the axis of the classes")
