"""Images without a Quant node: data types that the file or the caller declares, thresholds in front."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dorefa.golden import InputError
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.image import read_type

from .support import Graph, assert_refused, check, head, weights_of


def annotated(model, text, tensor="x"):
    """The model with the data type `text` annotated to a tensor, as the qonnx package does it."""
    annotation = model.graph.quantization_annotation.add(tensor_name=tensor)
    annotation.quant_parameter_tensor_names.add(key="finn_datatype", value=text)
    return model


def plain(seed, batch=1, before=(), features=12):
    """x, operators with a constant, then two fully connected layers."""
    rng = np.random.default_rng(seed)
    graph = Graph((batch, features))
    x = "x"
    for number, (op, value) in enumerate(before):
        x = graph.node(op, [x, graph.constant(value)], f"before{number}")
    w = graph.weights(weights_of(rng, 6, features), "w0", 0.25, 3)
    x = graph.quant(graph.node("Gemm", [x, w], "fc0", transB=1), "act", 0.5, 3)
    return graph.model(head(graph, x, rng, 6))


@pytest.mark.parametrize(
    ("text", "low", "high", "bits"),
    [
        ("BIPOLAR", -2, 1, 2),
        ("BINARY", 0, 1, 1),
        ("TERNARY", -2, 1, 2),
        ("UINT8", 0, 255, 8),
        ("INT5", -16, 15, 5),
        ("FIXED<4,3>", -8, 7, 4),
    ],
)
def test_declared_by_an_annotation(text, low, high, bits, tmp_path, seed, rng):
    """Operators in front of the first layer are computed, as in the public intrusion detector."""
    before = [("Add", 1), ("Div", 2)]
    values = {"BIPOLAR": [-1, 1], "TERNARY": [-1, 0, 1]}.get(text)
    found = check(
        lambda batch: annotated(plain(seed, batch, before), text), tmp_path, rng, image_values=values
    )
    image = found.tensors["x"]
    assert (image.low, image.high, found.network.input_bits) == (low, high, bits)
    assert len(found.network.layers) == 2


@pytest.mark.parametrize(("text", "scale"), [("UINT8/256", 1 / 256), ("int4 / 0.5", 2)])
def test_declared_by_the_caller(text, scale, tmp_path, seed, rng):
    found = check(lambda batch: plain(seed, batch), tmp_path, rng, image_type=text)
    assert found.tensors["x"].scale == [scale] * 12


def test_a_declared_image_in_front_of_a_quantizer(tmp_path, seed, rng):
    """Whole bytes go in; the file's own preparation and quantizer become a layer."""

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 3, 6, 6))
        x = graph.node("Mul", ["x", graph.constant(2)], "twice")
        x = graph.node("Sub", [x, graph.constant(rng.integers(0, 5, (1, 3, 1, 1)) / 4)], "centered")
        x = graph.quant(x, "image", 1 / 4, 4, signed=1)
        w = graph.weights(weights_of(rng, 4, 3, 3, 3), "w0", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv0", pads=[1] * 4), "act", 0.5, 3)
        return graph.model(head(graph, x, rng, 4 * 36))

    raw = check(build, tmp_path, rng, image_type="UINT8/256")
    assert (raw.network.input_bits, len(raw.network.layers)) == (8, 3)
    assert raw.network.layers[0].groups == 3
    # Without a declaration, and whatever is annotated, the first quantizer's integers are the image.
    onnx.save(annotated(build(1), "UINT8"), tmp_path / "annotated.onnx")
    network = importer.load(tmp_path / "annotated.onnx")
    assert (network.input_bits, network.input_signed, len(network.layers)) == (4, True, 2)


@pytest.mark.parametrize("shape", [(9, 8, 1), (9, 8), (1, 9, 8), (1, 72), (72,)])
def test_gray_images_whose_channel_a_reshape_moves(shape, tmp_path, seed, rng):
    """Keras exports images with their only channel last, then reshapes them instead of transposing."""

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, *shape))
        x = graph.quant("x", "image", 1 / 4, 4)
        x = graph.node("Reshape", [x, graph.constant([batch, 1, 9, 8], dtype=np.int64)], "first")
        w = graph.weights(weights_of(rng, 4, 1, 3, 3), "w0", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv0", pads=[1] * 4), "act", 0.5, 3)
        return graph.model(head(graph, x, rng, 4 * 72))

    if shape == (72,):
        onnx.save(build(1), tmp_path / "net.onnx")
        assert_refused(tmp_path / "net.onnx", r"node conv0 \(Conv\): reads axes \(1, 9, 8\) that hold parts")
        return
    found = check(build, tmp_path, rng)
    assert found.network.input_shape == ((1, 72, 1) if 72 in shape else (9, 8, 1))


def test_elements_of_eight_bits(tmp_path, seed):
    for kind, low in ((TensorProto.UINT8, 0), (TensorProto.INT8, -128)):
        model = plain(seed)
        model.graph.input[0].type.tensor_type.elem_type = kind
        cast = helper.make_node("Cast", ["x"], ["floats"], name="cast", to=TensorProto.FLOAT)
        for node in model.graph.node:
            node.input[:] = ["floats" if name == "x" else name for name in node.input]
        model.graph.node.insert(0, cast)
        onnx.save(model, tmp_path / "net.onnx")
        image = importer.load_import(tmp_path / "net.onnx").tensors["x"]
        assert (image.low, image.bits) == (low, 8)


@pytest.mark.parametrize(
    ("out_bias", "behind", "low", "step"),
    [
        (0, [], 0, 1),
        (-3, [], -3, 1),
        (0, [("Add", -3), ("Mul", 0.25)], -3, 1),
        (0, [("Sub", 3.5), ("Div", 4)], -7, 2),
        (0, [("Mul", 2), ("Add", 1)], 1, 2),
        (-3, [("Add", 1)], -2, 1),
    ],
)
def test_thresholds_as_the_first_quantizer(out_bias, behind, low, step, tmp_path, seed, rng):
    """The image's 0 is the real 0 behind what scales and shifts it, so that padding has a code."""
    padded = low <= 0

    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 3, 6, 6))
        table = graph.constant(np.arange(7)[None] + out_bias + 0.5)
        x = graph.node(
            "MultiThreshold",
            ["x", table],
            "image",
            "qonnx.custom_op.general",
            out_dtype="INT4",
            out_bias=float(out_bias),
            data_layout="NCHW",
        )
        for number, (op, value) in enumerate(behind):
            x = graph.node(op, [x, graph.constant(value)], f"behind{number}")
        w = graph.weights(weights_of(rng, 4, 3, 3, 3), "w0", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv0", pads=[1] * 4 if padded else [0] * 4)
        x = graph.quant(x, "act", 0.5, 3)
        return graph.model(head(graph, x, rng, 4 * (36 if padded else 16)))

    codes = [low + step * count for count in range(8)] if padded else list(range(8))
    check(build, tmp_path, rng, image_values=codes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "FLOAT32",
        "INT16",
        "UINT9",
        "INT1",
        "UINT0",
        "INT999",
        "FIXED<16,6>",
        "FIXED<0,0>",
        "UINT8/0",
        "UINT8/-1",
        "UINT8/x",
        "UINT8/",
        "UINT8/1/0",
    ],
)
def test_refused_types(text):
    with pytest.raises(InputError, match=r"^image type is .*; accepted: "):
        read_type(text)


def test_refused_files(tmp_path, seed):
    path = tmp_path / "net.onnx"
    onnx.save(annotated(plain(seed), "INT16"), path)
    assert_refused(path, "image type is INT16, 16 bits; accepted: UINT1..8, ")
    onnx.save(annotated(plain(seed), "FLOAT32"), path)
    assert_refused(path, r"node fc0 \(Gemm\): reads the image, which is not quantized; accepted: ")


def test_unsupported_operators_on_the_image_are_named(tmp_path):
    graph = Graph((1, 4))
    onnx.save(graph.model(graph.node("Erf", ["x"], "bent")), tmp_path / "net.onnx")
    assert_refused(
        tmp_path / "net.onnx", r"node bent \(Erf\): has no exact form in rational numbers; accepted: Relu, "
    )
    x = graph.node("Reshape", ["x"], "flat", "finn.custom_op.fpgadataflow.hls")
    onnx.save(graph.model(x), tmp_path / "net.onnx")
    assert_refused(tmp_path / "net.onnx", r"node flat \(Reshape\): is a layer of generated hardware; ")
