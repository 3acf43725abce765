"""Maps that grow by blocks, and what reads them, on the generated Verilog of engines of every kind."""

from dataclasses import replace

import onnx
import pytest

from dorefa.golden import InputError
from dorefa.golden.onnx import importer
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.map_layout import MapLayout
from dorefa.hw.compiler.passes import row_passes
from dorefa.hw.compiler.plan import Plan, find_problems
from dorefa.hw.compiler.sizing import fit

from ..golden.onnx.support import Graph, bias_of, head, weights_of
from .test_results import assert_exact


def conv(graph, rng, x, out, channels, inner, kernel=1, bits=3, **more):
    """A convolution and its quantizer of four bits; no bits: signs, and codes of two bits."""
    w = graph.weights(weights_of(rng, channels, inner, kernel, kernel), f"{out}_w", 0.25, bits)
    x = graph.node("Conv", [x, w, graph.constant(bias_of(rng, channels))], f"{out}_sums", **more)
    return graph.quant(x, out, 0.5, 4 if bits else 2, signed=bool(bits))


def autoencoder(rng, bits=3):
    """Half of the pixels and back: by ConvTranspose, and by a Resize that meets the map of before."""
    graph = Graph((1, 2, 6, 8))
    x = conv(graph, rng, graph.quant("x", "image", 1 / 32, 8), "first", 5, 2, 3, bits, pads=[1, 1, 1, 1])
    y = graph.node("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2])
    w = graph.weights(weights_of(rng, 5, 3, 2, 2), "up_w", 0.25, bits)
    up = graph.quant(graph.node("ConvTranspose", [y, w], "up", strides=[2, 2]), "grown", 0.5, 3)
    z = conv(graph, rng, graph.node("Concat", [up, x], "both", axis=1), "joined", 4, 8, 3)
    scales = graph.constant([1, 1, 2, 2])
    small = conv(graph, rng, y, "small", 5, 5)
    more = graph.node("Resize", [small, "", scales], "more", mode="nearest", nearest_mode="floor",
                      coordinate_transformation_mode="asymmetric")  # fmt: skip
    total = graph.quant(graph.node("Add", [x, more], "sum"), "total", 0.5, 4, signed=1)
    return graph.model(head(graph, z, rng, 4 * 4 * 6), total)


def pixels(rng, channels=3, width=5, block=3, bits=3):
    """DepthToSpace of pooled maps, and a convolution with padding."""
    graph = Graph((1, 2, 4, width))
    inner = channels * block**2
    x = conv(graph, rng, graph.quant("x", "image", 1 / 32, 8), "first", inner, 2, 2, bits)
    x = graph.node("MaxPool", [x], "pool", kernel_shape=[2, 1], strides=[1, 1])
    x = graph.node("DepthToSpace", [x], "grown", blocksize=block, mode="DCR")
    return graph.model(conv(graph, rng, x, "last", 4, channels, 3, bits, pads=[1, 1, 0, 1]))


def imported(model, tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    return importer.load(path)


SIZES = {
    "separate": {"lanes": 16, "rows": 4, "quant": 2},
    "columns": {"lanes": 16, "rows": 2, "quant": 2, "cols": 3},
    "shared": {"lanes": 16, "rows": 4, "quant": 4, "cols": 4, "column_reads": "shared", "fetch_bits": 8},
    "engines": {"lanes": 16, "rows": 2, "quant": 2, "engines": 2, "results": "wide"},
    "streams": {"lanes": 16, "rows": 2, "quant": 1, "weights": "stream", "port_bytes": 4},
    "groups": {"lanes": 32, "rows": 4, "quant": 2, "plane_groups": 2, "fetch_bits": 16},
    "words": {"lanes": 64, "rows": 8, "quant": 4, "fetch_bits": 64},
}


def test_an_autoencoder(tmp_path, rng):
    network = imported(autoencoder(rng), tmp_path)
    config = fit(network, **SIZES["columns"])
    assert config.row_steps
    assert_exact(network, config)


def test_pixels_of_channels(tmp_path, rng):
    """Of three channels and fifteen columns, whose rows are filled up to whole words."""
    network = imported(pixels(rng), tmp_path)
    config = fit(network, **SIZES["groups"])
    assert_exact(network, config)
    # Pooling sees the pixels in front of the blocks.
    of_layer = Plan.of(network, config).schedule.of_layer(0)
    assert config.line_depth == 4 * of_layer[0].geometry.pixel_groups
    assert [part.geometry.channels for part in of_layer] == [12] * 3


def test_padding_of_a_small_map_reaches_as_far_as_its_zero_channels(tmp_path, rng):
    graph = Graph((1, 2, 1, 1))
    x = graph.quant("x", "image", 0.5, 4)
    w = graph.weights(weights_of(rng, 4, 2, 1, 1), "w", 0.25, 3)
    x = graph.quant(graph.node("Conv", [x, w], "conv"), "act", 0.5, 3)
    x = graph.node("DepthToSpace", [x], "grown", blocksize=2, mode="DCR")
    w = graph.weights(weights_of(rng, 1, 1, 2, 3), "w1", 0.25, 3)
    network = imported(graph.model(graph.node("Conv", [x, w], "scores", pads=[0, 60, 0, 60])), tmp_path)
    assert_exact(network, fit(network, **SIZES["separate"]))


SAMPLE = ("streams",)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.sample] * (name in SAMPLE)) for name in SIZES]
)
def test_all_engines(name, tmp_path, rng):
    for model in (autoencoder(rng), pixels(rng, 2, 3, 2, 0)):
        network = imported(model, tmp_path)
        assert_exact(network, fit(network, **SIZES[name]))


