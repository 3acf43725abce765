"""Drawn poolings: windows, whole maps, means over axes; with indices, partial windows and padding."""

from .constants import integers, with_axes
from .drawing import GENERAL, Unrunnable, element
from .layers import windows


def pool(d, tensor):
    """A pooling that fits the tensor's axes."""
    if len(d.shape(tensor)) < 3:
        return tensor
    made = d.pick({maximum: 5, average: 3, whole: 1.5, mean: 1.5, last: 0.3})(d, tensor)
    if len(d.shape(made)) < 2:
        raise Unrunnable("lost the batch")
    return made


def _window(d, tensor, rare):
    kernel, attributes = windows(d, d.shape(tensor)[2:], dilated=0)
    kernel = [max(size, min(2, limit)) for size, limit in zip(kernel, d.shape(tensor)[2:], strict=True)]
    if d.opset >= rare["ceil_mode"] and d.maybe(0.3):
        attributes["ceil_mode"] = d.between(0, 1)
    if d.opset >= rare["dilations"] and d.odd():
        attributes["dilations"] = [d.between(1, 2) for _ in kernel]
    return attributes | {"kernel_shape": kernel}


def maximum(d, tensor):
    """MaxPool; its indices are read sometimes."""
    attributes = _window(d, tensor, {"ceil_mode": 10, "dilations": 10})
    if d.opset >= 8 and d.maybe(0.1):
        attributes["storage_order"] = d.between(0, 1)
    if d.opset < 8 or d.maybe(0.85):
        return d.op("MaxPool", [tensor], **attributes)
    made, indices = d.op("MaxPool", [tensor], 2, **attributes)
    if not d.odd(2):
        return made
    return d.op("Cast", [indices], to=element("FLOAT"))


def average(d, tensor):
    """AveragePool."""
    attributes = _window(d, tensor, {"ceil_mode": 10, "dilations": 19})
    if not d.odd(2):
        # Padding is counted or not; without any there is nothing to count.
        attributes.pop("pads", None)
    if d.opset >= 7 and d.maybe(0.3):
        attributes["count_include_pad"] = d.between(0, 1)
    return d.op("AveragePool", [tensor], **attributes)


def whole(d, tensor):
    """A number per channel."""
    return d.op(d.pick(["GlobalAveragePool", "GlobalMaxPool"]), [tensor])


def mean(d, tensor):
    """ReduceMean, its axes an attribute or from version 18 of ONNX on an input."""
    rank = len(d.shape(tensor))
    axes = d.pick([list(range(2, rank)), list(range(2 - rank, 0)), [rank - 1], [2 - rank]])
    if d.odd():
        axes = d.pick([[1], [0], list(range(rank)), [1, 2]])
    attributes = {"keepdims": d.pick([None, 0, 1])}
    if d.opset >= 18 and d.maybe(0.2):
        attributes["noop_with_empty_axes"] = d.between(0, 1)
    if d.odd():
        return d.op("ReduceMean", [tensor], **attributes)
    if d.opset >= 18 and d.maybe(0.9):
        return d.op("ReduceMean", [tensor, integers(d, axes)], **attributes)
    return with_axes(d, "ReduceMean", tensor, axes, 18, **attributes)


def last(d, tensor):
    """MaxPoolNHWC of the qonnx package."""
    moved = d.op("Transpose", [tensor], perm=[0, 2, 3, 1])
    made = d.op(
        "MaxPoolNHWC", [moved], domain=GENERAL, kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4, ceil_mode=0
    )
    return d.op("Transpose", [made], perm=[0, 3, 1, 2])
