"""Operators of integer ONNX one by one, on scales that float32 does not round: the runtime's integers."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dorefa.golden import InputError
from dorefa.golden.onnx import importer

from ..support import assert_refused
from .runtime import compare

MICROSOFT = "com.microsoft"
TYPES = {np.float32: TensorProto.FLOAT, np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}


class IntegerGraph:
    """Nodes on the input "x" (1, 3, 6, 5) of a type of NumPy."""

    def __init__(self, kind=np.float32, shape=(3, 6, 5)):
        self.kind, self.shape = kind, shape
        self.nodes, self.constants = [], []

    def constant(self, array, kind=np.float32):
        """A new initializer."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array, kind), name))
        return name

    def node(self, op, inputs, out, domain="", **attributes):
        """A node; arrays among the inputs become constants."""
        names = [item if isinstance(item, str) else self.constant(item, item.dtype) for item in inputs]
        self.nodes.append(helper.make_node(op, names, [out], name=out, domain=domain, **attributes))
        return out

    def image(self, zero, scale=1 / 16):
        """The image's integers."""
        return self.node("QuantizeLinear", ["x", np.float32(scale), zero], "image")

    def model(self, output, kind=TensorProto.FLOAT, opset=21):
        """The ModelProto."""
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "net",
            [value("x", TYPES[self.kind], (1, *self.shape))],
            [value(output, kind, None)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def weights(rng, *shape):
    """int8 weights."""
    return rng.integers(-127, 128, shape).astype(np.int8)


def images(rng, kind=np.float32, shape=(3, 6, 5)):
    """Images for the graphs, of all integers of the image."""
    if kind is np.float32:
        return (rng.integers(-300, 300, (20, *shape)) / 16).astype(np.float32)
    ends = np.iinfo(kind)
    return rng.integers(ends.min, ends.max + 1, (20, *shape)).astype(kind)


def dequantized(graph, x, scale, zero, out="real"):
    return graph.node("DequantizeLinear", [x, np.float32(scale), zero], out)


ZEROS = [np.int8(0), np.int8(-128), np.int8(-17), np.int8(39)]


@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize("pads", [[0] * 4, [1, 0, 2, 1]])
def test_qlinear_conv(zero, pads, tmp_path, rng):
    """Zero points of the image and of the result, one scale of weights per channel, biases, groups."""
    graph = IntegerGraph()
    scales = rng.choice([0.25, 0.5, 1], 4).astype(np.float32) / 64
    out_zero = np.int8(rng.integers(-128, 128))
    inputs = [
        graph.image(zero),
        np.float32(1 / 16),
        zero,
        weights(rng, 4, 3, 2, 3),
        scales,
        np.zeros(4, np.int8),
    ]
    bias = rng.integers(-4000, 4000, 4).astype(np.int32)
    x = graph.node("QLinearConv", [*inputs, np.float32(0.5), out_zero, bias], "first", pads=pads)
    inputs = [x, np.float32(0.5), out_zero, weights(rng, 4, 2, 1, 1), np.float32(1 / 64), np.int8(0)]
    x = graph.node("QLinearConv", [*inputs, np.float32(2), np.int8(0)], "second", group=2)
    onnx.save(graph.model(dequantized(graph, x, 2, np.int8(0))), tmp_path / "net.onnx")
    compare(tmp_path / "net.onnx", images(rng))


@pytest.mark.parametrize("zero", ZEROS)
def test_qlinear_matmul_and_gemm(zero, tmp_path, rng):
    graph = IntegerGraph(shape=(12,))
    x = graph.image(zero)
    scales = rng.choice([0.25, 0.5, 1], 7).astype(np.float32) / 32
    inputs = [x, np.float32(1 / 16), zero, weights(rng, 12, 7), scales, np.zeros(7, np.int8)]
    x = graph.node("QLinearMatMul", [*inputs, np.float32(0.25), np.int8(-5)], "product")
    inputs = [x, np.float32(0.25), np.int8(-5), weights(rng, 6, 7), np.float32(1 / 64), np.int8(0)]
    bias = rng.integers(-900, 900, 6).astype(np.int32)
    parameters = {"domain": MICROSOFT, "transB": 1, "alpha": 0.5}
    x = graph.node("QGemm", [*inputs, bias, np.float32(0.5), np.int8(3)], "gemm", **parameters)
    inputs = [x, np.float32(0.5), np.int8(3), weights(rng, 6, 4), np.float32(1 / 64), np.int8(0)]
    x = graph.node("QGemm", [*inputs, bias[:4]], "real", domain=MICROSOFT)
    onnx.save(graph.model(x), tmp_path / "net.onnx")
    compare(tmp_path / "net.onnx", images(rng, shape=(12,)))


@pytest.mark.parametrize("zero", [np.uint8(141), np.uint8(90), np.int8(40), np.int8(-128)])
def test_weights_around_a_zero_point(zero, tmp_path, rng):
    """Minus it they take nine bits: those of eight and a layer that sums what the window holds."""
    graph, ends, kind = IntegerGraph(), np.iinfo(zero.dtype), zero.dtype.type
    scale, of_image, of_codes = np.float32(1 / 64), kind(111), kind(3)

    def drawn(*shape):
        # All of the width, mostly in the middle: the runtime saturates sums of large products.
        middle = (int(ends.min) + int(ends.max)) / 2
        array = np.clip(rng.normal(middle, 20, shape), ends.min, ends.max).astype(kind)
        array.flat[:2] = ends.min, ends.max
        return array

    bias = rng.integers(-4000, 4000, 4).astype(np.int32)
    inputs = [graph.image(of_image), np.float32(1 / 16), of_image, drawn(4, 3, 3, 3), scale, zero]
    x = graph.node("QLinearConv", [*inputs, np.float32(2), of_codes, bias], "first", pads=[1, 0, 1, 1])
    w = graph.node("DequantizeLinear", [drawn(4, 2, 2, 2), scale, zero], "w")
    bias = graph.node("DequantizeLinear", [bias, np.float32(1 / 32), np.int32(0)], "bias")
    x = graph.node("Conv", [dequantized(graph, x, 2, of_codes, "first_real"), w, bias], "second", group=2)
    x = graph.node("Flatten", [graph.node("QuantizeLinear", [x, np.float32(4), of_codes], "codes")], "flat")
    inputs = [x, np.float32(4), of_codes, drawn(60, 3), scale, zero, np.float32(16), of_codes]
    x = graph.node("QLinearMatMul", inputs, "product")
    onnx.save(graph.model(dequantized(graph, x, 16, of_codes)), tmp_path / "net.onnx")
    found, *_ = compare(tmp_path / "net.onnx", images(rng))
    # Those of one channel each only hand codes on.
    sums = [layer for layer in found.network.layers if layer.values[0].size > 1 and (layer.values == 1).all()]
    names = {layer.name.partition(".")[0] for layer in sums}
    assert names == (set() if zero == -128 else {"first", "second", "product"})
    assert {layer.w_bits for layer in found.network.layers} <= {1, 8}


def test_weights_of_more_than_nine_bits(tmp_path, rng):
    """Zero points of channels that are far apart."""
    graph = IntegerGraph()
    w, zeros = rng.integers(0, 256, (4, 3, 3, 3)).astype(np.uint8), np.array([0, 255, 9, 9], np.uint8)
    w[:2].flat[[0, -1]] = 255, 0
    w = graph.node("DequantizeLinear", [w, np.full(4, 0.5, np.float32), zeros], "w", axis=0)
    graph.node("Conv", [dequantized(graph, graph.image(np.uint8(0)), 1 / 16, np.uint8(0)), w], "scores")
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("scores").SerializeToString())
    assert_refused(path, r"node scores \(Conv\): its weights have 9 bits \(-255..255\); accepted: 1..8 bits")


