"""Residual trunks: what a quantizer of more than 8 bits makes, and Add of two feature maps."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import gcd

import numpy as np

from ..lowering.steps import Affine, Step, is_even_rounding
from ..network.layer import MAX_BITS, MAX_CODE_BITS
from ..network.parts import B_BITS, M_BITS, MAX_SHIFT, MAX_TRUNK_BITS
from .builder import Builder
from .file.graph import Graph, Node
from .readers import is_read_by_layer
from .values.draft import Codes, Draft, Rounding, trunk_bits
from .values.pair_sum import are_few, pair_sum
from .values.quantizers import Constant, Grid, Quantizer, bits_of, read_quantizer
from .values.rounding import quantizer_steps
from .values.tensors import Sums
from .values.unit_layers import identity

Constants = dict[str, Constant]


def is_trunk(node: Node, graph: Graph, constants: dict[str, Constant]) -> bool:
    """Whether a quantizer of sums makes a trunk: of more bits than a code has, or of more than 8 where no
    layer reads what it makes."""
    bits = read_quantizer(node, constants).bits
    return bits > MAX_CODE_BITS or bits > MAX_BITS and not is_read_by_layer(graph, node.outputs[0])


def trunk(node: Node, tensor: Sums, builder: Builder, constants: dict[str, Constant]) -> Sums | None:
    """Sums of the integers round_half_even((m * acc + b) / 2^f) that a wide quantizer makes.

    They are a trunk, in the declared width: only sums of trunks and quantizers can read them. None where it
    makes others, which codes can be.
    """
    quantizer = read_quantizer(node, constants)
    linear, affine = _linear(node, tensor, builder)
    found = _trunk_of(node, linear, affine, quantizer)
    if isinstance(found, Sums):
        return found
    if quantizer.bits > MAX_CODE_BITS or linear is not tensor:
        node.refuse(
            f"quantizes activations to {quantizer.bits} bits{found}",
            f"1..{MAX_CODE_BITS} bits, or a trunk: (m * acc + b) / 2^f with ties to even, nothing clamped",
        )
    return None


def _trunk_of(node: Node, tensor: Sums, affine: Affine, quantizer: Quantizer) -> Sums | str:
    """The trunk that a quantizer makes of a linear tensor, `affine` of its layer's integer; or what more is
    to be said where it makes none."""
    before, middle, after = quantizer_steps(node, tensor, quantizer)
    exact = affine.then(before)
    f = max(number.denominator for number in exact.slope + exact.offset).bit_length() - 1
    slope, offset = ([number * (1 << f) for number in part] for part in (exact.slope, exact.offset))
    if tensor.draft.rounding is not None or not is_even_rounding(middle) or f > MAX_SHIFT:
        return ""
    if any(number.denominator > 1 for number in slope + offset):
        return ""
    m, b = [int(number) for number in slope], [int(number) for number in offset]
    if max(map(abs, m)) >> M_BITS or max(map(abs, b)) >> (B_BITS - 1):
        return ""
    draft = replace(tensor.draft, rounding=Rounding(m, b, f, quantizer.bits))
    reached = draft.value_ranges()
    low, high = min(a for a, _ in reached), max(b for _, b in reached)
    if low < middle.low or high > middle.high or quantizer.bits > MAX_TRUNK_BITS:
        return f", which do not hold {low}..{high}"
    return Sums(draft, (after,), tensor.shape, tensor.dims)


def residual_add(node: Node, tensors: list[Codes | Sums], builder: Builder) -> Sums:
    """Sums of the two tensors, exactly: m1 * acc1 + m2 * acc2 in one unit."""
    (first, a), (second, b) = (_linear(node, tensor, builder) for tensor in tensors)
    if first.shape != second.shape or first.dims != second.dims:
        node.refuse(f"adds maps of {first.shape} and {second.shape}", "equal shapes and layouts")
    # The shorter chain of additions goes in front of the longer one, which stays as it is.
    if second.draft.additions >= max(1, first.draft.additions):
        first, a, second, b = second, b, first, a
    unit = [_unit(x, y) for x, y in zip(a.slope, b.slope, strict=True)]
    factors = [[int(s / u) for s, u in zip(step.slope, unit, strict=True)] for step in (a, b)]
    offset = [x + y for x, y in zip(a.offset, b.offset, strict=True)]
    steps: tuple[Step, ...] = (Affine(unit, offset),)
    stored = all(map(_is_stored, (first, second))) and are_few((first.draft, second.draft))
    if stored and max(max(map(abs, own)) for own in factors) >> M_BITS:
        # Which integers stand for the sum is known with the quantizer behind it.
        scales = list(zip(a.slope, b.slope, strict=True))
        steps = (pair_sum((first.draft, second.draft), scales, offset),)
        factors = [[1] * len(unit)] * 2
    drafts = [_scaled(node, tensor.draft, own) for tensor, own in zip((first, second), factors, strict=True)]
    if drafts[0].name == node.name:
        drafts[0] = replace(drafts[0], name=f"{node.name}.skip")
    draft = _joined(drafts[1], drafts[0])
    bits = trunk_bits(draft.value_ranges())
    if bits > MAX_TRUNK_BITS:
        node.refuse(f"its sum needs {bits} bits", f"at most {MAX_TRUNK_BITS} bits")
    return Sums(draft, steps, second.shape, second.dims)


def with_weights(
    node: Node, constants: dict[str, Constant], builder: Builder, make: Callable[[Node, Constants], Sums]
) -> Sums:
    """What `make` computes of a node with its weights.

    Where these lie around a zero point so that they take a bit more than a layer has, they are integers of 8
    bits, and a number: another layer sums all that a window holds, times this number.
    """
    grid = constants[node.inputs[1]].grid if node.inputs[1] in constants else None
    if grid is None or not grid.values.size:
        return make(node, constants)
    low, high = int(grid.values.min()), int(grid.values.max())
    bipolar = (grid.values & 1).all() and max(-low, high) < 1 << MAX_BITS
    if bits_of(low, high) <= MAX_BITS or bipolar or high - low >= 1 << MAX_BITS:
        return make(node, constants)
    middle = high - (1 << (MAX_BITS - 1)) + 1
    array, ones = constants[node.inputs[1]].array, np.ones_like(grid.values)
    sums = [
        make(own, {**constants, node.inputs[1]: Constant(array, part)})
        for own, part in (
            (node, Grid(grid.values - middle, grid.scale, MAX_BITS)),
            # The bias comes once.
            (replace(node, inputs=node.inputs[:2]), Grid(ones, grid.scale * middle, 1)),
        )
    ]
    return residual_add(node, [*sums], builder)


def _is_stored(sums: Sums) -> bool:
    """Whether the integers of a linear tensor are codes as they are stored."""
    draft = sums.draft
    return draft.rounding is None and draft.values.size == draft.groups and bool((draft.values == 1).all())


def _linear(node: Node, tensor: Codes | Sums, builder: Builder) -> tuple[Sums, Affine]:
    """`tensor` as Sums that are linear in the integer of their layer, and the step that they are."""
    if isinstance(tensor, Sums) and (affine := tensor.linear) is not None:
        return tensor, affine
    codes = builder.codes(node, tensor)
    return identity(node.name, codes, node.position), codes.affine


def _scaled(node: Node, draft: Draft, factors: list[int]) -> Draft:
    """`draft` with its integer, a trunk, times `factors` (one per channel), and what it adds too."""
    if draft.rounding is not None and set(factors) == {1}:
        # The same object: its layer is not made a second time.
        return draft
    chain = [draft, *draft.added()]
    roundings = [_scaled_rounding(node, draft, factors) for draft in chain]
    return _chained([replace(draft, rounding=own) for draft, own in zip(chain, roundings, strict=True)], None)


def _scaled_rounding(node: Node, draft: Draft, factors: list[int]) -> Rounding:
    """The Rounding of `draft` times `factors`, refused where the trunk's multipliers cannot hold it."""
    rounding = draft.rounding
    if rounding is None:
        rounding = Rounding([1] * len(factors), [0] * len(factors))
    if rounding.f:
        node.refuse(
            f"the scales of its two inputs differ, and one is the trunk of {draft.name}",
            "one scale for all trunks that are added",
        )
    m, b = ([a * c for a, c in zip(part, factors, strict=True)] for part in (rounding.m, rounding.b))
    largest, offset = max(map(abs, m)), max(map(abs, b))
    if not largest >> M_BITS and offset >> (B_BITS - 1):
        node.refuse(f"the offset of {draft.name} is {offset} steps", f"below 2^{B_BITS - 1}")
    if largest >> M_BITS:
        node.refuse(
            f"the scales of its two inputs have no small ratio ({largest} to 1 in steps)",
            "one quantizer for both, or scales that are powers of two",
        )
    return rounding._replace(m=m, b=b)


def _joined(draft: Draft, other: Draft) -> Draft:
    """`draft` with the trunk of `other` added, behind all that it adds already."""
    return _chained([draft, *draft.added()], other)


def _chained(drafts: list[Draft], last: Draft | None) -> Draft:
    """The first of `drafts`, each of which adds the next one, and the last one `last`."""
    for draft in reversed(drafts):
        last = replace(draft, add=last)
    assert last is not None
    return last


def _unit(x: Fraction, y: Fraction) -> Fraction:
    """Greatest positive Fraction that both are multiples of."""
    common = x.denominator * y.denominator
    return Fraction(gcd(int(x * common), int(y * common)) or 1, common)
