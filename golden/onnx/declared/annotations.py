"""Attributes that files have beside those of an operator, and when they say nothing else."""

from collections.abc import Callable, Mapping
from typing import Any

_COMPUTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Mul", "Add", "Div", "Floor", "Clip")
_WIDTHS = ("weight_bits", "bias_bits", "mult_bits", "add_bits", "in_bits", "out_bits")


def _is_width(value: Any) -> bool:
    return isinstance(value, int) and 1 <= value <= 32


# (operator, attribute) -> whether a value of it changes nothing. Widths are those that the constants show;
# FINN makes MaxPoolNHWC of MaxPool, and leaves what that had.
ANNOTATIONS: Mapping[tuple[str, str], Callable[[Any], bool]] = {
    **{(op, name): _is_width for op in _COMPUTED for name in _WIDTHS},
    ("MaxPoolNHWC", "dilations"): lambda value: isinstance(value, tuple) and set(value) <= {1},
}
