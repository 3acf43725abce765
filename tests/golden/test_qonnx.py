"""Imported QONNX networks equal the qonnx package's executor on every quantized tensor."""

import numpy as np
import pytest

pytest.importorskip("qonnx", reason="the oracle is the package qonnx (requirements.lock)")

from .qonnx_support import Graph, check  # noqa: E402


def weights_of(rng, *shape):
    return rng.normal(size=shape).round(4)


def bias_of(rng, count, unit=1 / 64):
    return rng.integers(-64, 65, count) * unit


def head(graph, tensor, rng, features, classes=10, bits=8, scale=1 / 64):
    """Flatten and Gemm to the scores."""
    tensor = graph.node("Flatten", [tensor], "flat", axis=1)
    w = graph.weights(weights_of(rng, classes, features), "head_w", scale, bits)
    return graph.node("Gemm", [tensor, w, graph.constant(bias_of(rng, classes))], "scores",
                      transB=1)  # fmt: skip


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("a_bits", [1, 2, 4])
@pytest.mark.parametrize("w_bits", [0, 1, 2, 3, 4, 8])
def test_convolution_norm_relu_pool(w_bits, a_bits, signed, tmp_path, seed, rng):
    def build(batch):
        rng = np.random.default_rng(seed)
        graph = Graph((batch, 3, 8, 8))
        x = graph.quant("x", "image", 1 / 16, 4, signed=signed)
        w = graph.weights(weights_of(rng, 6, 3, 3, 3), "w0", 0.25, w_bits)
        x = graph.node("Conv", [x, w, graph.constant(bias_of(rng, 6))], "conv0",
                       kernel_shape=[3, 3], pads=[1, 1, 1, 1])  # fmt: skip
        x = graph.norm(x, "norm0", rng, 6)
        x = graph.node("Relu", [x], "relu0") if not signed else x
        x = graph.quant(x, "act0", 0.25, a_bits, signed=signed)
        x = graph.node("MaxPool", [x], "pool0", kernel_shape=[2, 2], strides=[2, 2])
        w = graph.weights(weights_of(rng, 8, 6, 3, 3), "w1", 0.5, w_bits)
        x = graph.node("Conv", [x, w], "conv1", kernel_shape=[3, 3])
        x = graph.quant(x, "act1", 0.5, a_bits, signed=signed)
        return graph.model(head(graph, x, rng, 32))

    found = check(build, tmp_path, rng)
    layers = found.network.layers
    assert [layer.name for layer in layers] == ["conv0", "conv1", "scores"]
    assert found.network.input_signed == bool(signed)
    encoding = "bipolar" if w_bits < 2 else "twos_complement"
    if w_bits != 2:
        assert [layer.encoding for layer in layers[:2]] == [encoding] * 2
        assert layers[0].w_bits == max(w_bits, 1)
    bipolar = signed and a_bits == 1
    assert layers[0].out_bits == (2 if bipolar else a_bits)
    assert layers[0].code_step == (2 if bipolar else 1)
    assert layers[1].a_signed == bool(signed)
