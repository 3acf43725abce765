"""Add of two feature maps: a trunk of integers with one unit per channel."""

from dataclasses import replace
from fractions import Fraction
from math import gcd

from .onnx_layers import identity
from .onnx_tensors import Sums
from .staircase import Affine


def residual_add(node, tensors, builder):
    """Sums of the two tensors (Codes or Sums), exactly: m1 * acc1 + m2 * acc2 in one unit."""
    first, second = (_linear(node, tensor, builder) for tensor in tensors)
    if first.shape != second.shape or first.dims != second.dims:
        node.refuse(f"adds maps of {first.shape} and {second.shape}", "equal shapes and layouts")
    if second.draft.add is not None:
        first, second = second, first
    if second.draft.add is not None:
        node.refuse("adds two sums", "one sum and one quantized tensor, or a Quant node between")
    (a,), (b,) = first.steps, second.steps
    unit = [_unit(x, y) for x, y in zip(a.slope, b.slope, strict=True)]
    m = [[int(s / u) for s, u in zip(step.slope, unit, strict=True)] for step in (a, b)]
    if first.draft.add is not None and set(m[0]) != {1}:
        node.refuse("adds to a sum of another scale", "one scale for all of them")
    if first.draft.add is None:
        first = replace(first, draft=replace(first.draft, m=m[0]))
    index = builder.trunk(node, first.draft)
    draft = replace(second.draft, m=m[1], add=index, add_range=first.draft.value_ranges())
    offset = [x + y for x, y in zip(a.offset, b.offset, strict=True)]
    return Sums(draft, (Affine(unit, offset),), second.shape, second.dims)


def _linear(node, tensor, builder):
    """`tensor` as Sums that are linear in the integer of their layer."""
    if (isinstance(tensor, Sums) and tensor.pool is None
            and all(isinstance(step, Affine) for step in tensor.steps)):  # fmt: skip
        return tensor
    codes = builder.codes(node, tensor)
    return identity(node.name, codes)


def _unit(x, y):
    """Greatest positive Fraction that both are multiples of."""
    common = x.denominator * y.denominator
    return Fraction(gcd(int(x * common), int(y * common)) or 1, common)
