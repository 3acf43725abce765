"""Pad in front of something else than a convolution, and a batch without a size."""

import numpy as np
import onnx
import pytest

from dorefa.golden.onnx import importer

from .support import Graph, assert_refused, check, convolution, head, weights_of


def pad(graph, x, out, *sides):
    """A Pad node; sides: top, left, bottom, right."""
    top, left, bottom, right = sides
    sizes = graph.constant([0, 0, top, left, 0, 0, bottom, right], dtype=np.int64)
    return graph.node("Pad", [x, sizes], out)


@pytest.mark.parametrize(
    ("op", "attributes", "pixels"),
    [
        ("MaxPool", {"kernel_shape": [2, 3], "strides": [2, 2]}, 3 * 3),
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [1, 1], "pads": [1, 1, 1, 1]}, 7 * 8),
        ("AveragePool", {"kernel_shape": [2, 2], "strides": [1, 2]}, 6 * 4),
        ("Relu", {}, 7 * 8),
    ],
)
def test_whatever_reads_a_padded_map(op, attributes, pixels, tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 3, bits=3)
        x = graph.node(op, [pad(graph, x, "padded", 1, 3, 2, 1)], "bent", **attributes)
        x = graph.quant(x, "act", 0.25, 4, signed=1)
        return graph.model(head(graph, x, draw, 6 * pixels))

    check(build, tmp_path, rng)


def test_padding_of_a_padded_map_and_of_parts(tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 4)
        x = pad(graph, pad(graph, x, "once", 1, 0, 0, 2), "twice", 0, 1, 1, 0)
        w = graph.weights(weights_of(draw, 5, 6, 3, 3), "w", 0.25, 3)
        side = graph.node("Conv", [x, w], "side", pads=[1, 0, 0, 1])
        ints = [graph.constant([value], dtype=np.int64) for value in (-3, 9, 2)]
        return graph.model(head(graph, graph.node("Slice", [x, *ints], "part"), draw, 6 * 3 * 7), side)

    check(build, tmp_path, rng)


def test_a_map_without_a_zero_is_not_padded(tmp_path):
    graph, x, draw = convolution(1, 4)
    graph.nodes.pop()
    x = graph.quant("conv0", "act0", 0.5, 3, zero=0.3)
    x = graph.node("Relu", [pad(graph, x, "padded", 1, 0, 0, 0)], "bent")
    path = tmp_path / "net.onnx"
    path.write_bytes(
        graph.model(head(graph, graph.quant(x, "act", 0.5, 3), draw, 6 * 20)).SerializeToString()
    )
    assert_refused(path, r"node (bent \(Relu\): reads a padded tensor whose value 0 has no|padded \(Pad\): )")


@pytest.mark.parametrize(("side", "times"), [(900, 4), (1 << 30, 1)])
def test_padding_beyond_bounds_is_refused(side, times, tmp_path):
    graph, x, draw = convolution(1, 4)
    for number in range(times):
        x = pad(graph, x, f"padded{number}", *[side] * 4)
    x = graph.quant(graph.node("Relu", [x], "bent"), "act", 0.5, 3)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(head(graph, x, draw, 6 * 16)).SerializeToString())
    padding = side * times
    assert_refused(
        path,
        rf"node bent \(Relu\): makes a map of {4 + 2 * padding}x{4 + 2 * padding} with the padding "
        rf"\({padding}, .*\); accepted: padding below 1024",
    )


@pytest.mark.parametrize("batch", ["N", "", -1])
def test_a_batch_without_a_size_is_taken_as_one(batch, tmp_path):
    graph, x, draw = convolution(1, 4)
    model = graph.model(head(graph, x, draw, 6 * 16))
    dim = model.graph.input[0].type.tensor_type.shape.dim[0]
    dim.Clear()
    if batch == -1:
        dim.dim_value = batch
    elif batch:
        dim.dim_param = batch
    onnx.save(model, tmp_path / "net.onnx")
    network = importer.load(tmp_path / "net.onnx")
    assert network.notes == (
        f"the batch of input x, {batch if batch == 'N' else 'of unknown size'}, is taken as 1",
    )


def test_integers_of_more_than_65536_levels_are_refused(tmp_path):
    """Sums cast to integers, which a convolution with padding reads: as one without does."""
    for pads in ([0, 0, 0, 0], [1, 1, 1, 1]):
        graph, _, draw = convolution(1, 7)
        graph.nodes.pop()
        x = graph.node("Cast", [graph.node("Mul", ["conv0", graph.constant(16384.25)], "mul")], "int", to=6)
        x = graph.node("Mul", [graph.node("Cast", [x], "floats", to=1), graph.constant(0.5)], "act0")
        w = graph.weights(weights_of(draw, 5, 6, 3, 3), "w", 0.25, 3)
        graph.node("Conv", [x, w], "scores", pads=pads)
        path = tmp_path / "net.onnx"
        path.write_bytes(graph.model("scores").SerializeToString())
        message = r"reads integers -?\d+..\d+, \d+ bits, of conv0; accepted: at most 65536 levels"
        assert_refused(path, rf"node scores \(Conv\): {message}")


@pytest.mark.parametrize(("axes", "rows"), [(1, 1), (1, 3), (2, 3)])
def test_rows_that_are_columns_are_padded(axes, rows, tmp_path, rng):
    """What is left when the columns of a map are averaged, as a lone axis and as the last of two; one row as
    well."""

    def build(batch):
        graph, x, draw = convolution(batch, 7, (2, rows + 2, 6), signed=0)
        x = graph.node("ReduceMean", [x], "mean", axes=[3], keepdims=0)
        x = graph.quant(x, "act1", 0.5, 3)
        if axes == 2:
            x = graph.node("Unsqueeze", [x, graph.constant([2], dtype=np.int64)], "more")
        more = [0] * (axes - 1)
        sides = graph.constant([0, 0, *more, 2, 0, 0, *more, 1], dtype=np.int64)
        x = graph.node("Pad", [x, sides], "padded")
        w = graph.weights(weights_of(draw, 5, 6, *[1] * len(more), 2), "w", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv1", pads=[*more, 0, *more, 1]), "act2", 0.5, 3)
        x = graph.node("Mul", [x, graph.constant(np.full((1, 5, *[1] * axes), 2.0))], "scaled")
        return graph.model(head(graph, x, draw, 5 * (rows + 3)))

    check(build, tmp_path, rng)


def test_an_image_that_is_stored_again_stays_the_image(tmp_path, rng):
    """Its integers minus the zero point take more bits where a convolution pads: a layer makes them."""

    def build(batch):
        graph, draw = Graph((batch, 1, 6)), np.random.default_rng(3)
        x = graph.quant("x", "image", 1 / 8, 8, signed=1, zero=2)
        w = graph.weights(weights_of(draw, 2, 1, 3), "w0", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv0", pads=[1, 1]), "act0", 0.5, 3)
        return graph.model(head(graph, x, draw, 12))

    found = check(build, tmp_path, rng)
    assert found.tensors["image"].source == -1
