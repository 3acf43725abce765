"""Add of two feature maps: a trunk of integers with one unit per channel."""

from dataclasses import replace
from fractions import Fraction
from math import gcd

from .layer_parts import M_BITS, MAX_TRUNK_BITS
from .onnx_draft import identity
from .onnx_layers import trunk_bits
from .onnx_tensors import Sums
from .staircase import Affine


def residual_add(node, tensors, builder):
    """Sums of the two tensors (Codes or Sums), exactly: m1 * acc1 + m2 * acc2 in one unit."""
    first, second = (_linear(node, tensor, builder) for tensor in tensors)
    if first.shape != second.shape or first.dims != second.dims:
        node.refuse(f"adds maps of {first.shape} and {second.shape}", "equal shapes and layouts")
    if second.draft.add is not None:
        first, second = second, first
    (a,), (b,) = first.steps, second.steps
    unit = [_unit(x, y) for x, y in zip(a.slope, b.slope, strict=True)]
    drafts = [
        _scaled(tensor.draft, [int(s / u) for s, u in zip(step.slope, unit, strict=True)])
        for tensor, step in ((first, a), (second, b))
    ]
    for draft in drafts:
        _check(node, draft)
    if drafts[0].name == node.name:
        drafts[0] = replace(drafts[0], name=f"{node.name}.skip")
    offset = [x + y for x, y in zip(a.offset, b.offset, strict=True)]
    draft = _joined(drafts[1], drafts[0])
    bits = trunk_bits(draft.value_ranges())
    if bits > MAX_TRUNK_BITS:
        node.refuse(f"its sum needs {bits} bits", f"at most {MAX_TRUNK_BITS} bits")
    return Sums(draft, (Affine(unit, offset),), second.shape, second.dims)


def _linear(node, tensor, builder):
    """`tensor` as Sums that are linear in the integer of their layer."""
    if (isinstance(tensor, Sums) and tensor.pool is None
            and all(isinstance(step, Affine) for step in tensor.steps)):  # fmt: skip
        return tensor
    return identity(node.name, builder.codes(node, tensor))


def _scaled(draft, factors):
    """`draft` with its integer, a trunk, times `factors` (one per channel)."""
    if draft.m is not None and set(factors) == {1}:
        # The same object: its layer is not made a second time.
        return draft
    m = factors if draft.m is None else [a * b for a, b in zip(draft.m, factors, strict=True)]
    return replace(draft, m=m, add=draft.add and _scaled(draft.add, factors))


def _joined(draft, other):
    """`draft` with the trunk of `other` added, behind all that it adds already."""
    return replace(draft, add=other if draft.add is None else _joined(draft.add, other))


def _check(node, draft):
    """Refuses a factor that the trunk's multipliers cannot hold."""
    largest = max(map(abs, draft.m))
    if largest >> M_BITS:
        node.refuse(f"the scales of its two inputs have no small ratio ({largest} to 1 in steps)",
                    "one quantizer for both, or scales that are powers of two")  # fmt: skip
    if draft.add is not None:
        _check(node, draft.add)


def _unit(x, y):
    """Greatest positive Fraction that both are multiples of."""
    common = x.denominator * y.denominator
    return Fraction(gcd(int(x * common), int(y * common)) or 1, common)
