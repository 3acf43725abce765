"""Which places along which axes Slice, Gather and Split take."""

from collections.abc import Callable, Sequence

import numpy as np

from ..file.graph import Node
from .layout import given_axes, within
from .quantizers import Constant, parameter

PARTS = ("Slice", "Gather", "Split")
Constants = dict[str, Constant]
# Places along each axis that is not taken whole, and the axes that are dropped.
Choice = tuple[dict[int, list[int]], tuple[int, ...]]


def choices(node: Node, shape: Sequence[int], constants: Constants) -> list[Choice]:
    """The Choice of each output of a node of PARTS on a tensor of `shape`."""
    return _CHOICES[node.op](node, shape, constants)


def _slice(node: Node, shape: Sequence[int], constants: Constants) -> list[Choice]:
    if node.has(1) or node.integers("starts") is None:
        starts, ends = (
            _integers(node, constants, place, what) for place, what in ((1, "starts"), (2, "ends"))
        )
    else:
        starts, ends = (tuple(node.integers(name) or ()) for name in ("starts", "ends"))
    axes = within(node, given_axes(node, constants, 3) or tuple(range(len(starts))), len(shape))
    steps = _integers(node, constants, 4, "steps") if node.has(4) else (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        node.refuse(f"slices {axes} from {starts} to {ends} by {steps}", "as many of each, no step 0")
    chosen = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        places = list(range(shape[axis]))[slice(*_clamped(start, end, step, shape[axis]))]
        if not places:
            node.refuse(f"takes nothing of axis {axis}, {shape[axis]} long", "at least one place")
        chosen[axis] = places
    return [(chosen, ())]


def _clamped(start: int, end: int, step: int, size: int) -> tuple[int, int | None, int]:
    """Bounds of a slice of Python from those of ONNX, which are far away for all."""
    if step < 0 and end < -size:
        return start, None, step
    return start, end, step


def _gather(node: Node, shape: Sequence[int], constants: Constants) -> list[Choice]:
    array = parameter(node, constants, 1, "indices")
    (axis,) = within(node, (node.integer("axis"),), len(shape))
    if array.ndim > 1:
        node.refuse(f"indices have shape {array.shape}", "one index, or a list")
    places = [int(index) for index in array.ravel()]
    if min(places) < -shape[axis] or max(places) >= shape[axis]:
        node.refuse(f"indices are {min(places)}..{max(places)}", f"{-shape[axis]}..{shape[axis] - 1}")
    return [({axis: [index % shape[axis] for index in places]}, () if array.ndim else (axis,))]


def _split(node: Node, shape: Sequence[int], constants: Constants) -> list[Choice]:
    (axis,) = within(node, (node.integer("axis"),), len(shape))
    given = node.integers("split")
    if given is None and node.has(1):
        given = _integers(node, constants, 1, "split")
    count, size = len(node.outputs), shape[axis]
    if node.attributes.get("num_outputs", count) != count:
        node.refuse(f"num_outputs is {node.integer('num_outputs')} with {count} outputs", f"{count}")
    if given is None:
        most = -(-size // count)
        given = tuple(min(most, size - first) for first in range(0, size, most))
    if len(given) != count or sum(given) != size or min(given) < 1:
        node.refuse(f"splits {size} into {given} for {count} outputs", f"{count} parts of at least 1")
    ends = np.cumsum(given).tolist()
    return [({axis: list(range(end - length, end))}, ()) for length, end in zip(given, ends, strict=True)]


def _integers(node: Node, constants: Constants, place: int, what: str) -> tuple[int, ...]:
    return tuple(int(value) for value in parameter(node, constants, place, what).ravel())


_CHOICES: dict[str, Callable[[Node, Sequence[int], Constants], list[Choice]]] = {
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
}
