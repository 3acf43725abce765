"""DepthToSpace, SpaceToDepth, Resize and Upsample: maps that grow and shrink by blocks."""

import re

import numpy as np
import pytest
from onnx import TensorProto

from dorefa.golden.onnx import importer

from .support import Graph, assert_refused, bias_of, check, convolution, head, weights_of


def depth_to_space(graph, x, mode="DCR", size=2, out="grown"):
    return graph.node("DepthToSpace", [x], out, blocksize=size, mode=mode)


def resize(graph, x, scales, out="grown", mode="asymmetric", rounding="floor"):
    inputs = [x, "", graph.constant(scales)]
    return graph.node(
        "Resize",
        inputs,
        out,
        mode="nearest",
        coordinate_transformation_mode=mode,
        nearest_mode=rounding,
    )


def grown(graph, x, name):
    """What makes 8 channels of 4 x 4 pixels a larger map, and the sizes (C, H, W) of it."""
    if name in ("DCR", "CRD"):
        return depth_to_space(graph, x, name), (2, 8, 8)
    if name == "Resize":
        return resize(graph, x, [1, 1, 2, 3]), (8, 8, 12)
    return resize(graph, x, [1, 1, 2, 2], mode="half_pixel", rounding="round_prefer_floor"), (8, 8, 8)


@pytest.mark.parametrize("name", ["DCR", "CRD", "Resize", "half_pixel"])
@pytest.mark.parametrize("place", ["sums", "codes", "shared"])
def test_convolutions_read_larger_maps(name, place, tmp_path, rng):
    """In front of a quantizer with numbers per channel, behind it, and of codes that others read too."""

    def build(batch):
        graph, x, draw = convolution(batch, 3, kernel=(8, 2, 3, 3))
        if place == "sums":
            graph.nodes.pop()
            x, (channels, *size) = grown(graph, "conv0", name)
            x = graph.norm(x, "norm", draw, channels)
            x = graph.node("Relu", [x], "relu")
            x = graph.quant(x, "act", 0.5, 3)
        else:
            x, (channels, *size) = grown(graph, x, name)
        w = graph.weights(weights_of(draw, 5, channels, 3, 3), "w", 0.25, 3)
        x = graph.node("Conv", [x, w, graph.constant(bias_of(draw, 5))], "conv1", pads=[1, 1, 0, 1])
        x = graph.quant(x, "act1", 0.5, 3)
        return graph.model(
            head(graph, x, draw, 5 * (size[0] - 1) * size[1]), *(["act0"] if place == "shared" else [])
        )

    found = check(build, tmp_path, rng)
    assert any(layer.block != (1, 1) for layer in found.network.layers)


@pytest.mark.parametrize("name", ["DCR", "CRD", "Resize"])
@pytest.mark.parametrize("flattened", [False, True])
@pytest.mark.parametrize("quantized", [False, True])
def test_results_are_larger_maps(name, flattened, quantized, tmp_path, rng):
    """They are put together from what leaves: no layer stores them."""

    def build(batch):
        graph, x, draw = convolution(batch, 5, kernel=(8, 2, 3, 3))
        if not quantized:
            w = graph.weights(weights_of(draw, 8, 8, 1, 1), "w", 0.25, 3)
            x = graph.node("Conv", [x, w], "conv1")
        x, _ = grown(graph, x, name)
        x = graph.node("Mul", [x, graph.constant(0.5)], "half")
        if flattened:
            graph.node("Flatten", [x], "scores", axis=1)
        else:
            graph.node("Identity", [x], "scores")
        return graph.model("scores")

    found = check(build, tmp_path, rng)
    assert found.network.results[0].block != (1, 1)


def test_the_classes_of_the_pixels_of_a_larger_map(tmp_path, rng):
    """ArgMax along the channels of what a DepthToSpace makes leaves the scores."""

    def build(batch):
        graph, x, draw = convolution(batch, 5, kernel=(12, 2, 3, 3))
        w = graph.weights(weights_of(draw, 12, 12, 1, 1), "w", 0.25, 3)
        x = depth_to_space(graph, graph.node("Conv", [x, w], "conv1"), out="scores")
        return graph.model(graph.node("ArgMax", [x], "classes", axis=1), dtype=TensorProto.INT64)

    found = check(build, tmp_path, rng)
    assert found.network.results[0].block == (2, 2)