def test_a_signal_grows_for_nothing(tmp_path, rng):
    """Blocks of one row lie in a map as the channels of its pixels do: one pass, any engine."""
    graph = Graph((1, 2, 12))
    w = graph.weights(weights_of(rng, 5, 2, 3), "w", 0.25, 3)
    x = graph.node("Conv", [graph.quant("x", "image", 0.5, 4), w], "conv0", pads=[1, 1])
    x = graph.quant(x, "act0", 0.5, 4, signed=1)
    w = graph.weights(weights_of(rng, 5, 3, 4), "w1", 0.25, 3)
    x = graph.node("ConvTranspose", [x, w], "up", strides=[2], pads=[1, 1])
    x = graph.quant(x, "act1", 0.5, 4, signed=1)
    w = graph.weights(weights_of(rng, 2, 3, 3), "w2", 0.25, 3)
    network = imported(graph.model(graph.node("Conv", [x, w], "scores")), tmp_path)
    config = fit(network, **SIZES["separate"])
    assert not config.row_steps and network.layers[1].block == (1, 2)
    assert len(compile_network(network, config).schedule.passes) == len(network.layers)
    assert_exact(network, config)


def test_what_an_engine_cannot_do(tmp_path, rng):
    """Without rows apart, with less than a pass of weights, without a code for zero."""
    network = imported(pixels(rng), tmp_path)
    config = fit(network, **SIZES["separate"])
    (problem,) = find_problems(network, config.replace(row_steps=0))
    name = next(layer.name for layer in network.layers if layer.block != (1, 1))
    assert problem == f"layer {name}: row_steps is 0; accepted: at least 1, which it needs"
    streams = fit(network, **SIZES["streams"])
    (problem,) = find_problems(network, streams.replace(weight_depth=4))
    assert (
        problem.startswith(f"layer {name}: a row of its blocks needs ")
        and "half of weight_depth 4" in problem
    )

    layers = list(network.layers)
    place = next(at for at, layer in enumerate(layers) if layer.block != (1, 1))
    layers[place] = replace(layers[place], groups=3)
    grouped, source = replace(network, layers=tuple(layers)), MapLayout.dense(layers[place].in_shape)
    with pytest.raises(
        InputError, match="has channel groups or a residual trunk; accepted: one group without"
    ):
        row_passes(grouped, place, source, config)

    # Codes of one bit that stand for -1 and 1.
    graph = Graph((1, 2, 4, 5))
    w = graph.weights(weights_of(rng, 12, 2, 2, 2), "w", 0.25, 3)
    x = graph.node("Conv", [graph.quant("x", "image", 0.5, 4), w], "conv")
    x = graph.node("DepthToSpace", [graph.bipolar(x, "act")], "grown", blocksize=2, mode="DCR")
    w = graph.weights(weights_of(rng, 3, 3, 2, 2), "w1", 0.25, 3)
    network = imported(graph.model(graph.node("Conv", [x, w], "scores")), tmp_path)
    with pytest.raises(InputError) as caught:
        fit(network, **SIZES["separate"])
    assert str(caught.value) == (
        "layer conv: its rows of 8 pixels of 3 channels are no whole words of fetch_bits 16, and no code of "
        "it stands for 0, which could fill them up; accepted: channels in multiples of 2, or a smaller "
        "fetch_bits"
    )
    assert not find_problems(network, fit(network, **{**SIZES["separate"], "fetch_bits": 8}))