@pytest.mark.parametrize("kind", [np.uint8, np.int8])
def test_integer_products_of_an_image_of_integers(kind, tmp_path, rng):
    """ConvInteger and MatMulInteger: the input's type says what the image is; accumulators are scaled."""
    graph = IntegerGraph(kind)
    zero = kind(rng.integers(np.iinfo(kind).min, np.iinfo(kind).max))
    # Of unsigned integers and large weights the runtime saturates sums of two products on some processors.
    first, last = (
        weights(rng, *shape) // (2 if kind is np.uint8 else 1) for shape in ((4, 3, 3, 3), (120, 5))
    )
    x = graph.node("ConvInteger", ["x", first, zero, np.int8(0)], "sums", pads=[1] * 4)
    x = graph.node("Cast", [x], "float", to=TensorProto.FLOAT)
    x = graph.node("Mul", [x, np.float32(1 / 256)], "scaled")
    x = graph.node("QuantizeLinear", [x, np.float32(1), kind(100)], "codes")
    x = graph.node("Flatten", [x], "flat")
    x = graph.node("MatMulInteger", [x, last, kind(100)], "product")
    x = graph.node("Cast", [x], "scores", to=TensorProto.FLOAT)
    onnx.save(graph.model(x), tmp_path / "net.onnx")
    compare(tmp_path / "net.onnx", images(rng, kind))