def test_sums_and_concats_of_larger_maps(tmp_path, rng):
    """As U-shaped networks have them: a map of fewer pixels grows and meets one of before."""

    def build(batch):
        graph, x, draw = convolution(batch, 8, shape=(2, 8, 6), kernel=(4, 2, 3, 3))
        y = graph.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
        w = graph.weights(weights_of(draw, 4, 4, 1, 1), "w", 0.25, 3)
        y = graph.quant(graph.node("Conv", [y, w], "conv1"), "act1", 0.5, 3, signed=1)
        y = resize(graph, y, [1, 1, 2, 2])
        z = graph.node("Concat", [x, y], "joined", axis=1)
        w = graph.weights(weights_of(draw, 3, 8, 2, 2), "w2", 0.25, 3)
        z = graph.quant(graph.node("Conv", [z, w], "conv2"), "act2", 0.5, 4, signed=1)
        total = graph.quant(graph.node("Add", [x, y], "sum"), "act3", 0.5, 4, signed=1)
        return graph.model(head(graph, z, draw, 3 * 5 * 3), total)

    check(build, tmp_path, rng)


def test_resize_of_maps_whose_channels_come_last(tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 8, shape=(2, 4, 3), kernel=(3, 2, 3, 2))
        x = graph.node("Transpose", [x], "last", perm=[0, 2, 3, 1])
        x = graph.node("Transpose", [resize(graph, x, [1, 2, 3, 1])], "first", perm=[0, 3, 1, 2])
        w = graph.weights(weights_of(draw, 4, 3, 2, 1), "w", 0.25, 3)
        return graph.model(graph.node("Conv", [x, w], "scores"))

    check(build, tmp_path, rng)


def test_space_to_depth(tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 8, shape=(2, 8, 6), kernel=(3, 2, 3, 3))
        x = graph.node("SpaceToDepth", [x], "deep", blocksize=2)
        x = graph.quant(x, "act1", 0.5, 3, signed=1)
        w = graph.weights(weights_of(draw, 4, 12, 2, 1), "w", 0.25, 3)
        return graph.model(graph.node("Conv", [x, w], "scores"))

    check(build, tmp_path, rng)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("images", [1, 3])
