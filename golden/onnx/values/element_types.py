"""Integer element types of tensors that depend on the image: Cast, and what a type holds."""

import math
from fractions import Fraction

from ...errors import InputError
from ...lowering.staircase import apply
from ...lowering.steps import Affine, Clamp, Integers, Leaky, Number, Round, Step
from ..declared.meaning import FLOATS, INTEGERS
from ..file.graph import Node
from .draft import Codes
from .pair_sum import starting_ends
from .quantizers import Constant, type_range
from .tensors import Sums

# Results of rounding without a declared width: all integer types and more.
WIDE = 1 << 64


def cast(node: Node, tensor: Codes | Sums, constants: dict[str, Constant]) -> tuple[Step, ...]:
    """Steps of Cast: to integers towards zero, to bool whether it is not 0; none where no value changes."""
    if node.result == "bool":
        if min(low for low, _ in value_ranges(tensor)) < 0:
            node.refuse("tests for zero what may be negative, which is not monotone", "values of at least 0")
        return (Round("CEIL", 0, 1),)
    if node.result in INTEGERS and not are_integers(tensor):
        return (unbounded(node, tensor, "DOWN"),)
    return ()


def unbounded(node: Node, tensor: Codes | Sums, mode: str, *before: Affine) -> Round:
    """The step that rounds the values of `tensor`, behind the steps `before`, to integers of any width.

    mode: a key of ROUNDING. Refuses values that the step would cut off.
    """
    ranges = enumerate(value_ranges(tensor))
    reached = max(abs(Fraction(apply(before, channel, end))) for channel, ends in ranges for end in ends)
    if reached >= WIDE:
        bits = math.floor(reached).bit_length()
        node.refuse(f"rounds values of up to 2^{bits}", f"less than 2^{WIDE.bit_length() - 1}")
    return Round(mode, -WIDE, WIDE)


def check_range(node: Node, tensor: Codes | Sums) -> None:
    """Refuses a result of a node with values that its integer element type does not hold."""
    if node.result not in INTEGERS:
        return
    least, greatest = _ends(node.result)
    ranges = value_ranges(tensor)
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if low < least or high > greatest:
        node.refuse(
            f"its values {float(low):g}..{float(high):g} overflow {node.result}",
            f"a type that holds them ({least}..{greatest} here)",
        )


def check_image_type(where: str, codes: Codes, element_type: str) -> None:
    """Refuses codes of an image, of the type that `where` names, that the element type does not hold."""
    if element_type in FLOATS:
        return
    if set(codes.scale) != {1}:
        raise InputError(f"{where} has fractions and the file reads {element_type}; accepted: integers")
    least, greatest = _ends(element_type)
    if codes.low < least or codes.high > greatest:
        raise InputError(
            f"{where} is {codes.low}..{codes.high}, which {element_type} does not hold; "
            f"accepted: {least}..{greatest}"
        )


def _ends(element_type: str) -> tuple[int, int]:
    """Least and greatest number of a type of integers, or of bool."""
    if element_type == "bool":
        return 0, 1
    return type_range(element_type)


def value_ranges(tensor: Codes | Sums) -> list[tuple[Number, Number]]:
    """Per channel bounds of the real values; every step is monotone, so they are those of the ends."""
    if isinstance(tensor, Codes):
        ranges: list[tuple[Number, Number]] = [(tensor.low, tensor.high)] * tensor.shape[2]
        steps: tuple[Step, ...] = (tensor.affine,)
    else:
        ranges, steps = starting_ends(tensor)
        if tensor.pool is not None and tensor.pool.kind == "average":
            # Steps behind an average start from the sum over its window.
            area = tensor.pool.area
            ranges = [(area * low, area * high) for low, high in ranges]
    found = []
    for channel, ends in enumerate(ranges):
        low, high = sorted(apply(steps, channel, Fraction(end)) for end in ends)
        found.append((low, high))
    return found


def are_integers(tensor: Codes | Sums) -> bool:
    """Whether all real values are integers by the form of the steps."""
    if isinstance(tensor, Codes):
        return _whole(tensor.affine)
    whole = True
    for step in tensor.steps:
        whole = isinstance(step, Integers) or (whole and _whole(step))
    return whole


def _whole(step: Step) -> bool:
    """Whether a step makes integers of integers."""
    if isinstance(step, Affine):
        numbers = [*step.slope, *step.offset]
    elif isinstance(step, Leaky):
        numbers = step.alpha
    else:
        numbers = [end for end in (step.low, step.high) if end is not None] if isinstance(step, Clamp) else []
    return all(number.denominator == 1 for number in numbers)
