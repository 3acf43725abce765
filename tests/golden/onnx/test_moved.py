"""Reshape and Transpose that make another map of one: PixelShuffle, PixelUnshuffle, channel shuffles."""

import re

import numpy as np
import pytest
from onnx import TensorProto

from .support import assert_refused, bias_of, check, convolution, head, weights_of
from .test_joined import branches, joined


def reshaped(graph, x, shape, out):
    return graph.node("Reshape", [x, graph.constant(shape, dtype=np.int64)], out)


def transposed(graph, x, order, out):
    return graph.node("Transpose", [x], out, perm=order)


def by_axes(graph, x, split, order, after, between=lambda x: x):
    """Reshape, Transpose and Reshape, with nodes `between` each two."""
    x = between(reshaped(graph, x, split, "split"))
    x = between(transposed(graph, x, order, "turned"))
    return reshaped(graph, x, after, "moved")


def half(graph):
    """A function that puts a Mul and a Quant node behind a tensor."""

    def between(x):
        x = graph.node("Mul", [x, graph.constant(0.5)], f"{x}_half")
        return graph.quant(x, f"{x}_act", 0.5, 4, signed=1)

    return between


# The map that is made of 8 channels of 4 x 4 pixels: split, order, after, (C, H, W).
KINDS = {
    "shuffle": ([0, 2, 4, 4, 4], [0, 2, 1, 3, 4], [0, -1, 4, 4], (8, 4, 4)),
    "shuffle twice": ([0, 2, 2, 2, 4, 4], [0, 3, 1, 2, 4, 5], [0, 8, 4, 4], (8, 4, 4)),
    "PixelShuffle": ([0, 2, 2, 2, 4, 4], [0, 1, 4, 2, 5, 3], [0, 2, 8, 8], (2, 8, 8)),
    "DCR": ([0, 2, 2, 2, 4, 4], [0, 3, 4, 1, 5, 2], [0, 2, 8, 8], (2, 8, 8)),
    "all channels": ([0, 4, 2, 4, 4], [0, 3, 1, 4, 2], [0, 1, 16, 8], (1, 16, 8)),
    "columns": ([0, 2, 4, 4, 4], [0, 1, 3, 4, 2], [0, 2, 4, 16], (2, 4, 16)),
    "rows": ([0, 2, 4, 4, 4], [0, 1, 3, 2, 4], [0, 2, 16, 4], (2, 16, 4)),
    "PixelUnshuffle": ([0, 8, 2, 2, 2, 2], [0, 1, 3, 5, 2, 4], [0, 32, 2, 2], (32, 2, 2)),
    "block": ([0, 8, 2, 2, 1, 4], [0, 5, 3, 1, 2, 4], [0, 64, 2, 1], (64, 2, 1)),
    "pixels": ([0, 8, 4, 1, 2, 2], [0, 5, 3, 1, 2, 4], [0, 16, 4, 2], (16, 4, 2)),
}