def test_resize_of_a_signal(images, count, tmp_path, rng):
    """One axis of pixels, sizes in place of scales, in a file of one image or of several."""

    def build(batch):
        batch = max(batch, images)
        rng = np.random.default_rng(4)
        graph = Graph((batch, 2, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        w = graph.weights(weights_of(rng, 3, 2, 3), "w0", 0.25, 3)
        x = graph.quant(graph.node("Conv", [x, w], "conv0"), "act0", 0.5, 3)
        sizes = graph.constant([batch, 3, 4 * count], dtype=np.int64)
        x = graph.node(
            "Resize",
            [x, "", "", sizes],
            "grown",
            mode="nearest",
            nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )
        w = graph.weights(weights_of(rng, 2, 3, 3), "w1", 0.25, 3)
        return graph.model(graph.node("Conv", [x, w], "scores", pads=[1, 1]))

    check(build, tmp_path, rng)


def test_upsample_of_older_files(tmp_path, rng):
    """Opset 9 has Upsample, opset 10 a Resize without modes: both take the pixel in front."""

    def build(batch, op, opset):
        graph, x, draw = convolution(batch, 8)
        x = graph.node(op, [x, graph.constant([1, 1, 2, 3])], "grown", mode="nearest")
        return graph.model(head(graph, x, draw, 6 * 96), opset=opset)

    for op, opset in (("Upsample", 9), ("Resize", 10)):
        check(lambda batch, op=op, opset=opset: build(batch, op, opset), tmp_path, rng)


REFUSED = {
    "linear": (dict(mode="linear"), "mode is 'linear'; accepted: nearest"),
    "half": (dict(scales=[1, 1, 1.5, 2]), "makes (1, 6, 6, 8) of (1, 6, 4, 4); accepted: rows and columns"),
    "third": (dict(scales=[1, 1, 1.3, 2]), "makes 5.2 of 4 along axis 2; accepted: rows and columns"),
    "smaller": (dict(scales=[1, 1, 0.5, 0.5]), "makes (1, 6, 2, 2) of (1, 6, 4, 4)"),
    "channels": (dict(scales=[1, 2, 2, 2]), "makes (1, 12, 8, 8) of (1, 6, 4, 4)"),
    "batch": (dict(scales=[2, 1, 2, 2]), "makes (2, 6, 8, 8) of (1, 6, 4, 4)"),
    "huge": (dict(scales=[1, 1, 1e30, 2]), "along axis 2; accepted: rows and columns"),
    "not a number": (dict(scales=[1, 1, float("nan"), 2]), "is not finite; accepted: finite numbers"),
    "three": (dict(scales=[1, 1, 2]), "accepted: one of them, with 4 numbers"),
    "no whole blocks": (dict(rounding="ceil"), "asymmetric with nearest_mode ceil makes no whole blocks"),
    "largest": (
        dict(scales=[1, 1, 16_000, 16_000]),
        "makes a map of 24576000000 elements; accepted: at most",
    ),
    "longest": (dict(scales=[1, 1, 1, 20_000]), "makes 80000 of 4 along axis 3; accepted: rows and columns"),
    "crops": (dict(transformation="tf_crop_and_resize"), "is tf_crop_and_resize, nearest_mode floor"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_resizes(name, tmp_path):
    given, message = REFUSED[name]
    graph, x, draw = convolution(1, 7)
    inputs = [
        x,
        graph.constant([0.0] * 8) if name == "crops" else "",
        graph.constant(given.get("scales", [1, 1, 2, 2])),
    ]
    graph.node(
        "Resize",
        inputs,
        "grown",
        mode=given.get("mode", "nearest"),
        nearest_mode=given.get("rounding", "floor"),
        coordinate_transformation_mode=given.get("transformation", "asymmetric"),
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("grown").SerializeToString())
    assert_refused(path, f"{re.escape('node grown (Resize): ')}.*{re.escape(message)}")


@pytest.mark.parametrize(
    ("op", "attributes", "message"),
    [
        (
            "DepthToSpace",
            dict(blocksize=3),
            "blocksize is 3 of 6 channels; accepted: one whose square divides",
        ),
        ("DepthToSpace", dict(blocksize=0), "blocksize is 0 of 6 channels"),
        ("DepthToSpace", dict(blocksize=1 << 40), "blocksize is 1099511627776 of 6 channels"),
        ("SpaceToDepth", dict(blocksize=1 << 40), "blocksize is 1099511627776 of 4x4 pixels"),
        ("SpaceToDepth", dict(blocksize=3), "blocksize is 3 of 4x4 pixels; accepted: one that divides"),
    ],
)
def test_refused_blocks(op, attributes, message, tmp_path):
    graph, x, _ = convolution(1, 7)
    graph.node(op, [x], "grown", **attributes)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("grown").SerializeToString())
    assert_refused(path, re.escape(f"node grown ({op}): {message}"))


def test_scales_that_differ_within_a_block_are_refused(tmp_path):
    graph, x, draw = convolution(1, 7, kernel=(8, 2, 3, 3))
    scales = 2.0 ** -np.arange(8).reshape(1, 8, 1, 1)
    x = graph.node("Mul", [x, graph.constant(scales)], "scaled")
    x = depth_to_space(graph, x)
    w = graph.weights(weights_of(draw, 2, 2, 1, 1), "w", 0.25, 3)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(graph.node("Conv", [x, w], "scores")).SerializeToString())
    assert_refused(
        path, r"node scores \(Conv\): reads pixels whose scale differs within a block; accepted: one scale"
    )


def test_maps_of_too_many_channels_are_refused(tmp_path):
    """Weights of 0 and 1 that no file holds are bounded."""
    graph = Graph((1, 4_096, 1, 2))
    x = resize(graph, graph.quant("x", "image", 1, 2), [1, 1, 2, 2])
    graph.node("MaxPool", [x], "pool", kernel_shape=[2, 2])
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("pool").SerializeToString())
    assert_refused(path, r"node grown \(Resize\): takes 16384 channels of 4096; accepted: at most 16777216 ")


def test_pixels_of_one_pixel_are_no_classes(tmp_path):
    graph, x, draw = convolution(1, 5, shape=(2, 3, 3), kernel=(8, 2, 3, 3))
    w = graph.weights(weights_of(draw, 8, 8, 1, 1), "w", 0.25, 3)
    depth_to_space(graph, graph.node("Conv", [x, w], "conv1"), out="scores")
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("scores").SerializeToString())
    network = importer.load(path)
    assert network.results[0].block == (2, 2) and network.score_count == 0


def test_flattened_maps_of_one_channel(tmp_path, rng):
    """An axis of one place has no name: of Blocks, and of maps side by side."""

    def build(batch):
        graph, x, draw = convolution(batch, 5, kernel=(4, 2, 3, 3))
        w = graph.weights(weights_of(draw, 1, 4, 1, 1), "w", 0.25, 3)
        y = graph.quant(graph.node("Conv", [x, w], "conv1"), "act1", 0.5, 3, signed=1)
        w = graph.weights(weights_of(draw, 1, 4, 1, 1), "w2", 0.25, 3)
        z = graph.quant(graph.node("Conv", [x, w], "conv2"), "act2", 0.5, 3, signed=1)
        joined = graph.node("Flatten", [graph.node("Concat", [y, z], "joined", axis=1)], "vector", axis=1)
        w = graph.weights(weights_of(draw, 5, 32), "w3", 0.25, 3)
        first = graph.node("Gemm", [joined, w], "first", transB=1)
        large = graph.node("Flatten", [depth_to_space(graph, x)], "large", axis=1)
        return graph.model(graph.node("Mul", [large, graph.constant(0.5)], "scores"), first)

    check(build, tmp_path, rng)