@pytest.mark.parametrize("zero", ZEROS)
def test_pooling_and_leaky_relu(zero, tmp_path, rng):
    graph = IntegerGraph()
    x = graph.image(zero)
    step = np.float32(1 / 16)
    x = graph.node("MaxPool", [x], "max", kernel_shape=[3, 2], strides=[1, 1], pads=[1, 1, 1, 0])
    x = graph.node("QLinearLeakyRelu", [x, step, zero, step, np.int8(-9)], "leaky", MICROSOFT, alpha=0.25)
    average = [x, step, np.int8(-9), step, np.int8(5)]
    x = graph.node("QLinearAveragePool", average, "average", MICROSOFT, kernel_shape=[2, 2], strides=[2, 1])
    inputs = [x, step, np.int8(5), weights(rng, 4, 3, 1, 1), np.float32(1 / 64), np.int8(0)]
    x = graph.node("QLinearConv", [*inputs, np.float32(0.25), np.int8(7)], "conv")
    inputs = [x, np.float32(0.25), np.int8(7), np.float32(0.125), np.int8(-3)]
    x = graph.node("QLinearGlobalAveragePool", inputs, "global", MICROSOFT)
    onnx.save(graph.model(dequantized(graph, x, 0.125, np.int8(-3))), tmp_path / "net.onnx")
    compare(tmp_path / "net.onnx", images(rng))


@pytest.mark.parametrize("op", ["QLinearAdd", "Add"])
def test_sums(op, tmp_path, rng):
    """Two maps of the same scale and of others, with zero points."""
    graph = IntegerGraph()
    image = graph.image(np.int8(3))
    inputs = [image, np.float32(1 / 16), np.int8(3), weights(rng, 3, 3, 1, 1), np.float32(1 / 64), np.int8(0)]
    x = graph.node("QLinearConv", [*inputs, np.float32(0.25), np.int8(-7)], "conv")
    if op == "QLinearAdd":
        inputs = [image, np.float32(1 / 16), np.int8(3), x, np.float32(0.25), np.int8(-7)]
        x = graph.node(op, [*inputs, np.float32(0.5), np.int8(11)], "sum", MICROSOFT)
    else:
        first = dequantized(graph, image, 1 / 16, np.int8(3), "first")
        x = graph.node("Add", [first, dequantized(graph, x, 0.25, np.int8(-7), "second")], "both")
        x = graph.node("QuantizeLinear", [x, np.float32(0.5), np.int8(11)], "sum")
    onnx.save(graph.model(dequantized(graph, x, 0.5, np.int8(11))), tmp_path / "net.onnx")
    compare(tmp_path / "net.onnx", images(rng))


