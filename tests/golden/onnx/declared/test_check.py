"""What is in a file and not understood is refused by node and name; what is understood is computed."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from dorefa.golden.onnx.declared.standard import OPSETS

from ..support import QONNX, Graph, assert_refused, check, convolution, flat, head, product


def behind_conv(op, *constants, outputs="bent", **attributes):
    """A file with one operator between a convolution and its quantizer."""

    def make(rng):
        graph, x, draw = convolution(1, 3)
        graph.nodes.pop()
        given = [graph.constant(c, dtype=getattr(c, "dtype", np.float32)) for c in constants]
        x = graph.node(op, ["conv0", *given], outputs, **attributes)
        return graph.model(head(graph, graph.quant(x, "act0", 0.5, 3), draw, 6 * 16))

    return make


def edited(change, make=None):
    """The model of `make`, or a small one, after change(model)."""

    def edit(rng):
        model = (make or behind_conv("Relu"))(rng)
        change(model)
        return model

    return edit


def opset(version):
    def change(model):
        model.opset_import[0].version = version

    return edited(change)


def reads_second(op, second, *constants, **attributes):
    """A file that reads the second output of an operator on the image."""

    def make(rng):
        graph, x = flat()
        given = [graph.constant(c, dtype=c.dtype) for c in constants]
        graph.node(op, [x, *given], ["first", second], **attributes)
        x = graph.node("Cast", [second], "floats", to=TensorProto.FLOAT)
        return graph.model(product(graph, rng, x))

    return make


def row_bias(rng):
    graph, x = flat(2)
    w = graph.weights(rng.integers(-2, 3, (4, 3)), "w", 1, 3)
    return graph.model(graph.node("Gemm", [x, w, graph.constant([[10], [20]])], "scores"))


def matrix_of_three_axes(rng):
    graph, x = flat()
    w = graph.weights(rng.integers(-2, 3, (1, 4, 3)), "w", 1, 3)
    return graph.model(graph.node("MatMul", [x, w], "scores"))


def function(model):
    node = helper.make_node("Neg", ["a"], ["b"])
    model.functions.append(
        helper.make_function("", "Relu", ["a"], ["b"], [node], [helper.make_opsetid("", 13)])
    )


def twice(model):
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.attribute.extend([helper.make_attribute("alpha", 1.0)] * 2)


def in_domain(domain):
    def change(model):
        next(node for node in model.graph.node if node.op_type == "Relu").domain = domain

    return change


def truncation_per_channel(model):
    """A Trunc whose output scale is one number for each of six channels."""
    model.opset_import[1].version = 2
    bent = next(node for node in model.graph.node if node.op_type == "Relu")
    numbers = {"s": [1], "z": [0], "i": [8], "os": np.arange(1, 7).reshape(6, 1, 1), "o": [4]}
    for name, values in numbers.items():
        model.graph.initializer.append(numpy_helper.from_array(np.array(values, np.float32), f"t{name}"))
    bent.op_type, bent.domain = "Trunc", QONNX
    bent.input.extend(f"t{name}" for name in numbers)
    bent.attribute.append(helper.make_attribute("rounding_mode", "FLOOR"))


def behind_scores_power(rng):
    """A factor that is a power of integers."""
    graph, _ = flat()
    numbers = [graph.constant(number, dtype=np.int64) for number in (10, 18)]
    power = graph.node("Pow", numbers, "power")
    factor = graph.node("Cast", [power], "factor", to=TensorProto.FLOAT)
    return graph.model(graph.node("Mul", [product(graph, rng, out="sums"), factor], "scores"))


def padded_axes(axes):
    """build(batch) of a convolution behind a Pad of one pixel in front of the axes named."""

    def build(batch):
        draw = np.random.default_rng(2)
        graph = Graph((batch, 2, 4, 4))
        pads, where = (graph.constant(numbers, dtype=np.int64) for numbers in ([1, 1, 0, 0], axes))
        x = graph.node("Pad", [graph.quant("x", "image", 1, 2), pads, "", where], "bent")
        w = graph.weights(draw.integers(-2, 3, (3, 2, 2, 2)), "w", 1, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv"), "act", 1, 4)
        model = graph.model(head(graph, x, draw, 48))
        model.opset_import[0].version = 18
        return model

    return build


def no_opset(model):
    del model.opset_import[0]


REFUSED = {
    "unknown attribute": (
        behind_conv("Relu", slope=0.5),
        r"node bent \(Relu\): has an attribute slope, which version 13 lacks; accepted: none",
    ),
    "attribute of a later version": (
        behind_conv("Cast", to=1, saturate=1),
        r"node bent \(Cast\): has an attribute saturate, which version 13 lacks; accepted: to",
    ),
    "attribute of another kind": (
        behind_conv("LeakyRelu", alpha="0.5"),
        r"node bent \(LeakyRelu\): attribute alpha is '0.5'; accepted: a number",
    ),
    "attribute twice": (edited(twice), r"node bent: has the attribute alpha twice; accepted: each once"),
    "no attribute": (
        behind_conv("Cast"),
        r"node bent \(Cast\): has no attribute to; accepted: nodes that hold it",
    ),
    "a quantizer that does not say its range": (
        edited(lambda model: model.graph.node[0].attribute.pop(), behind_conv("Relu")),
        r"node image \(Quant\): has no attribute (signed|narrow)",
    ),
    "too many inputs": (
        behind_conv("Relu", 1),
        r"node bent \(Relu\): has 2 inputs; accepted: 1",
    ),
    "opset 6": (opset(6), r"graph: has version 6 of the operator set; accepted: 7..28 \(onnx.version_conv"),
    "opset of the future": (opset(99), r"graph: has version 99 of the operator set; accepted: 7..28"),
    "no opset": (edited(no_opset), r"graph: names no version of the operator set of ONNX; accepted: one"),
    "operator of a later version": (
        edited(lambda model: setattr(model.opset_import[0], "version", 10), behind_conv("Round")),
        r"node bent \(Round\): is not in version 10 of the operator set; accepted: ",
    ),
    "version 3 of QONNX": (
        edited(lambda model: setattr(model.opset_import[1], "version", 3)),
        r"node \w+ \(Quant\): the file has version 3 of qonnx.custom_op.general; accepted: 1..2",
    ),
    "operator of another domain": (
        edited(in_domain("com.example")),
        r"node bent \(Relu\): is an operator of the domain com.example that is not supported; accepted: ",
    ),
    "function of the file": (
        edited(function),
        r"node bent \(Relu\): is a function of the file; accepted: files whose functions are inlined",
    ),
    "mask of a dropout": (
        reads_second("Dropout", "mask"),
        r"node first \(Dropout\): its output mask mask is read; accepted: only the data",
    ),
    "dropout in training": (
        behind_conv("Dropout", np.array(0.5, np.float32), np.array(True)),
        r"node bent \(Dropout\): training_mode is true; accepted: false",
    ),
    "indices of a maximum": (
        edited(
            lambda model: model.graph.output.append(
                helper.make_tensor_value_info("places", TensorProto.INT64, None)
            ),
            behind_conv("MaxPool", outputs=["bent", "places"], kernel_shape=[2, 2], strides=[1, 1]),
        ),
        r"node bent \(MaxPool\): its output Indices places is read; accepted: only the maxima",
    ),
    "bias per image": (
        row_bias,
        r"node scores \(Gemm\): its bias differs between the images of the batch; accepted: one bias per",
    ),
    "weights of three axes": (
        matrix_of_three_axes,
        r"node scores \(MatMul\): its weights have more axes than what they multiply; accepted: a matrix",
    ),
    "normalization in training": (
        edited(
            lambda model: setattr(model.opset_import[0], "version", 15),
            behind_conv("BatchNormalization", *np.ones((4, 6)), training_mode=1),
        ),
        r"node bent \(BatchNormalization\): training_mode is 1; accepted: 0",
    ),
    "normalization in the training form of old versions": (
        behind_conv(
            "BatchNormalization", *np.ones((4, 6), np.float32), outputs=["bent", "m", "v", "sm", "sv"]
        ),
        r"node bent \(BatchNormalization\): has an output mean; accepted: only the first",
    ),
    "padding of an axis that is not there": (
        lambda rng: padded_axes([7, 2])(1),
        r"node bent \(Pad\): axes are \(7, 2\); accepted: different ones below 4",
    ),
    "a mean over an axis that is not there": (
        behind_conv("ReduceMean", axes=[2, 7]),
        r"node bent \(ReduceMean\): axes are \(2, 7\); accepted: different ones below 4",
    ),
    "flattened at an axis that is not there": (
        behind_conv("Flatten", axis=5),
        r"node bent \(Flatten\): axis is 5; accepted: -4..4",
    ),
    "scales of a truncation per channel": (
        edited(truncation_per_channel),
        r"node bent \(Trunc\): scales differ between channels; accepted: one scale per tensor",
    ),
    "a power beyond its type": (
        behind_scores_power,
        r"node power \(Pow\): makes powers beyond its type or 2\^53; accepted: powers that are exact",
    ),
    "padding given twice": (
        behind_conv("MaxPool", kernel_shape=[2, 2], auto_pad="VALID", pads=[1, 1, 1, 1]),
        r"node bent \(MaxPool\): pads are \(1, 1, 1, 1\) with auto_pad VALID; accepted: one of them",
    ),
    "two ways to round sizes": (
        behind_conv("MaxPool", kernel_shape=[2, 2], auto_pad="SAME_UPPER", ceil_mode=1),
        r"node bent \(MaxPool\): ceil_mode is 1 with auto_pad; accepted: one of them",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path, rng):
    make, message = REFUSED[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(make(rng).SerializeToString())
    assert_refused(path, message)


@pytest.mark.parametrize(("start", "end"), [(0, 1), (1, 2), (-2, None), (None, -1), (-9, 9), (1, 9), (2, 1)])
def test_a_part_of_a_shape(start, end, tmp_path, rng):
    """Shape from `start` to `end`, summed up by a product with ones, is a factor of the scores."""
    given = {name: value for name, value in (("start", start), ("end", end)) if value is not None}

    def build(batch):
        graph, x = flat(batch)
        product(graph, np.random.default_rng(1))
        shape = graph.node("Shape", ["scores"], "shape", **given)
        first = graph.node("Concat", [shape, graph.constant([5], dtype=np.int64)], "some", axis=0)
        first = graph.node("Gather", [first, graph.constant(0, dtype=np.int64)], "first")
        factor = graph.node("Cast", [first], "factor", to=TensorProto.FLOAT)
        model = graph.model(graph.node("Mul", ["scores", factor], "end"))
        model.opset_import[0].version = 15
        return model

    check(build, tmp_path, rng, count=1, output="end")


@pytest.mark.parametrize("version", [OPSETS[0], 9, 11, 13, 16, 18, 21, 22])
def test_defaults_are_those_of_the_format(version, tmp_path, seed):
    """A LeakyRelu and a BatchNormalization that say nothing, in fractions of the float32 that they mean."""

    def build(batch):
        graph, _, rng = convolution(batch, seed)
        graph.nodes.pop()
        x = graph.node("LeakyRelu", ["conv0"], "leaky")
        ones = [graph.constant(np.ones(6)) for _ in range(4)]
        x = graph.node("BatchNormalization", [x, *ones], "norm", momentum=0.5)
        model = graph.model(head(graph, graph.quant(x, "act0", 0.25, 4, signed=1), rng, 6 * 16))
        model.opset_import[0].version = version
        return model

    rng = np.random.default_rng(seed)
    check(build, tmp_path, rng)


def test_pads_of_named_axes(tmp_path, rng):
    check(padded_axes([-1, 2]), tmp_path, rng)
