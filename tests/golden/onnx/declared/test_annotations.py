"""Domains that files leave out, and attributes beside those of an operator."""

import numpy as np
import pytest
from onnx import helper

from dorefa.golden.onnx import importer

from ..support import QONNX, assert_refused, convolution, head
from .test_check import edited


def without_domain(op):
    """A file that names no domain of an operator of QONNX."""

    def change(model):
        for node in model.graph.node:
            if node.op_type == op:
                node.domain = ""

    return change


@pytest.mark.parametrize("op", ["Quant", "MultiThreshold"])
def test_operators_without_a_domain(op, tmp_path, seed):
    """Old exporters name none: it is the same network."""
    model = small_network(np.random.default_rng(seed), op == "MultiThreshold")
    for name, change in (("named", lambda model: None), ("unnamed", without_domain(op))):
        change(model)
        (tmp_path / f"{name}.onnx").write_bytes(model.SerializeToString())
    named, unnamed = (importer.load(tmp_path / f"{name}.onnx") for name in ("named", "unnamed"))
    for layer, other in zip(named.layers, unnamed.layers, strict=True):
        np.testing.assert_array_equal(layer.values, other.values)
        np.testing.assert_array_equal(layer.thresholds, other.thresholds)


def small_network(rng, thresholds):
    """A convolution, counted by thresholds alike for all channels or quantized, and scores."""
    graph, x, draw = convolution(1, 3)
    if thresholds:
        graph.nodes.pop()
        table = np.sort(rng.integers(-9, 9, (1, 7)), axis=1) / 4
        x = graph.node("MultiThreshold", ["conv0", graph.constant(table)], "act0", QONNX, data_layout="NHWC")
    return graph.model(head(graph, x, draw, 6 * 16))


@pytest.mark.parametrize(
    ("op", "name", "value", "refused"),
    [
        ("Conv", "weight_bits", 8, False),
        ("Conv", "weight_bits", 0, True),
        ("Conv", "bits", 8, True),
        ("Relu", "weight_bits", 8, True),
    ],
)
def test_what_stands_beside_the_attributes(op, name, value, refused, tmp_path, rng):
    """Widths that the constants show anyway."""

    def change(model):
        node = next(node for node in model.graph.node if node.op_type == op)
        node.attribute.append(helper.make_attribute(name, value))

    path = tmp_path / "net.onnx"
    path.write_bytes(edited(change)(rng).SerializeToString())
    if refused:
        assert_refused(
            path, rf"node \w+ \({op}\): has an attribute {name}, which version \d+ lacks; accepted: "
        )
    else:
        assert importer.load(path).layers


def test_max_pooling_of_a_streamlined_file(tmp_path, rng):
    """FINN renames MaxPool, and leaves it its dilations."""
    for dilations, refused in (([1, 1], False), ([2, 2], True)):
        graph, x, draw = convolution(1, 3)
        x = graph.node("Transpose", [x], "last", perm=[0, 2, 3, 1])
        sizes = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0] * 4, "dilations": dilations}
        x = graph.node("MaxPoolNHWC", [x], "pool", QONNX, **sizes)
        path = tmp_path / "net.onnx"
        path.write_bytes(graph.model(head(graph, x, draw, 24)).SerializeToString())
        if refused:
            assert_refused(
                path, r"node pool \(MaxPoolNHWC\): has an attribute dilations, which version 1 lacks"
            )
        else:
            assert importer.load(path).layers
