"""Integer element types of tensors that depend on the image: Cast, and what a type holds."""

from fractions import Fraction

import numpy as np

from ..lowering.staircase import apply
from ..lowering.steps import Affine, Clamp, Integers, Leaky, Number, Round, Step
from .declared.meaning import INTEGERS
from .draft import Codes
from .file.graph import Node
from .quantizers import Constant
from .tensors import Sums

# Results of rounding without a declared width.
WIDE = 1 << 40


def cast(node: Node, tensor: Codes | Sums, constants: dict[str, Constant]) -> tuple[Step, ...]:
    """Steps of Cast: to integers towards zero, to bool whether it is not 0; none where no value changes."""
    if node.result == "bool":
        if min(low for low, _ in value_ranges(tensor)) < 0:
            node.refuse("tests for zero what may be negative, which is not monotone", "values of at least 0")
        return (Round("CEIL", 0, 1),)
    if node.result in INTEGERS and not are_integers(tensor):
        return (truncation(),)
    return ()


def truncation() -> Round:
    """The step towards zero of casts to integers and of integer division."""
    return Round("DOWN", -WIDE, WIDE)


def check_range(node: Node, tensor: Codes | Sums) -> None:
    """Refuses a result of a node with values that its integer element type does not hold."""
    if node.result not in INTEGERS:
        return
    least, greatest = (int(end) for end in (np.iinfo(node.result).min, np.iinfo(node.result).max))
    ranges = value_ranges(tensor)
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if low < least or high > greatest:
        node.refuse(
            f"its values {float(low):g}..{float(high):g} overflow {node.result}",
            f"a type that holds them ({least}..{greatest} here)",
        )


def value_ranges(tensor: Codes | Sums) -> list[tuple[Number, Number]]:
    """Per channel bounds of the real values; every step is monotone, so they are those of the ends."""
    if isinstance(tensor, Codes):
        ranges = [(tensor.low, tensor.high)] * tensor.shape[2]
        steps: tuple[Step, ...] = (tensor.affine,)
    else:
        ranges, steps = tensor.draft.value_ranges(), tensor.steps
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
