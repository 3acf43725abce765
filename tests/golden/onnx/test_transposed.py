"""ConvTranspose: as a convolution whose channels are the pixels of a block."""

import re

import numpy as np
import pytest

from .support import assert_refused, bias_of, check, convolution, weights_of

# kernel, and attributes, of a map of 6 channels and 4 x 4 pixels.
CASES = {
    "two by two, as U-Nets have it": ((2, 2), dict(strides=[2, 2])),
    "four by four": ((4, 4), dict(strides=[2, 2], pads=[1, 1, 1, 1])),
    "three by three and a pixel more": ((3, 3), dict(strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])),
    "no strides": ((3, 2), {}),
    "no strides, padded": ((3, 3), dict(pads=[1, 1, 1, 1])),
    "kernels shorter than strides": ((1, 2), dict(strides=[3, 2], output_padding=[2, 0])),
    "dilated": ((3, 2), dict(strides=[2, 3], dilations=[2, 3], pads=[1, 0, 0, 0], output_padding=[0, 2])),
    "dilated by the strides": ((3, 3), dict(strides=[2, 2], dilations=[2, 2], output_padding=[1, 1])),
    "sides of their own": ((4, 5), dict(strides=[2, 1], pads=[0, 3, 2, 1])),
    "no whole blocks": ((3, 3), dict(strides=[2, 2], pads=[1] * 4)),
    "no whole blocks of columns": ((3, 4), dict(strides=[2, 3], pads=[1, 0, 0, 1])),
    "pixels cut off": ((3, 3), dict(strides=[2, 1], pads=[4, 3, 0, 0])),
    "a size": ((4, 3), dict(strides=[2, 2], output_shape=[7, 9])),
    "as Keras has it": ((3, 3), dict(strides=[2, 2], auto_pad="SAME_UPPER")),
    "more in front": ((3, 4), dict(strides=[2, 1], auto_pad="SAME_LOWER")),
    "valid": ((3, 3), dict(strides=[2, 2], auto_pad="VALID")),
    "of channels": ((4, 4), dict(strides=[2, 2], pads=[1, 1, 1, 1], group=6)),
    "of channel groups": ((2, 3), dict(strides=[2, 3], group=2)),
}


