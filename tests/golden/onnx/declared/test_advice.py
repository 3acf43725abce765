"""Operators that nobody declared are refused with what to do about their kind."""

import pytest

from ..support import assert_refused, convolution


def model(op):
    """A file with the operator behind a convolution."""
    graph, _, _ = convolution(1, 3)
    return graph.model(graph.node(op, ["conv0"], "bent"))


@pytest.mark.parametrize(
    ("op", "accepted"),
    [
        ("QLinearMul", "is integer ONNX of a kind that is not computed; accepted: QuantizeLinear and"),
        ("Gelu", "is not monotone; accepted: monotone operators"),
        ("LSTM", "has state or branches; accepted: feed-forward"),
        ("LayerNormalization", "depends on statistics or products of the activations; accepted: BatchNorm"),
        ("Range", "computes shapes or constants in the graph; accepted: a file with constants folded"),
        ("FooBar", r"is an operator that is not supported; accepted: the operators in docs/qonnx.md"),
    ],
)
def test_unknown_operators_are_refused_with_what_to_do(op, accepted, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(model(op).SerializeToString())
    assert_refused(path, rf"node bent \({op}\): {accepted}")
