"""Integer sections: casts, integer division and arithmetic, and types that do not hold their values."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from dorefa.golden import InputError, logits, run_integer
from dorefa.golden.onnx import importer

from .support import Graph, assert_refused, bias_of, check, execute, head, weights_of

INT8, INT32, INT64, BOOL = TensorProto.INT8, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL


def chain(*operators):
    """build(batch) of a file with the operators (op, constants, attributes) between a convolution and its
    quantizer; constants keep the type that they are given with."""

    def build(batch):
        rng = np.random.default_rng(operators_seed(operators))
        graph = Graph((batch, 2, 5, 5))
        x = graph.quant("x", "image", 1, 4)
        w = graph.weights(rng.integers(-3, 4, (4, 2, 2, 2)), "w0", 1, 3)
        x = graph.node("Conv", [x, w, graph.constant(bias_of(rng, 4))], "conv0")
        x = spliced(graph, x, operators)
        return graph.model(head(graph, graph.quant(x, "act0", 1, 4), rng, 64))

    return build


def operators_seed(operators):
    """A seed that belongs to the list of operators."""
    return sum(map(ord, repr([op for op, *_ in operators])))


def spliced(graph, x, operators):
    """The tensor behind operators (op, constants, attributes), one after the other."""
    for number, (op, constants, attributes) in enumerate(operators):
        given = [graph.constant(array, dtype=np.asarray(array).dtype) for array in constants]
        x = graph.node(op, [x, *given], f"{op}{number}", **attributes)
    return x


def cast(kind):
    return "Cast", (), {"to": kind}


def op(name, *constants):
    return name, constants, {}


FLOAT = cast(TensorProto.FLOAT)
EACH = np.array([2, -3, 5, 7]).reshape(4, 1, 1)
CHAINS = {
    "cast to int32": [op("Mul", np.float32(0.0130004883)), cast(INT32), FLOAT],
    "cast to uint8": [op("Relu"), op("Mul", np.float32(0.125)), cast(TensorProto.UINT8), FLOAT],
    "cast to bool": [op("Relu"), cast(BOOL), FLOAT],
    "division": [cast(INT64), op("Div", np.int64(7)), FLOAT],
    "division by what is below 0": [cast(INT32), op("Div", np.int32(-3)), FLOAT],
    "division per channel": [cast(INT64), op("Div", EACH), FLOAT],
    "arithmetic": [cast(INT32), op("Mul", np.int32(3)), op("Add", np.int32(-5)), op("Neg"), FLOAT],
    "clip": [cast(INT32), op("Clip", np.int32(-3), np.int32(9)), FLOAT],
    "subtracted from": [cast(INT64), op("Sub", np.int64(11)), cast(INT32), FLOAT],
    "quantizer of integer toolchains": [
        op("Mul", np.float32(37)),
        op("Add", np.float32(64)),
        cast(INT64),
        op("Div", np.int64(128)),
        FLOAT,
        op("Floor"),
        op("Clip", np.float32(0), np.float32(15)),
    ],
    "a float again and again": [cast(INT64), FLOAT, cast(TensorProto.DOUBLE), FLOAT],
}


@pytest.mark.parametrize("name", CHAINS)
def test_behind_a_convolution(name, tmp_path, rng):
    check(chain(*CHAINS[name]), tmp_path, rng)


@pytest.mark.parametrize(
    "operators",
    [
        [cast(INT32), FLOAT],
        [op("Add", np.float32(0.25)), cast(BOOL), FLOAT],
        [cast(TensorProto.UINT8), cast(INT32), op("Div", np.int32(2)), op("Mul", np.int32(9)), FLOAT],
    ],
)
def test_of_codes_that_a_layer_reads(operators, tmp_path, rng):
    """The image itself in steps of a half: what a layer reads must be stored as integers first."""

    def build(batch):
        draw = np.random.default_rng(3)
        graph = Graph((batch, 6))
        x = spliced(graph, graph.quant("x", "image", 0.5, 4), operators)
        w = graph.weights(weights_of(draw, 6, 3), "w", 0.25, 3)
        return graph.model(graph.node("MatMul", [x, w], "scores"))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8])
def test_an_image_of_integers(kind, tmp_path, rng):
    def build(batch):
        draw = np.random.default_rng(5)
        graph = Graph((batch, 8))
        x = graph.node("Cast", ["x"], "floats", to=TensorProto.FLOAT)
        x = graph.node("Mul", [x, graph.constant(0.25)], "scaled")
        w = graph.weights(weights_of(draw, 8, 3), "w", 0.25, 3)
        model = graph.model(graph.node("MatMul", [x, w], "scores"))
        model.graph.input[0].type.tensor_type.elem_type = kind
        return model

    path = tmp_path / "net.onnx"
    onnx.save(build(1), path)
    network = importer.load(path)
    images = rng.integers(0, 256, (20, *network.input_shape)).astype(np.uint8)
    given = images.astype(np.int8 if kind == TensorProto.INT8 else np.uint8).reshape(20, 8)
    expected = execute(build(20), given)["scores"]
    assert np.array_equal(logits(network, run_integer(network, images)[network.layers[-1].name]), expected)


@pytest.mark.parametrize("value", [2.5, -2.5])
def test_of_constants(value, tmp_path, rng):
    """Weights through a cast, and a factor by division of integers."""

    def build(batch):
        graph = Graph((batch, 4))
        x = graph.quant("x", "image", 1, 2)
        w = graph.weights([[value, 0.5], [0, value], [1.5, 1], [-1, 0]], "w", 0.5, 4)
        w = graph.node("Cast", [graph.node("Cast", [w], "whole", to=INT32)], "w0", to=TensorProto.FLOAT)
        x = graph.node("MatMul", [x, w], "products")
        seven, two = (graph.constant(number, dtype=np.int64) for number in (-7, 2))
        factor = graph.node("Div", [seven, two], "quotient")
        factor = graph.node("Cast", [factor], "factor", to=TensorProto.FLOAT)
        return graph.model(graph.node("Mul", [x, factor], "scores"))

    check(build, tmp_path, rng)


REFUSED = {
    "greater than int8": (
        [cast(INT8), FLOAT],
        r"Cast0 \(Cast\): its values -\d+..\d+ overflow int8; accepted: ",
    ),
    "below an unsigned type": (
        [cast(TensorProto.UINT8), FLOAT],
        r"Cast0 \(Cast\): its values -\d.* overflow uint8",
    ),
    "a product that wraps": (
        [cast(INT32), op("Mul", np.int32(1 << 28)), FLOAT],
        r"Mul1 \(Mul\): its values .* overflow int32; accepted: a type that holds them \(-2147483648..",
    ),
    "a cast that wraps": (
        [cast(INT32), op("Mul", np.int32(9)), cast(INT8), FLOAT],
        r"Cast2 \(Cast\): its values .* overflow int8",
    ),
    "zero or not, of both signs": (
        [cast(BOOL), FLOAT],
        r"Cast0 \(Cast\): tests for zero what may be negative",
    ),
    "half precision": (
        [cast(TensorProto.FLOAT16), FLOAT],
        r"Cast0 \(Cast\): casts to type 10; accepted: float32, ",
    ),
    "bfloat16": (
        [cast(TensorProto.BFLOAT16), FLOAT],
        r"Cast0 \(Cast\): casts to type 16; accepted: float32, ",
    ),
    "text": ([cast(TensorProto.STRING)], r"Cast0 \(Cast\): casts to type 8; accepted: float32, "),
    "integers that are quantized": (
        [cast(INT32)],
        r"act0 \(Quant\): X Cast0 has the element type int32; accepted: float32",
    ),
    "integers and floats": (
        [cast(INT32), op("Mul", np.float32(2))],
        r"Mul1 \(Mul\): B constant\d+ has the element type float32; accepted: int32, as the input in front",
    ),
    "division by 0": ([cast(INT32), op("Div", np.int32(0)), FLOAT], r"Div1 \(Div\): divides by 0"),
    "an average of integers": (
        [cast(INT32), ("ReduceMean", (), {"axes": [2, 3]})],
        r"ReduceMean1 \(ReduceMean\): data Cast0 has the element type int32; accepted: float32, float64",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    operators, message = REFUSED[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(chain(*operators)(1).SerializeToString())
    assert_refused(path, "node " + message)


@pytest.mark.parametrize(
    ("numbers", "dtype", "to", "message"),
    [
        (
            [3e9],
            np.float32,
            INT32,
            "casts numbers that int32 does not hold; accepted: -2147483648..2147483647",
        ),
        ([np.nan], np.float32, INT64, "casts numbers that int64 does not hold"),
        ([-1.0], np.float32, TensorProto.UINT8, "casts numbers that uint8 does not hold; accepted: 0..255"),
        ([9.3e18], np.float32, INT64, "casts numbers that int64 does not hold"),
    ],
)
def test_constants_that_a_type_does_not_hold(numbers, dtype, to, message, tmp_path):
    graph = Graph((1, 4))
    x = graph.quant("x", "image", 1, 2)
    factor = graph.node("Cast", [graph.constant(numbers, dtype=dtype)], "whole", to=to)
    factor = graph.node("Cast", [factor], "factor", to=TensorProto.FLOAT)
    x = graph.node("Mul", [x, factor], "product")
    w = graph.weights([[1, 0], [0, 1], [1, 1], [1, 0]], "w", 1, 2)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(graph.node("MatMul", [x, w], "scores")).SerializeToString())
    assert_refused(path, rf"node whole \(Cast\): {message}")


@pytest.mark.parametrize("divisor", [2, -7])
@pytest.mark.parametrize("bounds", [(0, 15), (-100, 100)])
def test_a_clip_bounds_the_integers_that_a_layer_reads(divisor, bounds, tmp_path, rng):
    """Sums of thousands, divided, rounded and clipped, are codes without a quantizer."""

    def build(batch):
        draw = np.random.default_rng(7)
        graph = Graph((batch, 60))
        x = graph.quant("x", "image", 1, 8)
        x = graph.node("MatMul", [x, graph.weights(draw.integers(-7, 8, (60, 12)), "w0", 1, 4)], "fc0")
        x = graph.node("Floor", [graph.node("Div", [x, graph.constant(divisor)], "part")], "whole")
        x = graph.node("Clip", [x, *map(graph.constant, bounds)], "codes")
        w = graph.weights(weights_of(draw, 12, 3), "w1", 0.25, 3)
        return graph.model(graph.node("MatMul", [x, w], "scores"))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("rounding", ["Floor", "Ceil", "Round"])
def test_values_beyond_40_bits_are_rounded_too(rounding, tmp_path, rng):
    """Nothing is cut off on the way: behind the rounding the values are made small again."""
    huge, tiny = np.float32(2.0**45), np.float32(2.0**-45)
    check(chain(op("Mul", huge), op(rounding), op("Mul", tiny)), tmp_path, rng)


def test_what_no_rounding_holds_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    model = chain(op("Mul", np.float32(2.0**70)), op("Floor"), op("Mul", np.float32(2.0**-70)))(1)
    path.write_bytes(model.SerializeToString())
    assert_refused(path, r"node Floor1 \(Floor\): rounds values of up to 2\^\d+; accepted: less than 2\^64")


@pytest.mark.parametrize(
    ("kind", "image_type", "message"),
    [
        (
            TensorProto.UINT8,
            "FIXED<8,3>",
            "input x: image type FIXED<8,3> has fractions and the file reads uint8; accepted: integers",
        ),
        (
            TensorProto.UINT8,
            "INT8",
            "input x: image type INT8 is -128..127, which uint8 does not hold; accepted: 0",
        ),
        (
            TensorProto.INT8,
            "UINT8",
            "input x: image type UINT8 is 0..255, which int8 does not hold; accepted: -12",
        ),
        (
            TensorProto.BOOL,
            "UINT2",
            "input x: image type UINT2 is 0..3, which bool does not hold; accepted: 0..1",
        ),
    ],
)
def test_an_image_that_its_element_type_does_not_hold(kind, image_type, message, tmp_path, rng):
    graph = Graph((1, 4))
    x = graph.node("Cast", ["x"], "floats", to=TensorProto.FLOAT)
    w = graph.weights(weights_of(rng, 4, 3), "w", 0.25, 3)
    model = graph.model(graph.node("MatMul", [x, w], "scores"))
    model.graph.input[0].type.tensor_type.elem_type = kind
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    with pytest.raises(InputError, match=message):
        importer.load(path, image_type)