def test_quantize_linear_names_its_type(tmp_path, rng):
    """Without a zero point the integers are uint8, or of the type that it names."""
    graph = IntegerGraph()
    x = graph.node("QuantizeLinear", ["x", np.float32(1 / 16)], "image", output_dtype=TensorProto.INT8)
    x = graph.node("DequantizeLinear", [x, np.float32(1 / 16)], "real")
    w = graph.node("DequantizeLinear", [weights(rng, 4, 3, 1, 1), np.float32(1 / 64)], "weights")
    x = graph.node("Conv", [x, w], "conv")
    x = graph.node("QuantizeLinear", [x, np.float32(0.5)], "codes")
    onnx.save(graph.model(graph.node("DequantizeLinear", [x, np.float32(0.5)], "end")), tmp_path / "net.onnx")
    found, _, _ = compare(tmp_path / "net.onnx", images(rng))
    assert found.network.input_signed and not found.network.layers[0].out_signed


def test_an_image_with_a_zero_point_is_taken_both_ways(tmp_path, rng):
    """As int8, its integers; as int16, the integers minus the zero point, which need nine bits."""
    from dorefa.golden.run.integer import unsigned_images

    graph = IntegerGraph()
    x = dequantized(graph, graph.image(np.int8(-17)), 1 / 16, np.int8(-17))
    w = graph.node("DequantizeLinear", [weights(rng, 4, 3, 1, 1), np.float32(1 / 64)], "weights")
    onnx.save(graph.model(graph.node("Conv", [x, w], "conv")), tmp_path / "net.onnx")
    network = importer.load(tmp_path / "net.onnx")
    assert (network.input_bits, network.image_zero) == (8, -17)
    codes = rng.integers(-128, 128, (2, 6, 5, 3)).astype(np.int8)
    minus = codes.astype(np.int16) + 17
    np.testing.assert_array_equal(unsigned_images(network, codes), unsigned_images(network, minus))
    minus[1, 2, 3, 1] = 145
    with pytest.raises(InputError, match=r"images has the value 145 at \(1, 2, 3, 1\); accepted: -111..144"):
        unsigned_images(network, minus)
    accepted = "accepted: int8, or int16 for integers minus the zero point -17"
    with pytest.raises(InputError, match=f"images has dtype int32; {accepted}"):
        unsigned_images(network, codes.astype(np.int32))


REFUSED = {
    "two zero points": (
        "QuantizeLinear",
        [np.full(3, 1, np.float32), np.array([0, 1, 2], np.uint8)],
        r"node bent \(QuantizeLinear\): zero points differ between channels; accepted: one zero point",
    ),
    "no scale": (
        "QuantizeLinear",
        [np.float32(0), np.uint8(0)],
        r"node bent \(QuantizeLinear\): scale is 0; accepted: more than 0",
    ),
    "a scale for each of others": (
        "QuantizeLinear",
        [np.full(4, 1, np.float32), np.zeros(4, np.uint8)],
        r"node bent \(QuantizeLinear\): the scale has shape \(1, 4, 1, 1\) on a tensor of \(1, 3, 6, 5\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path, rng):
    op, parameters, message = REFUSED[name]
    graph = IntegerGraph()
    x = dequantized(graph, graph.image(np.uint8(0)), 1 / 16, np.uint8(0), "image_values")
    w = graph.node("DequantizeLinear", [weights(rng, 3, 3, 1, 1), np.float32(1 / 64)], "weights")
    x = graph.node(op, [graph.node("Conv", [x, w], "conv"), *parameters], "bent")
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(x, TensorProto.UINT8).SerializeToString())
    assert_refused(path, message)
