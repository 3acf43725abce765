"""Quantizers of more than 8 bits in QONNX files: rounded trunks, or codes."""

import re

import numpy as np
import onnx
import pytest

from dorefa.golden import InputError
from dorefa.golden.onnx import importer

from .support import Graph, check, head, weights_of


def conv(graph, rng, tensor, name, channels, **attributes):
    """A 3x3 convolution that keeps the map; sums are multiples of 1/64."""
    w = graph.weights(weights_of(rng, *channels, 3, 3), f"{name}_w", 1 / 8, 4)
    return graph.node("Conv", [tensor, w], name, pads=[1] * 4, **attributes)


def trunks(rng, batch=1, scales=(1 / 8, 1 / 8, 1 / 8), bits=(12, 12, 12), **quantizer):
    """Blocks around a trunk of rounded sums, whose codes a quantizer makes for the next block."""
    graph = Graph((batch, 3, 6, 6))
    x = graph.quant("x", "image", 1 / 8, 4)
    trunk = None
    for number, (scale, width) in enumerate(zip(scales, bits, strict=True)):
        y = conv(graph, rng, x, f"conv{number}", (4, 3 if number == 0 else 4))
        y = graph.quant(y, f"own{number}", scale, width, signed=1, **quantizer)
        trunk = y if trunk is None else graph.node("Add", [trunk, y], f"sum{number}")
        x = graph.norm(trunk, f"norm{number}", rng, 4)
        x = graph.quant(x, f"act{number}", 0.5, 3)
    return graph.model(head(graph, x, rng, 4 * 36))


def test_rounded_trunks_equal_the_executor(tmp_path, seed, rng):
    found = check(lambda batch: trunks(np.random.default_rng(seed), batch), tmp_path, rng)
    layers = {layer.name: layer for layer in found.network.layers}
    assert list(layers) == ["conv0", "conv1", "conv2", "scores"]
    for number, name in enumerate(("conv0", "conv1", "conv2")):
        rescale = layers[name].rescale
        # A sum is a multiple of 1/64 behind the image and of 1/16 behind the others, in units of 1/8.
        assert (rescale.f, rescale.bits) == (1 if number else 3, 12) and set(rescale.m.tolist()) == {1}
        assert layers[name].add == (None if number == 0 else number - 1)
    assert [layer.trunk for layer in found.network.layers] == [True, True, False, False]


@pytest.mark.parametrize(
    "changes",
    [{"scales": (3 / 32,) * 3}, {"bits": (12, 9, 12), "scales": (1 / 64,) * 3}, {"mode": "FLOOR"}],
    ids=["no power of two", "too few bits", "rounded down"],
)
def test_other_wide_quantizers_make_codes(changes, tmp_path, seed, rng):
    """Of up to 16 bits; those of 17 are a trunk or refused."""
    found = check(lambda batch: trunks(np.random.default_rng(seed), batch, **changes), tmp_path, rng)
    assert max(layer.out_bits or 0 for layer in found.network.layers) > 8
    wide = (
        {**changes, "bits": (17, 17, 17)} if "bits" not in changes else {"bits": (17, 20, 17), "mode": "CEIL"}
    )
    onnx.save(trunks(rng, **wide), tmp_path / "wide.onnx")
    message = r"node own0 \(Quant\): quantizes activations to 17 bits; accepted: 1\.\.16 bits, or a trunk: "
    with pytest.raises(InputError, match=message):
        importer.load(tmp_path / "wide.onnx")


def test_a_wide_quantizer_of_bent_sums_that_is_no_trunk(tmp_path, rng):
    """They were stored for it already."""
    graph = Graph((1, 3, 6, 6))
    x = graph.quant("x", "image", 1 / 8, 4)
    y = graph.node("Relu", [conv(graph, rng, x, "conv0", (4, 3))], "relu")
    y = graph.quant(y, "wide", 3 / 32, 12, signed=1)
    other = graph.quant(conv(graph, rng, x, "conv1", (4, 3)), "act", 0.5, 3)
    onnx.save(graph.model(graph.node("Add", [y, other], "scores")), tmp_path / "net.onnx")
    message = r"node wide \(Quant\): quantizes activations to 12 bits; accepted: 1\.\.16 bits, or a trunk: "
    with pytest.raises(InputError, match=message):
        importer.load(tmp_path / "net.onnx")


def test_a_wide_quantizer_that_clamps_in_front_of_another(tmp_path, seed, rng):
    """Dense, Quant, Relu, Quant, as Keras's quantizers are exported."""

    def build(batch):
        graph, draw = Graph((batch, 6)), np.random.default_rng(seed)
        x = graph.quant("x", "image", 1 / 8, 8, signed=1)
        w = graph.weights(weights_of(draw, 6, 8) * 8, "w", 1 / 8, 8)
        x = graph.quant(graph.node("MatMul", [x, w], "dense"), "wide", 1 / 64, 10, signed=1)
        x = graph.quant(graph.node("Relu", [x], "relu"), "act", 1 / 8, 6)
        return graph.model(
            graph.node("MatMul", [x, graph.weights(weights_of(draw, 8, 3), "w2", 1 / 4, 4)], "scores")
        )

    found = check(build, tmp_path, rng)
    assert [layer.out_bits for layer in found.network.layers] == [6, None]


REFUSED = {
    "two units": (
        {"scales": (1 / 8, 1 / 16, 1 / 8)},
        r"node sum1 \(Add\): the scales of its two inputs differ, and one is the trunk of conv0; "
        "accepted: one scale for all trunks that are added",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name, tmp_path, rng):
    changes, message = REFUSED[name]
    onnx.save(trunks(rng, **changes), tmp_path / "net.onnx")
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path / 'net.onnx'))}: {message}"):
        importer.load(tmp_path / "net.onnx")


def test_a_trunk_of_few_values_is_read_by_a_layer(tmp_path, rng, seed):
    """17 bits are more than a code has: codes are the values that the sums reach."""

    def build(batch):
        draw = np.random.default_rng(seed)
        graph = Graph((batch, 3, 6, 6))
        x = graph.quant("x", "image", 1 / 8, 4)
        x = graph.quant(conv(graph, draw, x, "conv0", (4, 3)), "wide", 1 / 64, 17, signed=1)
        x = graph.quant(conv(graph, draw, x, "conv1", (4, 4)), "act", 1 / 2, 4)
        return graph.model(head(graph, x, draw, 4 * 36))

    found = check(build, tmp_path, rng)
    assert found.network.layers[0].out_bits > 8


def test_a_trunk_is_no_tensor_of_codes(tmp_path, rng):
    graph = Graph((1, 3, 6, 6))
    x = graph.quant("x", "image", 1 / 8, 8)
    w = graph.weights(weights_of(rng, 4, 3, 3, 3) * 15, "w", 1 / 8, 8)
    x = graph.quant(graph.node("Conv", [x, w], "conv0"), "wide", 1 / 64, 20, signed=1)
    onnx.save(graph.model(conv(graph, rng, x, "conv1", (4, 4))), tmp_path / "net.onnx")
    message = r"node conv1 \(Conv\): reads the values of conv0, which are a trunk; accepted: at most 65536"
    with pytest.raises(InputError, match=message):
        importer.load(tmp_path / "net.onnx")