@pytest.mark.parametrize("place", ["sums", "codes", "shared", "between"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_maps(kind, place, tmp_path, rng):
    """A convolution reads them, whatever makes them."""
    *moves, (channels, height, width) = KINDS[kind]

    def build(batch):
        graph, x, draw = convolution(batch, 3, kernel=(8, 2, 3, 3))
        if place == "sums":
            graph.nodes.pop()
            x = graph.quant(by_axes(graph, "conv0", *moves), "act", 0.5, 3, signed=1)
        else:
            x = by_axes(graph, x, *moves, **({"between": half(graph)} if place == "between" else {}))
        w = graph.weights(weights_of(draw, 5, channels, 2, 1), "w", 0.25, 3)
        x = graph.node("Conv", [x, w, graph.constant(bias_of(draw, 5))], "conv1", pads=[1, 0, 0, 0])
        x = graph.quant(x, "act1", 0.5, 3, signed=1)
        return graph.model(head(graph, x, draw, 5 * height * width), *(["act0"] * (place == "shared")))

    found = check(build, tmp_path, rng)
    if kind == "shuffle" and place == "sums":
        assert [layer.name for layer in found.network.layers] == ["conv0", "conv1", "scores"]


@pytest.mark.parametrize("kind", KINDS)
def test_of_channel_groups_and_joined_maps(kind, tmp_path, rng):
    """As ShuffleNet has them."""
    *moves, (channels, height, width) = KINDS[kind]

    def build(batch):
        graph, maps, draw = branches(batch, 5)
        w = graph.weights(weights_of(draw, 2, 10, 1, 1), "w2", 0.25, 3)
        left = graph.quant(graph.node("Conv", [joined(graph, maps), w], "conv2"), "act2", 0.5, 4, signed=1)
        w = graph.weights(weights_of(draw, 6, 2, 1, 1), "w3", 0.25, 3)
        right = graph.quant(graph.node("Conv", [maps[0], w], "conv3", group=3), "act3", 0.25, 4, signed=1)
        x = by_axes(graph, graph.node("Concat", [left, right], "both", axis=1), *moves)
        x = graph.quant(x, "act4", 0.5, 3, signed=1)
        w = graph.weights(weights_of(draw, 4, channels, 1, 1), "w4", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv4"), "act5", 0.5, 3, signed=1)
        return graph.model(head(graph, x, draw, 4 * height * width))

    check(build, tmp_path, rng)


def test_shuffles_of_channel_groups(tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 8, kernel=(6, 2, 3, 3))
        for number, groups in enumerate((3, 2), 1):
            w = graph.weights(weights_of(draw, 6, 6 // groups, 1, 1), f"w{number}", 0.25, 3)
            x = graph.node("Conv", [x, w], f"conv{number}", group=groups)
            x = graph.quant(x, f"act{number}", 0.5, 3, signed=1)
            x = reshaped(graph, x, [0, groups, 6 // groups, 4, 4], f"split{number}")
            x = transposed(graph, x, [0, 2, 1, 3, 4], f"turned{number}")
            x = reshaped(graph, x, [0, -1, 4, 4], f"moved{number}")
        return graph.model(head(graph, x, draw, 96))

    check(build, tmp_path, rng)


def test_shuffles_of_maps_with_channels_last(tmp_path, rng):
    """As TensorFlow writes them, between two Transpose nodes."""

    def build(batch):
        graph, x, draw = convolution(batch, 8, kernel=(6, 2, 3, 3))
        x = transposed(graph, x, [0, 2, 3, 1], "last")
        x = by_axes(graph, x, [0, 4, 4, 2, 3], [0, 1, 2, 4, 3], [0, 4, 4, 6])
        x = transposed(graph, x, [0, 3, 1, 2], "first")
        w = graph.weights(weights_of(draw, 4, 6, 2, 2), "w1", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv1"), "act1", 0.5, 3, signed=1)
        return graph.model(head(graph, x, draw, 36))

    check(build, tmp_path, rng)


def test_a_shuffle_of_a_signal(tmp_path, rng):
    """One axis of pixels: PixelShuffle of signals."""

    def build(batch):
        graph, x, draw = convolution(batch, 8, shape=(2, 1, 8), kernel=(6, 2, 1, 3))
        x = reshaped(graph, x, [0, 6, 6], "signal")
        x = by_axes(graph, x, [0, 2, 3, 6], [0, 1, 3, 2], [0, 2, 18])
        w = graph.weights(weights_of(draw, 4, 2, 3), "w1", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv1"), "act1", 0.5, 3, signed=1)
        return graph.model(head(graph, x, draw, 64))

    check(build, tmp_path, rng)


def test_what_is_split_and_put_back_is_the_same(tmp_path, rng):
    """No layer stands for it."""

    def build(batch):
        graph, x, draw = convolution(batch, 8, kernel=(8, 2, 3, 3))
        x = reshaped(graph, x, [0, 2, 4, 4, 2, 2], "split")
        x = reshaped(graph, reshaped(graph, x, [0, 8, 2, 2, 4], "other"), [0, 8, 4, 4], "back")
        return graph.model(head(graph, x, draw, 128))

    found = check(build, tmp_path, rng)
    assert [layer.name for layer in found.network.layers] == ["conv0", "scores"]


def test_joined_maps_as_boxes(tmp_path, rng):
    """A result whose parts are put into the file's order outside."""

    def build(batch):
        graph, maps, _ = branches(batch, 5)
        x = reshaped(graph, joined(graph, maps), [0, 2, 5, 4, 4], "split")
        return graph.model(transposed(graph, x, [0, 3, 1, 4, 2], "scores"))

    found = check(build, tmp_path, rng)
    assert len(found.network.results[0].parts) == 2 and len(found.network.results[0].order) == 160


def test_one_channel_beside_others(tmp_path, rng):
    """It has no place among the axes, and does not change those of the others."""

    def build(batch):
        graph, maps, draw = branches(batch, 5)
        w = graph.weights(weights_of(draw, 1, 6, 1, 1), "w2", 0.25, 3)
        y = graph.quant(graph.node("Conv", [maps[0], w], "conv2"), "act2", 0.5, 3, signed=1)
        x = reshaped(graph, joined(graph, [maps[0], y]), [0, 7, 2, 2, 4], "split")
        return graph.model(transposed(graph, x, [0, 3, 1, 2, 4], "scores"))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("together", [False, True])
def test_a_head_of_a_detector(together, tmp_path, rng):
    """Anchors and their numbers get axes of their own: the result has the file's order."""

    def build(batch):
        graph, maps, draw = branches(batch, 5)
        x = joined(graph, maps) if together else maps[0]
        w = graph.weights(weights_of(draw, 12, 10 if together else 6, 1, 1), "w", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv")
        x = transposed(graph, reshaped(graph, x, [0, 3, 4, 4, 4], "split"), [0, 1, 3, 4, 2], "turned")
        x = graph.node("Mul", [x, graph.constant(0.5)], "scores")
        return graph.model(graph.node("Sigmoid", [x], "probabilities"), "scores")

    found = check(build, tmp_path, rng)
    assert len(found.network.results[0].order) == 192


def test_the_classes_of_a_detector(tmp_path, rng):
    """Softmax along the classes of every anchor and pixel leaves the scores."""

    def build(batch):
        graph, x, draw = convolution(batch, 8)
        w = graph.weights(weights_of(draw, 12, 6, 1, 1), "w", 0.25, 3)
        x = graph.node("Conv", [x, w], "conv")
        x = reshaped(graph, transposed(graph, x, [0, 2, 3, 1], "last"), [0, -1, 4], "anchors")
        x = transposed(graph, x, [0, 2, 1], "scores")
        return graph.model(graph.node("Softmax", [x], "probabilities", axis=1), "scores")

    found = check(build, tmp_path, rng)
    assert found.network.results[0].block == (1, 3)


@pytest.mark.parametrize("flatten", [False, True])
def test_joined_maps_whose_channels_come_last(flatten, tmp_path, rng):
    """A vector of them has the channels of all maps for every pixel."""

    def build(batch):
        graph, maps, draw = branches(batch, 5)
        x = transposed(graph, joined(graph, maps), [0, 2, 3, 1], "last")
        if flatten:
            return graph.model(head(graph, x, draw, 160))
        w = graph.weights(weights_of(draw, 10, 160), "w", 1 / 64, 8)
        return graph.model(graph.node("Gemm", [reshaped(graph, x, [0, 160], "flat"), w], "scores", transB=1))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("op", ["DepthToSpace", "SpaceToDepth", "Resize"])
@pytest.mark.parametrize("grid", [0.5, 0.25])
def test_blocks_of_joined_maps(op, grid, tmp_path, rng):
    def build(batch):
        graph, maps, draw = branches(batch, 5)
        w = graph.weights(weights_of(draw, 2, 6, 1, 1), "w2", 0.25, 3)
        y = graph.quant(graph.node("Conv", [maps[0], w], "conv2"), "act2", grid, 3, signed=1)
        # Their value 0 has no code.
        y = graph.node("Add", [y, graph.constant(1 / 256)], "moved")
        x = joined(graph, [maps[0], y])
        if op == "Resize":
            scales = [x, "", graph.constant([1, 1, 2, 2])]
            ways = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            x = graph.node(op, scales, "made", mode="nearest", **ways)
        else:
            x = graph.node(op, [x], "made", blocksize=2)
        channels, size = {"DepthToSpace": (2, 8), "SpaceToDepth": (32, 2), "Resize": (8, 8)}[op]
        x = graph.quant(x, "act3", 0.5, 3, signed=1)
        w = graph.weights(weights_of(draw, 4, channels, 1, 1), "w3", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv3"), "act4", 0.5, 3, signed=1)
        return graph.model(head(graph, x, draw, 4 * size * size))

    check(build, tmp_path, rng)


@pytest.mark.parametrize(
    "split, order, after, message",
    [
        ([0, 4, 24], None, None, r"node split \(Reshape\): reshapes \(1, 6, 4, 4\) to \(1, 4, 24\), which"),
        ([0, 2, 3, 4, 4], [0, 2, 1, 3, 4], [0, 3, 2, 16], r"node conv1 \(Conv\): reads axes \(3, 2, 16\)"),
        ([0, 6, 2, 2, 4], [0, 1, 3, 2, 4], [0, 6, 4, 4], r"node conv1 \(Conv\): reads axes \(6, 4, 4\) that"),
        ([0, 6, 4, 2, 2], [0, 1, 3, 2, 4], [0, 12, 4, 2], r"node conv1 \(Conv\): reads axes \(12, 4, 2\)"),
    ],
)
def test_what_makes_no_map(split, order, after, message, tmp_path, rng):
    graph, x, draw = convolution(1, 8)
    x = reshaped(graph, x, split, "split")
    if order:
        x = reshaped(graph, transposed(graph, x, order, "turned"), after, "moved")
    rank = len(after or split)
    w = graph.weights(weights_of(draw, 4, (after or split)[1], *[1] * (rank - 2)), "w1", 0.25, 3)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(graph.node("Conv", [x, w], "conv1")).SerializeToString())
    assert_refused(path, message)


def test_joined_maps_one_of_which_is_turned(tmp_path, rng):
    """Rows of one are columns of the other: no order of axes is that of both."""
    graph, maps, _ = branches(1, 5)
    maps[1] = transposed(graph, maps[1], [0, 1, 3, 2], "other")
    x = reshaped(graph, joined(graph, maps), [0, 10, 16], "flat")
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(graph.node("Mul", [x, graph.constant(0.5)], "scores")).SerializeToString())
    assert_refused(
        path, r"node flat \(Reshape\): reshapes \(1, 10, 4, 4\) to \(1, 10, 16\), which splits an axis"
    )


@pytest.mark.parametrize("other", ["turned", "smaller", "alike"])
@pytest.mark.parametrize("end", ["result", "product"])
def test_vectors_of_different_maps(end, other, tmp_path, rng):
    """Each has its own order, also as a result."""

    def build(batch):
        graph, (x, y), draw = branches(batch, 5)
        if other == "turned":
            y = transposed(graph, y, [0, 1, 3, 2], "other")
        if other == "smaller":
            y = graph.node("MaxPool", [y], "other", kernel_shape=[2, 2], strides=[2, 2])
        flat = [graph.node("Flatten", [one], f"flat{place}", axis=1) for place, one in enumerate((x, y))]
        both = joined(graph, flat)
        if end == "result":
            return graph.model(graph.node("Mul", [both, graph.constant(0.5)], "scores"))
        return graph.model(head(graph, both, draw, 112 if other == "smaller" else 160))

    check(build, tmp_path, rng)


def test_what_grew_by_blocks_is_not_split(tmp_path, rng):
    graph, x, _ = convolution(1, 5, kernel=(8, 2, 3, 3))
    x = graph.node("DepthToSpace", [x], "grown", blocksize=2)
    reshaped(graph, x, [0, 2, 2, 4, 8], "scores")
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("scores").SerializeToString())
    assert_refused(
        path, r"node scores \(Reshape\): reshapes .* which splits an axis of what grew by blocks; "
    )


def test_integers_of_every_joined_map_fit_their_type(tmp_path, rng):
    """Also between a Reshape and a Transpose: the second one's do not."""
    graph, (x, y), _ = branches(1, 5)
    y = graph.node("Mul", [y, graph.constant(4096)], "large")
    x = reshaped(graph, joined(graph, [x, y]), [0, 2, 5, 4, 4], "split")
    graph.node("Cast", [x], "scores", to=TensorProto.INT8)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("scores", dtype=TensorProto.INT8).SerializeToString())
    assert_refused(path, r"node scores \(Cast\): its values -?\d+..\d+ overflow int8; accepted: ")


def test_what_reads_parts_of_axes(tmp_path, rng):
    graph, x, draw = convolution(1, 8)
    x = reshaped(graph, x, [0, 2, 3, 4, 4], "split")
    x = graph.node("Mul", [x, graph.constant(draw.choice([0.5, 1], (2, 1, 1, 1)))], "scores")
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(x).SerializeToString())
    message = "node scores (Mul): reads axes (2, 3, 4, 4) that hold parts of the rows, columns or channels"
    assert_refused(path, re.escape(message))
