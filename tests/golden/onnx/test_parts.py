"""Slice, Gather and Split of maps: channels, rows and columns that are left out."""

import re

import numpy as np
import pytest

from dorefa.golden import InputError
from dorefa.golden.onnx import importer

from .support import assert_refused, check, convolution, head


def cut(graph, x, starts, ends, axes, steps, out="part"):
    """A Slice node."""
    ints = [graph.constant(values, dtype=np.int64) for values in (starts, ends, axes, steps)]
    return graph.node("Slice", [x, *ints], out)


# starts, ends, axes, steps of a map of 6 channels, 4 rows and 4 columns, and the numbers that are left.
CUTS = {
    "one column": (([-1], [9], [3], [1]), 24),
    "without the last columns, as a causal convolution": (([0], [-2], [3], [1]), 48),
    "inner rows and columns": (([1, 1], [3, 4], [2, 3], [1, 1]), 36),
    "every second row": (([1], [4], [2], [2]), 48),
    "every third row and second column": (([0, 1], [4, 4], [-2, -1], [3, 2]), 24),
    "channels backwards": (([5], [-100], [1], [-2]), 48),
    "channels, rows": (([2, 3], [4, 4], [1, 2], [1, 1]), 8),
}


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", CUTS)
def test_slices_of_codes_and_of_sums(name, padded, tmp_path, rng):
    """In front of a quantizer, behind it, and of codes that others read too."""
    given, features = CUTS[name]

    def build(batch, place):
        graph, x, draw = convolution(batch, 7)
        act = graph.nodes.pop()
        convolved = graph.nodes[-1]
        if padded:
            convolved.attribute.append(pads_attribute())
            convolved.attribute.append(strides_attribute())
        if place == "sums":
            x = cut(graph, "conv0", *given)
            graph.nodes.append(act)
            act.input[0], x = x, "act0"
        else:
            graph.nodes.append(act)
            x = cut(graph, "act0", *given)
        outputs = [head(graph, x, draw, features)]
        return graph.model(*outputs, *(["act0"] if place == "shared" else []))

    for place in ("sums", "codes", "shared"):
        check(lambda batch, place=place: build(batch, place), tmp_path, rng)


def pads_attribute():
    from onnx import helper

    return helper.make_attribute("pads", [2, 1, 2, 2])


def strides_attribute():
    from onnx import helper

    # 2 + 6 + 2 - 3 and 1 + 6 + 2 - 3 pixels in steps: four rows and four columns, as without padding.
    return helper.make_attribute("strides", [2, 2])


def test_parts_of_pooled_maps(tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 8)
        x = graph.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[1, 1])
        x = cut(graph, x, [1, 0, 1], [3, 2, 5], [2, 3, 1], [1, 1, 1])
        return graph.model(head(graph, x, draw, 4 * 4))

    check(build, tmp_path, rng)


def test_channels_of_grouped_convolutions_are_chosen_by_a_layer(tmp_path, rng):
    def build(batch):
        graph, x, draw = convolution(batch, 9)
        w = graph.weights(draw.normal(size=(6, 1, 2, 2)).round(4), "dw", 0.25, 3)
        x = graph.node("Conv", [x, w], "depthwise", group=6)
        x = graph.quant(x, "act1", 0.5, 3, signed=1)
        parts = graph.constant([2, 4], dtype=np.int64)
        graph.node("Split", [x, parts], ["few", "many"], axis=1)
        return graph.model(head(graph, "many", draw, 4 * 9), "few")

    check(build, tmp_path, rng)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([3], [-100], [2], [-1]), r"takes places \[3, 2, 1, 0\] of axis 2 .*; accepted: channels, or rows"),
        (([4], [9], [2], [1]), "takes nothing of axis 2, 4 long; accepted: at least one place"),
        (([0], [1], [7], [1]), r"axes are \(7,\); accepted: different ones below 4"),
        (([0], [1], [2], [0]), r"slices \(2,\) from \(0,\) to \(1,\) by \(0,\); accepted: as many"),
    ],
)
def test_refused(given, message, tmp_path):
    graph, x, draw = convolution(1, 7)
    x = cut(graph, x, *given)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(head(graph, x, draw, 4)).SerializeToString())
    assert_refused(path, rf"node part \(Slice\): {message}")


def gathered(tmp_path, places, axis):
    """Path of a file with a Gather of these places of a map of 6 channels, 4 rows and 4 columns."""
    graph, x, draw = convolution(1, 7)
    x = graph.node("Gather", [x, graph.constant(places, dtype=np.int64)], "part", axis=axis)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(head(graph, x, draw, 4)).SerializeToString())
    return path


def test_one_image_of_the_batch_is_refused(tmp_path):
    assert_refused(
        gathered(tmp_path, 0, 0),
        r"node part \(Gather\): takes one image of the batch; accepted: parts of each image",
    )


def test_more_channels_than_there_is_memory_for_are_refused(tmp_path):
    path = gathered(tmp_path, np.zeros(2_000_000), 1)
    message = "node part (Gather): takes 2000000 channels of 6; accepted: at most 1398101 here"
    with pytest.raises(InputError, match=re.escape(message)):
        importer.load(path)
