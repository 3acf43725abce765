"""Shapes and orders of axes after Reshape, Flatten, Transpose, Squeeze and Unsqueeze."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..file.graph import Node
from .quantizers import Constant, parameter

LAYOUT = ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze")
Sizes = Sequence[int]
Constants = dict[str, Constant]


def layout_function(node: Node, shape: Sizes, constants: Constants) -> Callable[[np.ndarray], np.ndarray]:
    """A function that applies an operator of LAYOUT to an array."""
    if node.op == "Transpose":
        perm = node.integers("perm") or tuple(reversed(range(len(shape))))
        return lambda array: np.transpose(array, perm)
    if node.op not in LAYOUT:
        node.refuse(
            "is not supported on constants", "Quant nodes with integers on weights, other constants folded"
        )
    target = target_shape(node, shape, constants)
    return lambda array: array.reshape(target)


def target_shape(node: Node, shape: Sizes, constants: Constants) -> tuple[int, ...]:
    """The shape after an operator of LAYOUT but Transpose of a tensor of `shape`."""
    return _TARGETS[node.op](node, shape, constants)


def _flattened(node: Node, shape: Sizes, constants: Constants) -> tuple[int, ...]:
    axis = node.integer("axis")
    if not -len(shape) <= axis <= len(shape):
        node.refuse(f"axis is {axis}", f"-{len(shape)}..{len(shape)}")
    axis += len(shape) if axis < 0 else 0
    return math.prod(shape[:axis]), math.prod(shape[axis:])


def _reshaped(node: Node, shape: Sizes, constants: Constants) -> tuple[int, ...]:
    target = [int(size) for size in parameter(node, constants, 1, "shape").ravel()]
    if not node.attributes.get("allowzero"):
        target = [shape[i] if size == 0 and i < len(shape) else size for i, size in enumerate(target)]
    if target.count(-1) == 1:
        rest = math.prod(size for size in target if size != -1)
        if rest > 0 and math.prod(shape) % rest == 0:
            target[target.index(-1)] = math.prod(shape) // rest
    if min(target, default=1) < 1 or math.prod(target) != math.prod(shape):
        node.refuse(
            f"shape {tuple(target)} for a tensor of shape {tuple(shape)}", "a shape of as many elements"
        )
    return tuple(target)


def _squeezed(node: Node, shape: Sizes, constants: Constants) -> tuple[int, ...]:
    drop = _axes(node, len(shape), constants) or {axis for axis, size in enumerate(shape) if size == 1}
    if any(shape[axis] != 1 for axis in drop):
        node.refuse(f"squeezes axes {sorted(drop)} of shape {tuple(shape)}", "axes of size 1")
    return tuple(size for axis, size in enumerate(shape) if axis not in drop)


def _unsqueezed(node: Node, shape: Sizes, constants: Constants) -> tuple[int, ...]:
    given = given_axes(node, constants) or ()
    places = _axes(node, len(shape) + len(given), constants)
    if not places:
        node.refuse("has no axes", "axes as an attribute or a constant")
    rest = iter(shape)
    return tuple(1 if place in places else next(rest) for place in range(len(shape) + len(given)))


def _axes(node: Node, rank: int, constants: Constants) -> set[int]:
    """The axes that a node names, of a tensor of `rank` axes."""
    return set(within(node, given_axes(node, constants) or (), rank))


def given_axes(node: Node, constants: Constants, place: int = 1) -> tuple[int, ...] | None:
    """The axes of a node, an attribute or its input at `place`; None without."""
    axes = node.integers("axes")
    if axes is None and node.has(place):
        axes = tuple(int(axis) for axis in parameter(node, constants, place, "axes").ravel())
    return axes


def within(node: Node, axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """The axes of a tensor of `rank` axes, counted from the front; refused unless each is there once."""
    counted = tuple(axis + rank if axis < 0 else axis for axis in axes)
    if len(set(counted)) != len(axes) or not set(counted) <= set(range(rank)):
        node.refuse(f"axes are {axes}", f"different ones below {rank}")
    return counted


_TARGETS: dict[str, Callable[[Node, Sizes, Constants], tuple[int, ...]]] = {
    "Reshape": _reshaped,
    "Flatten": _flattened,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
}
