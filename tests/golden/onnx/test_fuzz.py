"""Random graphs equal the executors or are refused; the campaign of 5,000 is bench/onnx_fuzz.py."""

from fractions import Fraction

import numpy as np
import pytest

from dorefa.golden.onnx import elementwise

from .fuzz.campaign import Tally, run
from .fuzz.drawing import Unrunnable
from .fuzz.exact import evaluate
from .fuzz.graphs import draw
from .fuzz.values import fractions


def check(seed, accepted, path, first=0):
    tally = Tally(seed, first)
    run(tally, accepted, path)
    print("\n".join(tally.lines()))
    assert not tally.different
    assert tally.codes > 100 * accepted


def test_random_graphs_equal_the_executors(seed, tmp_path):
    check(seed, 20, tmp_path / "net.onnx")


@pytest.mark.slow
@pytest.mark.sample
@pytest.mark.parametrize("part", range(3))
def test_more_random_graphs_equal_the_executors(part, seed, tmp_path):
    check(seed, 150, tmp_path / "net.onnx", 10_000 * (part + 1))


def test_a_planted_fault_is_found(monkeypatch, seed, tmp_path):
    monkeypatch.setitem(elementwise.STEPS, "Relu", elementwise.STEPS["Neg"])
    tally = Tally(seed)
    run(tally, 100, tmp_path / "net.onnx")
    print("\n".join(tally.lines()))
    assert tally.different


def test_exact_arithmetic_equals_the_executors_where_float32_is_exact(seed):
    """The judge itself, on every tensor whose numbers float32 holds with bits to spare, and those before."""
    checked = set()
    for number in range(30):
        try:
            drawing = draw(np.random.default_rng([seed, number])).drawing
        except Unrunnable:
            continue
        context = drawing.run(drawing.draw_images())
        nodes = [executable.node for executable in drawing.executables]
        # Images are any floats; what is made of them are numbers on a grid.
        first = {node.output[0] for node in nodes if "x" in node.input}
        known = evaluate(drawing, context, {name: fractions(context[name]) for name in first})
        short = {name for name, array in known.items() if all(map(is_short, array.ravel()))}
        for node in nodes:
            name, moving = node.output[0], drawing.moving.intersection(node.input)
            if name in first:
                continue
            if not moving or not moving <= short or rounds(node, context):
                short.discard(name)
            elif name in short:
                values = known[name].astype(np.float64)
                assert np.array_equal(values, context[name].astype(np.float64)), f"graph {number}: {node}"
                checked.add(node.op_type)
    assert {"Conv", "Gemm", "MatMul", "MaxPool", "Quant", "Cast", "Div", "Clip", "MultiThreshold"} <= checked


def is_short(value):
    """Whether a number is a binary fraction of few bits."""
    exact = Fraction(value)
    return (1 << 10) % exact.denominator == 0 and abs(exact.numerator) < 1 << 22


def rounds(node, context):
    """Whether a step within the operator is rounded though its result need not be."""
    parameters = [
        Fraction(float(value)) for name in filter(None, node.input[1:]) for value in context[name].ravel()
    ]
    return node.op_type == "BatchNormalization" or not all(map(is_short, parameters))
