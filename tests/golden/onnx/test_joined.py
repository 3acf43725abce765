"""Concat of maps: layers that read one map each and add up, everything else map by map."""

import numpy as np
import pytest

from .support import assert_refused, bias_of, check, convolution, head, weights_of


def branches(batch, seed, count=2, bits=3, signed=1):
    """(graph, tensors, generator): maps of 6, 4, 3, ... channels with one scale."""
    graph, x, draw = convolution(batch, seed, bits=bits, signed=signed)
    maps = [x]
    for number in range(1, count):
        w = graph.weights(weights_of(draw, 5 - number, 6, 1, 1), f"w{number}", 0.25, 3)
        y = graph.node("Conv", [x, w], f"conv{number}")
        maps.append(graph.quant(y, f"act{number}", 0.5, bits, signed=signed))
    return graph, maps, draw


def joined(graph, maps, axis=1):
    """A Concat node."""
    return graph.node("Concat", maps, "joined", axis=axis)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("pads", [[0] * 4, [1] * 4])
def test_a_convolution_reads_joined_maps(count, pads, tmp_path, rng):
    def build(batch):
        graph, maps, draw = branches(batch, 3, count)
        channels = [6, 4, 3][:count]
        w = graph.weights(weights_of(draw, 5, sum(channels), 3, 3), "w", 0.25, 4)
        x = graph.node("Conv", [joined(graph, maps), w, graph.constant(bias_of(draw, 5))], "conv", pads=pads)
        x = graph.quant(x, "act", 2, 4, signed=1)
        return graph.model(head(graph, x, draw, 5 * (4 if not any(pads) else 16)))

    found = check(build, tmp_path, rng)
    assert sum(layer.rescale is not None for layer in found.network.layers) == count


def test_what_stands_between(tmp_path, rng):
    """Numbers per channel, quantizers, pooling and a depthwise convolution act on each map."""

    def build(batch):
        graph, maps, draw = branches(batch, 4)
        x = graph.norm(joined(graph, maps), "norm", draw, 10)
        x = graph.node("Mul", [x, graph.constant(draw.choice([0.5, 1, 2], (10, 1, 1)))], "mul")
        x = graph.node("Sub", [graph.constant(draw.choice([0.5, 1, 2], (10, 1, 1))), x], "sub")
        x = graph.quant(x, "act", 0.5, 4, signed=1)
        x = graph.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
        w = graph.weights(weights_of(draw, 10, 1, 2, 2), "dw", 0.25, 3)
        x = graph.node("Conv", [x, w, graph.constant(bias_of(draw, 10))], "depthwise", group=10)
        x = graph.quant(x, "act2", 0.5, 4, signed=1)
        return graph.model(head(graph, x, draw, 10))

    check(build, tmp_path, rng)


def test_channel_groups_that_lie_in_two_maps(tmp_path, rng):
    def build(batch):
        graph, maps, draw = branches(batch, 4)
        w = graph.weights(weights_of(draw, 4, 5, 2, 2), "w", 0.25, 3)
        x = graph.node("Conv", [joined(graph, maps), w, graph.constant(bias_of(draw, 4))], "conv", group=2)
        return graph.model(head(graph, graph.quant(x, "act", 0.5, 4, signed=1), draw, 36))

    check(build, tmp_path, rng)


def test_joined_vectors_and_parts_of_them(tmp_path, rng):
    def build(batch):
        graph, maps, draw = branches(batch, 5, 3)
        x = joined(graph, maps)
        ints = [graph.constant([value], dtype=np.int64) for value in (4, 12, 1)]
        x = graph.node("Slice", [x, *ints], "part")
        return graph.model(head(graph, x, draw, 8 * 16), "joined")

    found = check(build, tmp_path, rng)
    assert [len(result.layers) for result in found.network.results] == [3, 3]


def test_shared_and_joined_again(tmp_path, rng):
    def build(batch):
        graph, maps, draw = branches(batch, 6)
        first = joined(graph, maps)
        x = graph.node("Concat", [first, maps[1], first], "again", axis=1)
        return graph.model(head(graph, x, draw, 24 * 16))

    check(build, tmp_path, rng)


def test_a_map_of_one_channel_has_no_channel_axis(tmp_path, rng):
    """A Reshape leaves an axis of one place, which holds its channels as well."""

    def build(batch):
        graph, x, draw = convolution(batch, 7)
        w = graph.weights(weights_of(draw, 1, 6, 1, 1), "w1", 0.25, 3)
        y = graph.quant(graph.node("Conv", [x, w], "conv1"), "act1", 0.5, 3, signed=1)
        y = graph.node("Reshape", [y, graph.constant([batch, 1, 4, 4], dtype=np.int64)], "again")
        w = graph.weights(weights_of(draw, 3, 7, 1, 1), "w", 0.25, 3)
        x = graph.quant(graph.node("Conv", [joined(graph, [y, x]), w], "conv"), "act", 0.5, 3, signed=1)
        return graph.model(head(graph, x, draw, 3 * 16))

    check(build, tmp_path, rng)


def test_scores_side_by_side(tmp_path, rng):
    """Of two layers, in one result: one score per class."""

    def build(batch):
        graph, x, draw = convolution(batch, 8)
        x = graph.node("Flatten", [x], "flat")
        heads = []
        for name, classes in (("few", 2), ("many", 5)):
            w = graph.weights(weights_of(draw, 6 * 16, classes), f"{name}_w", 0.25, 3)
            heads.append(graph.node("MatMul", [x, w], name))
        return graph.model(joined(graph, heads))

    assert check(build, tmp_path, rng, output="joined").network.score_count == 7


def test_too_many_maps_are_refused(tmp_path):
    """Each Concat doubles them."""
    graph, x, draw = convolution(1, 3)
    for number in range(28):
        x = graph.node("Concat", [x, x], f"joined{number}", axis=1)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(head(graph, x, draw, 6 * 16)).SerializeToString())
    assert_refused(path, r"node joined8 \(Concat\): puts 512 maps together; accepted: at most 256")


@pytest.mark.parametrize(
    ("axis", "scales", "message"),
    [
        (2, (0.5, 0.5), r"node joined \(Concat\): puts maps? .*; accepted: "),
        (1, (0.5, 0.3), r"node conv \(Conv\): the scales of its two inputs have no small ratio"),
    ],
)
def test_refused(axis, scales, message, tmp_path):
    graph, x, draw = convolution(1, 3, scale=scales[0])
    w = graph.weights(weights_of(draw, 6, 6, 1, 1), "w1", 0.25, 3)
    y = graph.quant(graph.node("Conv", [x, w], "conv1"), "act1", scales[1], 3, signed=1)
    x = joined(graph, [x, y], axis)
    w = graph.weights(weights_of(draw, 5, 12 if axis == 1 else 6, 1, 1), "w", 0.25, 4)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model(graph.node("Conv", [x, w], "conv")).SerializeToString())
    assert_refused(path, message)
