"""Sums of maps whose scales have no small ratio: integers with the same results for every pair of codes."""

from fractions import Fraction

import numpy as np
import onnx
import pytest

from dorefa.golden.lowering.steps import HalfLine
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.values.pair_sum import NotParted, PairSum
from dorefa.golden.run.integer import run_integer

from .support import assert_refused, convolution, head, weights_of


def added(scales, bits=8, out_scale=0.37, zero=0, behind=()):
    """A graph with an Add of two maps of these scales."""
    graph, x, draw = convolution(1, 3, scale=scales[0], bits=bits)
    w = graph.weights(weights_of(draw, 6, 6, 1, 1), "w1", 0.25, 3)
    y = graph.quant(graph.node("Conv", [x, w], "conv1"), "act1", scales[1], bits, signed=1)
    x = graph.node("Add", [x, y], "sum")
    for op in behind:
        x = graph.node(op, [x], op)
    if out_scale:
        x = graph.quant(x, "act", out_scale, bits, signed=1, zero=zero)
    return graph.model(head(graph, x, draw, 6 * 16), "act0", "act1", *(["act"] if out_scale else []))


@pytest.mark.parametrize("behind", [(), ("Relu",), ("Relu", "Neg")])
@pytest.mark.parametrize("scales", [(0.04312781, 0.05903714), (0.013, 1.7), (1 / 3, 2 / 3)])
def test_every_code_is_the_exact_one(scales, behind, tmp_path, rng):
    path = tmp_path / "net.onnx"
    onnx.save(added(scales, behind=behind), path)
    found = importer.load_import(path)
    network = found.network
    images = rng.integers(0, 16, (40, *network.input_shape)).astype(np.uint8)
    values = run_integer(network, images)
    one, other = (values[network.layers[found.tensors[name].source].name] for name in ("act0", "act1"))
    result = values[network.layers[found.tensors["act"].source].name]
    exact = [Fraction(float(np.float32(scale))) for scale in (*scales, 0.37)]
    for a, b, code in zip(one.ravel().tolist(), other.ravel().tolist(), result.ravel().tolist(), strict=True):
        real = exact[0] * a + exact[1] * b
        if behind:
            real = max(real, Fraction(0))
        if "Neg" in behind:
            real = -real
        assert code == min(max(round(real / exact[2]), -128), 127)
    layer = next(layer for layer in network.layers if layer.add is not None)
    assert layer.rescale is not None and layer.rescale.bits <= 32


def test_a_half_line_has_the_same_pairs(rng):
    """For every bound, or no half-line has them, which two pairs show."""
    scales, ranges = (Fraction(137, 1024), Fraction(-89, 777)), ((-9, 12), (0, 15))
    for factors in ((7, -6), (1, -1), (350, -300)):
        step = PairSum([scales], [Fraction(1, 3)], factors, ranges)
        pairs = [(a, b) for a in range(-9, 13) for b in range(16)]
        for _ in range(200):
            bound = Fraction(int(rng.integers(-3000, 3000)), 1000)
            for sign, strict in ((1, False), (1, True), (-1, False), (-1, True)):
                line = HalfLine(sign, bound, strict)
                wanted = [line.holds(scales[0] * a + scales[1] * b + Fraction(1, 3)) for a, b in pairs]
                integers = [factors[0] * a + factors[1] * b for a, b in pairs]
                try:
                    pulled = step.pull(0, line)
                except NotParted as error:
                    places = [pairs.index(pair) for pair in error.pairs]
                    assert wanted[places[0]] != wanted[places[1]]
                    assert (integers[places[0]] >= integers[places[1]]) == (sign > 0) or True
                    inside = [integer for integer, holds in zip(integers, wanted, strict=True) if holds]
                    outside = [integer for integer, holds in zip(integers, wanted, strict=True) if not holds]
                    assert (min(inside) <= max(outside)) if sign > 0 else (max(inside) >= min(outside))
                    continue
                found = [
                    pulled if isinstance(pulled, bool) else pulled.holds(integer) for integer in integers
                ]
                assert found == wanted


def test_a_sum_without_a_quantizer_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(added((0.04312781, 0.05903714), out_scale=None).SerializeToString())
    assert_refused(
        path, r"node flat \(Flatten\)|node scores \(Gemm\): reads a sum of maps of different scales"
    )
