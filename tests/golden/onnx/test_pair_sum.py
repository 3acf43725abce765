"""Sums of maps whose scales have no small ratio: integers with the same results for every pair of codes."""

import math
from fractions import Fraction

import numpy as np
import onnx
import pytest

from dorefa.golden.lowering.steps import HalfLine
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.values.pair_sum import NotParted, PairSum
from dorefa.golden.run.integer import result_arrays, run_integer

from .support import assert_refused, convolution, head, weights_of


def added(scales, bits=8, out_scale=0.37, behind=()):
    """A graph with an Add of two maps of these scales, and operators, with their constants, behind it."""
    graph, x, draw = convolution(1, 3, scale=scales[0], bits=bits)
    w = graph.weights(weights_of(draw, 6, 6, 1, 1), "w1", 0.25, 3)
    y = graph.quant(graph.node("Conv", [x, w], "conv1"), "act1", scales[1], bits, signed=1)
    x = graph.node("Add", [x, y], "sum")
    for op, *constants in behind:
        x = graph.node(op, [x, *map(graph.constant, constants)], op)
    if out_scale:
        x = graph.quant(x, "act", out_scale, bits, signed=1)
    return graph.model(head(graph, x, draw, 6 * 16), "act0", "act1", *([x] if out_scale or behind else []))


def triples(path, rng):
    """(Import, codes of both maps and the codes of what stands behind their sum), of many pixels."""
    found = importer.load_import(path)
    network = found.network
    images = rng.integers(0, 16, (40, *network.input_shape)).astype(np.uint8)
    arrays = result_arrays(network, run_integer(network, images))
    *_, first, second, third = (array.ravel().tolist() for array in arrays.values())
    return found, zip(first, second, third, strict=True)


def exact(scale):
    """The number that a file holds for a scale."""
    return Fraction(float(np.float32(scale)))


@pytest.mark.parametrize("behind", [(), ("Relu",), ("Relu", "Neg")])
@pytest.mark.parametrize("scales", [(0.04312781, 0.05903714), (0.013, 1.7), (1 / 3, 2 / 3)])
def test_every_code_is_the_exact_one(scales, behind, tmp_path, rng):
    path = tmp_path / "net.onnx"
    onnx.save(added(scales, behind=[(op,) for op in behind]), path)
    found, codes = triples(path, rng)
    for a, b, code in codes:
        real = exact(scales[0]) * a + exact(scales[1]) * b
        if behind:
            real = max(real, Fraction(0))
        if "Neg" in behind:
            real = -real
        assert code == min(max(round(real / exact(0.37)), -128), 127)
    layer = next(layer for layer in found.network.layers if layer.add is not None)
    assert layer.rescale is not None and layer.rescale.bits <= 32


@pytest.mark.parametrize(
    ("behind", "integer"),
    [
        ([("Round",), ("Clip", -4, 5)], lambda real: min(max(round(real), -4), 5)),
        ([("Floor",)], math.floor),
    ],
)
def test_integers_behind_a_sum(behind, integer, tmp_path, rng):
    """Without a quantizer there are as many codes as the sum reaches, or as a Clip leaves."""
    scales = (0.04312781, 0.05903714)
    path = tmp_path / "net.onnx"
    onnx.save(added(scales, out_scale=None, behind=behind), path)
    _, codes = triples(path, rng)
    for a, b, code in codes:
        assert code == integer(exact(scales[0]) * a + exact(scales[1]) * b)


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
                    assert [wanted[place] for place in places] == [sign < 0, sign > 0]
                    assert integers[places[0]] >= integers[places[1]]
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
