"""Drawn moves of axes: flattening in every form, and moves that come back."""

import numpy as np

from .constants import constant, integers, with_axes
from .drawing import element


def flatten(d, tensor):
    """The tensor as (batch, features)."""
    if len(d.shape(tensor)) == 2 and d.maybe(0.7):
        return tensor
    return d.pick({_flatten: 3, _reshape: 4, _squeeze: 1, _by_shape: 4})(d, tensor)


def _flatten(d, tensor):
    axis = d.pick([None, 1, 1 - len(d.shape(tensor)) if d.opset >= 11 else 1])
    if d.odd():
        axis = d.between(0, len(d.shape(tensor)))
    return d.op("Flatten", [tensor], axis=axis)


def _reshape(d, tensor):
    images, features = d.batch, int(np.prod(d.shape(tensor)[1:]))
    target = d.pick([[images, features], [images, -1], [0, -1], [-1, features], [0, features]])
    allow = d.pick([None, 0, 1]) if d.opset >= 14 and d.maybe(0.3) else None
    return d.op("Reshape", [tensor, integers(d, target)], allowzero=allow)


def _squeeze(d, tensor):
    """Squeeze of axes of size 1; Reshape where others are left."""
    single = [axis for axis, size in enumerate(d.shape(tensor)) if size == 1 and axis]
    if len(single) < len(d.shape(tensor)) - 2:
        return _reshape(d, tensor)
    axes = [
        axis if d.maybe(0.5) else axis - len(d.shape(tensor))
        for axis in single[-(len(d.shape(tensor)) - 2) :]
    ]
    if d.maybe(0.2) or not axes:
        return d.op("Squeeze", [tensor])
    return with_axes(d, "Squeeze", tensor, axes)


def _by_shape(d, tensor):
    """As exporters write it: the batch, or all sizes, by Shape."""
    if d.opset >= 15 and d.maybe(0.4):
        bounds = d.pick([(0, 1), (None, 1), (0, 1 - len(d.shape(tensor))), (-len(d.shape(tensor)), 1)])
        size = d.op("Shape", [tensor], start=bounds[0], end=bounds[1])
    else:
        size = d.op("Shape", [tensor])
        if d.maybe(0.5):
            size = d.op("Gather", [size, constant(d, 0, np.int64)], axis=d.pick([0, None]))
            size = with_axes(d, "Unsqueeze", size, [0])
        else:
            size = d.op("Gather", [size, integers(d, [0])], axis=0)
    size = d.attempt(_computed_size, size) or size
    rest = integers(d, [-1])
    if d.maybe(0.2):
        sizes = d.op("Shape", [tensor])
        rest = d.op("Gather", [sizes, integers(d, [1])], axis=0)
        for axis in range(2, len(d.shape(tensor))):
            rest = d.op("Mul", [rest, d.op("Gather", [sizes, integers(d, [axis])])])
    target = d.op("Concat", [size, rest], axis=d.pick([0, -1]))
    return d.op("Reshape", [tensor, target])


def _computed_size(d, size):
    """The same size after arithmetic that comes back."""
    form = d.pick({"none": 4, "cast": 1, "div": 1, "half": 1, "double": 1})
    if form == "cast":
        through = d.op("Cast", [size], to=element(d.pick(["FLOAT", "INT32"])))
        return d.op("Cast", [through], to=element("INT64"))
    if form == "div":
        more = d.op("Add", [d.op("Mul", [size, constant(d, 2, np.int64)]), constant(d, 1, np.int64)])
        return d.op("Div", [more, constant(d, 2, np.int64)])
    if form == "double":
        more = d.op("Add", [d.op("Mul", [size, constant(d, 2, np.int64)]), constant(d, 1, np.int64)])
        twice = d.op("Mul", [d.op("Div", [more, constant(d, 2, np.int64)]), constant(d, 2, np.int64)])
        return d.op("Sub", [twice, size])
    if form == "half":
        real = d.op("Add", [d.op("Cast", [size], to=element("FLOAT")), constant(d, 0.5)])
        return d.op("Cast", [real], to=element("INT64"))
    return size


def there_and_back(d, tensor):
    """Two moves, the second of which undoes the first; a part of the moves alone keeps the map too."""
    rank = len(d.shape(tensor))
    form = d.pick(
        ["transpose", "unsqueeze", "reshape", "flip"] if d.odd() else ["transpose", "unsqueeze", "reshape"]
    )
    if form == "transpose" and rank > 2:
        moved = d.op("Transpose", [tensor], perm=[0, *range(2, rank), 1])
        return d.op("Transpose", [moved], perm=[0, rank - 1, *range(1, rank - 1)])
    if form == "unsqueeze":
        axis = d.between(1, rank)
        moved = with_axes(d, "Unsqueeze", tensor, [axis if d.maybe(0.5) else axis - rank - 1])
        return with_axes(d, "Squeeze", moved, [axis if d.maybe(0.5) else axis - rank - 1])
    if form == "flip" and rank == 4:
        return d.op("Transpose", [tensor], perm=d.pick([[0, 1, 3, 2], [0, 2, 1, 3], [0, 3, 2, 1], None]))
    moved = d.op("Reshape", [tensor, integers(d, [d.batch, -1])])
    return d.op("Reshape", [moved, integers(d, [d.batch, *d.shape(tensor)[1:]])])
