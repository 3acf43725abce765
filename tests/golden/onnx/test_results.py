"""Results that are maps, and several of them, under the names of the file."""

import numpy as np
import onnx
import pytest

from dorefa.golden import InputError, run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.run.integer import result_arrays

from .support import Graph, assert_refused, check, convolution, head, weights_of


def conv(graph, rng, x, out, channels, inner, kernel=3, **more):
    """A convolution of three bits."""
    w = graph.weights(weights_of(rng, channels, inner, kernel, kernel), f"{out}_w", 0.25, 3)
    return graph.node("Conv", [x, w], out, **more)


def test_a_map_leaves_channels_last(tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 3)
        return graph.model(conv(graph, draw, x, "map", 5, 6, pads=[1, 1, 1, 1]))

    network = check(build, tmp_path, rng, output="map").network
    (result,) = network.results
    assert (result.name, result.order) == ("map", None)
    images = rng.integers(0, 16, (3, *network.input_shape)).astype(np.uint8)
    assert result_arrays(network, run_integer(network, images))["map"].shape == (3, 4, 4, 5)


def test_several_outputs_have_the_names_of_the_file(tmp_path, rng):
    """Codes, a map of sums, the codes flattened in the file's order, and scores."""

    def build(batch):
        graph, x, draw = convolution(batch, 4)
        side = conv(graph, draw, x, "side", 3, 6)
        return graph.model(head(graph, x, draw, 6 * 16), side, "act0", "flat")

    found = check(build, tmp_path, rng)
    assert [result.name for result in found.network.results] == ["scores", "side", "act0", "flat"]
    shapes = {
        name: array.shape[1:]
        for name, array in result_arrays(
            found.network, run_integer(found.network, np.zeros((1, *found.network.input_shape), np.uint8))
        ).items()
    }
    assert shapes == {"scores": (10,), "side": (2, 2, 3), "act0": (4, 4, 6), "flat": (96,)}
    # The codes leave once, in two orders.
    layers = {result.name: result.layers for result in found.network.results}
    assert layers["act0"] == layers["flat"]


def test_classes_of_every_pixel_are_left_out(tmp_path, rng):
    """Segmentation: Softmax and ArgMax along the channels keep the order of the scores of a pixel."""
    graph, x, draw = convolution(1, 5)
    logits = conv(graph, draw, x, "map", 5, 6)
    chances = graph.node("Softmax", [logits], "chances", axis=1)
    graph.node("ArgMax", [chances], "classes", axis=1, keepdims=0)
    path = tmp_path / "net.onnx"
    onnx.save(graph.model("chances", "classes"), path)
    network = importer.load(path)
    assert [result.name for result in network.results] == ["chances"]
    onnx.save(graph.model("classes", "map"), path)
    assert [result.name for result in importer.load(path).results] == ["map"]


def test_probabilities_along_rows_are_refused(tmp_path):
    graph, x, draw = convolution(1, 5)
    graph.node("Softmax", [conv(graph, draw, x, "map", 5, 6)], "chances", axis=2)
    path = tmp_path / "net.onnx"
    onnx.save(graph.model("chances"), path)
    with pytest.raises(
        InputError, match=r"node chances \(Softmax\): axis is 2 of .*; accepted: the axis of the"
    ):
        importer.load(path)


def test_classes_of_other_axes_than_the_channels_are_refused(tmp_path):
    """A Transpose between probabilities and classes of joined maps moves the channels."""
    graph, x, draw = convolution(1, 5)
    maps = [conv(graph, draw, x, name, channels, 6) for name, channels in (("few", 3), ("many", 4))]
    logits = graph.node("Concat", maps, "logits", axis=1)
    chances = graph.node("Softmax", [logits], "chances", axis=1)
    x = graph.node("Transpose", [chances], "last", perm=[0, 2, 3, 1])
    graph.node("ArgMax", [x], "classes", axis=1)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("classes").SerializeToString())
    assert_refused(path, r"node classes \(ArgMax\): axis is 1 of .*; accepted: the axis of the classes")
    graph.nodes[-1].attribute[0].i = 3
    path.write_bytes(graph.model("classes").SerializeToString())
    assert importer.load(path).results[0].name == "classes"


def test_columns_before_rows_are_refused(tmp_path):
    graph, x, draw = convolution(1, 5)
    graph.node("Transpose", [conv(graph, draw, x, "map", 5, 6)], "turned", perm=[0, 1, 3, 2])
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("turned").SerializeToString())
    assert_refused(path, "graph: output turned has columns before rows; accepted: rows first")


def test_an_output_named_twice_is_refused(tmp_path):
    graph, x, draw = convolution(1, 5)
    conv(graph, draw, x, "map", 5, 6)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("map", "map").SerializeToString())
    assert_refused(path, "graph: has the outputs map, map; accepted: each name once")


def test_two_heads_behind_a_split_of_the_scores(tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 6)
        scores = head(graph, x, draw, 6 * 16)
        first = graph.node("Gather", [scores, graph.constant([7, 2, 2], dtype=np.int64)], "first", axis=1)
        parts = graph.constant([3, 6, 1], dtype=np.int64)
        graph.node("Split", [scores, parts], ["low", "middle", "high"], axis=1)
        ends = [graph.constant([value], dtype=np.int64) for value in (-1, -100, 1, -3)]
        back = graph.node("Slice", [scores, *ends], "back")
        return graph.model(first, "low", "high", back)

    found = check(build, tmp_path, rng, output="first")
    assert [len(layer.codes) for layer in found.network.layers[1:]] == [3, 3, 1, 4]


def test_an_output_is_the_image(tmp_path, rng):
    def build(batch):
        graph = Graph((batch, 2, 3, 4))
        x = graph.quant("x", "image", 0.5, 3)
        return graph.model(conv(graph, np.random.default_rng(0), x, "map", 2, 2, kernel=1), x)

    assert [result.name for result in check(build, tmp_path, rng).network.results] == ["map", "image"]
