"""Streamlined files: Im2Col with MatMul, MaxPoolNHWC, XnorPopcountMatMul equal the executor."""

import numpy as np
import onnx
import pytest

from .support import QONNX, Graph, assert_refused, check, head, weights_of
from .test_image import annotated


def lowered(seed, batch=1, weights=None, **attributes):
    """A signed image in NCHW, a convolution as Im2Col and MatMul, pooling, a fully connected layer."""
    rng = np.random.default_rng(seed)
    graph = Graph((batch, 3, 9, 8))
    x = graph.quant("x", "image", 1, 4, signed=1)
    x = graph.node("Transpose", [x], "last", perm=[0, 2, 3, 1])
    given = {
        "kernel_size": [3, 2],
        "stride": [1, 1],
        "pad_amount": [1, 0, 1, 1],
        "input_shape": f"({batch},9,8,3)",
    } | attributes
    x = graph.node("Im2Col", [x], "patches", QONNX, **given)
    outputs = 6
    if weights is None:
        w = graph.weights(weights_of(rng, 18, outputs), "w", 0.25, 3)
    else:
        w, outputs = graph.constant(weights), weights.shape[1]
    x = graph.node("MatMul", [x, w], "conv0")
    table = np.sort(rng.integers(-20, 20, (outputs, 7)), axis=1)
    x = graph.node(
        "MultiThreshold", [x, graph.constant(table)], "act", QONNX, out_dtype="UINT3", data_layout="NHWC"
    )
    graph.shapes["act"] = (batch, 9, 8, outputs)
    x = graph.node("MaxPoolNHWC", [x], "pool", QONNX, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    x = graph.node("Transpose", [x], "first", perm=[0, 3, 1, 2])
    model = graph.model(head(graph, x, rng, outputs * 16))
    return annotated(annotated(model, "INT4", "image"), "INT4", "last")


def test_a_convolution_in_two_nodes(tmp_path, seed, rng):
    found = check(lambda batch: lowered(seed, batch), tmp_path, rng, one_by_one=True)
    (conv, _) = found.network.layers
    assert conv.name == "conv0" and conv.codes.shape == (6, 3, 2, 3)
    assert conv.padding == (1, 0, 1, 1) and conv.out_shape == (4, 4, 6)


def test_a_depthwise_convolution_in_two_nodes(tmp_path, seed, rng):
    weights = rng.integers(-3, 4, (3, 2, 3))[..., None] * np.eye(3)
    weights = weights.reshape(18, 3)
    found = check(lambda batch: lowered(seed, batch, weights, depthwise=1), tmp_path, rng, one_by_one=True)
    assert found.network.layers[0].groups == 3


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"pad_value": 1}, r"node patches \(Im2Col\): pad_value is 1; accepted: 0"),
        ({"kernel_size": [3]}, r"node patches \(Im2Col\): kernel_size is \(3,\); accepted: 2 integers"),
        ({"stride": [0, 1]}, r"node patches \(Im2Col\): stride is \(0, 1\); accepted: 2 integers"),
        ({"kernel_size": [4, 5]}, r"node conv0 \(MatMul\): weights have shape \(18, 6\) on patches of 4x5"),
        ({"kernel_size": [3, 3]}, r"node conv0 \(Conv\): weights of 2 input and 6 output channels with"),
    ],
)
def test_refused_patches(attributes, message, tmp_path, seed):
    onnx.save(lowered(seed, **attributes), tmp_path / "net.onnx")
    assert_refused(tmp_path / "net.onnx", message)


def test_patches_that_no_product_reads(tmp_path, seed):
    model = lowered(seed)
    product = next(node for node in model.graph.node if node.op_type == "MatMul")
    product.op_type, product.input[:] = "Relu", product.input[:1]
    onnx.save(model, tmp_path / "net.onnx")
    assert_refused(tmp_path / "net.onnx", r"node conv0 \(Relu\): reads the patches of Im2Col; accept")


def xnor(seed, batch=1, high=1):
    rng = np.random.default_rng(seed)
    graph = Graph((batch, 20))
    table = graph.constant([[0.5]])
    x = graph.node("MultiThreshold", ["x", table], "image", QONNX, out_dtype="BINARY")
    for number, (inputs, outputs) in enumerate([(20, 12), (12, 5)]):
        w = graph.constant(rng.integers(0, high + 1, (inputs, outputs)))
        x = graph.node("XnorPopcountMatMul", [x, w], f"fc{number}", QONNX)
        if not number:
            table = graph.constant(rng.integers(5, 15, (12, 1)))
            x = graph.node("MultiThreshold", [x, table], "act", QONNX, out_dtype="BINARY")
    return graph.model(x)


def test_equal_pairs_of_bits(tmp_path, seed, rng):
    found = check(lambda batch: xnor(seed, batch), tmp_path, rng, 100, output="fc1")
    for layer in found.network.layers:
        assert (layer.encoding, layer.w_bits, layer.a_bits, layer.a_signed) == ("bipolar", 1, 1, False)


def test_bits_that_are_none(tmp_path, seed):
    onnx.save(xnor(seed, high=2), tmp_path / "net.onnx")
    message = r"node fc0 \(XnorPopcountMatMul\): weights of shape \(20, 12\) are not a matrix of 0 and"
    assert_refused(tmp_path / "net.onnx", message)