def build_case(batch, name, scale=0.25, bits=3, place="sums"):
    kernel, attributes = CASES[name]
    graph, x, draw = convolution(batch, 3)
    groups = attributes.get("group", 1)
    shape = (6, 6 // groups if groups > 1 else 5, *kernel)
    channels = groups * shape[1]
    w = graph.weights(weights_of(draw, *shape), "w", scale, bits)
    out = "up" if place == "sums" else "scores"
    x = graph.node("ConvTranspose", [x, w, graph.constant(bias_of(draw, channels))], out, **attributes)
    if place == "result":
        return graph.model(x)
    x = graph.norm(x, "norm", draw, channels)
    x = graph.quant(graph.node("Relu", [x], "relu"), "act1", 0.5, 3)
    w = graph.weights(weights_of(draw, 4, channels, 2, 2), "w2", 0.25, 3)
    x = graph.quant(graph.node("Conv", [x, w], "conv2", pads=[0, 1, 1, 0]), "act2", 0.5, 3)
    return graph.model(graph.node("Identity", [x], "scores"))


@pytest.mark.parametrize("place", ["sums", "result"])
@pytest.mark.parametrize("name", CASES)
def test_transposed_convolutions(name, place, tmp_path, rng):
    check(lambda batch: build_case(batch, name, place=place), tmp_path, rng)


def test_scales_of_output_channels(tmp_path, rng):
    """Weights that a tap lacks are none, whatever scale its channel has."""
    scale = 2.0 ** -np.arange(5).reshape(1, 5, 1, 1)
    check(lambda batch: build_case(batch, "four by four", scale, place="result"), tmp_path, rng)


def test_one_bit_weights(tmp_path, rng):
    """Taps that are not there are zeros, which one-bit weights have not: two bits hold both."""
    found = check(lambda batch: build_case(batch, "three by three and a pixel more", 0.5, 0), tmp_path, rng)
    assert [layer.w_bits for layer in found.network.layers][1] == 2
    found = check(lambda batch: build_case(batch, "two by two, as U-Nets have it", 0.5, 0), tmp_path, rng)
    assert [layer.w_bits for layer in found.network.layers][1] == 1


def test_random_transposed_convolutions(tmp_path, rng):
    """Kernels, strides, padding, dilation of one and two axes."""
    ran = 0
    while ran < 25:
        rank = int(rng.integers(1, 3))
        kernel, strides, dilations = (rng.integers(1, 5, rank).tolist() for _ in range(3))
        pads = rng.integers(0, 4, 2 * rank).tolist()
        size = rng.integers(2, 6, rank).tolist()
        more = [int(rng.integers(0, stride)) for stride in strides]
        reach = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
        made = [
            s * (n - 1) + r + m - a - b
            for s, n, r, m, a, b in zip(strides, size, reach, more, pads, pads[rank:], strict=False)
        ]
        if min(made) < 1:
            continue
        ran += 1
        attributes = {
            "strides": strides,
            "dilations": dilations,
            "pads": pads,
            "output_padding": more,
            "kernel_shape": kernel,
        }
        print(size, attributes)

        def build(batch, kernel=kernel, size=size, attributes=attributes):
            graph, x, draw = convolution(batch, 5, (2, *size), (3, 2, *[1] * len(size)))
            w = graph.weights(weights_of(draw, 3, 2, *kernel), "w", 0.25, 3)
            return graph.model(graph.node("ConvTranspose", [x, w], "scores", **attributes))

        check(build, tmp_path, rng, count=3)


REFUSED = {
    "output_shape": (
        dict(strides=[2, 2], output_shape=[8, 10]),
        "output_shape is (8, 10); accepted: 2 integers, at most (9, 9)",
    ),
    "both": (
        dict(output_shape=[5, 5], pads=[0, 0, 1, 1]),
        "pads are (0, 0, 1, 1) with output_shape (5, 5) and auto_pad NOTSET; accepted: one of them",
    ),
    "auto_pad": (
        dict(auto_pad="SAME"),
        "auto_pad is 'SAME'; accepted: NOTSET, VALID, SAME_UPPER, SAME_LOWER",
    ),
    "same": (
        dict(auto_pad="SAME_UPPER", strides=[4, 1]),
        "output_shape is (16, 4); accepted: 2 integers, at",
    ),
    "group": (dict(group=4), "weights have shape (6, 5, 3, 3) with group 4 on a map of 4 axes"),
    "strides": (dict(strides=[0, 1]), "strides is (0, 1); accepted: 2 integers >= 1"),
    "far": (dict(strides=[5000, 1]), "strides are (5000, 1); accepted: up to 1024"),
    "pads": (dict(pads=[1, 1]), "pads is (1, 1); accepted: 4 integers >= 0"),
    "cut": (dict(pads=[0, 3, 0, 3]), "makes 0 pixels of 4 with pads of (0, 3, 0, 3); accepted: 1 or more"),
    "kernel": (dict(kernel_shape=[3, 2]), "kernel_shape is (3, 2) with weights of (3, 3); accepted: as the"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path):
    attributes, message = REFUSED[name]
    graph, x, draw = convolution(1, 3)
    w = graph.weights(weights_of(draw, 6, 5, 3, 3), "w", 0.25, 3)
    graph.node("ConvTranspose", [x, w], "scores", **attributes)
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.model("scores").SerializeToString())
    assert_refused(path, f"node scores .*{re.escape(message)}")


def test_refused_operands(tmp_path):
    graph, x, draw = convolution(1, 3)
    for shape, bias, message in (
        ((5, 5, 3, 3), 5, "weights of 5 input channels on 6"),
        ((6, 5, 3), 5, r"weights have shape \(6, 5, 3\) with group 1 on a map of 4 axes"),
        ((6, 5, 3, 3), 6, r"bias has shape \(6,\); accepted: \(5,\)"),
    ):
        w = graph.weights(weights_of(draw, *shape), "w", 0.25, 3)
        graph.node("ConvTranspose", [x, w, graph.constant(bias_of(draw, bias))], "scores")
        path = tmp_path / "net.onnx"
        path.write_bytes(graph.model("scores").SerializeToString())
        assert_refused(path, f"node scores .*{message}")
        graph, x, draw = convolution(1, 3)


def test_codes_that_it_reads_are_stored_once(tmp_path, rng):
    """It pads, so 0 has a code from the beginning, also where others read the codes too."""

    def build(batch):
        graph, _, draw = convolution(batch, 3)
        graph.nodes.pop()
        x = graph.quant("conv0", "act0", 0.5, 8, zero=100)
        w = graph.weights(weights_of(draw, 6, 2, 2, 2), "w", 0.25, 3)
        up = graph.node("ConvTranspose", [x, w], "up", strides=[2, 2])
        w = graph.weights(weights_of(draw, 2, 6, 1, 1), "w2", 0.25, 3)
        return graph.model(up, graph.node("Conv", [x, w], "beside"))

    found = check(build, tmp_path, rng)
    assert len(found.network.layers) == 3
