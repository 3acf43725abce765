"""Drawn layers: convolutions and products of every form."""

import numpy as np

from .constants import constant, factor, number, weight
from .drawing import CHANNELS_LAST, GENERAL, Unrunnable


def linear(d, tensor):
    """A layer that fits the tensor's axes."""
    if len(d.shape(tensor)) < 2:
        raise Unrunnable("lost the batch")
    if len(d.shape(tensor)) == 2:
        return d.pick([gemm, matmul])(d, tensor)
    if d.maybe(0.12):
        return d.pick([pixels, lowered, last])(d, tensor)
    return convolution(d, tensor)


def _bias(d, shape):
    values = [number(d) for _ in range(int(np.prod(shape)))]
    return constant(d, np.array(values).reshape(shape))


def windows(d, spatial, dilated=0.15):
    """(kernel, attributes) of windows on a map with the sizes `spatial`."""
    rank = len(spatial)
    kernel = [int(min(d.between(1, 3), size)) for size in spatial]
    attributes = {}
    if d.maybe(0.45):
        attributes["pads"] = [d.between(0, min(1, size - 1)) for size in kernel * 2]
        if d.odd():
            attributes["pads"] = [d.between(0, 3) for _ in kernel * 2]
    elif d.maybe(0.3):
        attributes["auto_pad"] = d.pick(["VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET"])
    if d.maybe(0.4):
        attributes["strides"] = [d.between(1, 3 if d.maybe(0.1) else 2) for _ in range(rank)]
    if d.maybe(dilated):
        attributes["dilations"] = [d.between(1, 2) for _ in range(rank)]
    return kernel, attributes


def convolution(d, tensor):
    """Conv in one or two dimensions, grouped or not."""
    shape = d.shape(tensor)
    channels, spatial = shape[1], shape[2:]
    group = d.pick([1, 1, 1, *(size for size in range(1, channels + 1) if channels % size == 0)])
    outputs = group * d.between(1, max(1, 4 // group))
    kernel, attributes = windows(d, spatial)
    if group > 1 or d.maybe(0.1):
        attributes["group"] = group
    if d.maybe(0.6):
        attributes["kernel_shape"] = kernel
    inputs = [_padded(d, tensor), weight(d, (outputs, channels // group, *kernel))]
    if d.maybe(0.5):
        inputs.append(_bias(d, (outputs,)))
    return d.op("Conv", inputs, **attributes)


def _padded(d, tensor):
    """Behind a Pad node sometimes."""
    if d.maybe(0.93):
        return tensor
    rank = len(d.shape(tensor))
    pads = [0, 0, *(d.between(0, 2) for _ in range(rank - 2))]
    pads += [0, 0, *(d.between(0, 2) for _ in range(rank - 2))]
    mode = d.pick(["edge", "reflect"] if d.odd() else [None, "constant"])
    value = 1.0 if d.odd() else d.pick([None, 0.0])
    if d.opset < 11:
        return d.op("Pad", [tensor], pads=pads, mode=mode, value=value)
    inputs = [tensor, constant(d, pads, np.int64)]
    if value is not None:
        inputs.append(constant(d, value))
    if d.opset >= 18 and d.maybe(0.3):
        axes = list(range(rank)) if d.maybe(0.5) else list(range(-rank, 0))
        inputs = [*inputs[:2], inputs[2] if value is not None else "", constant(d, axes, np.int64)]
    return d.op("Pad", inputs, mode=mode)


def pixels(d, tensor):
    """MatMul on the channels of every pixel, channels last."""
    order = [0, *range(2, len(d.shape(tensor))), 1]
    moved = d.op("Transpose", [tensor], perm=order)
    channels, outputs = d.shape(moved)[-1], d.between(1, 4)
    made = d.op("MatMul", [moved, weight(d, (channels, outputs), 1)])
    return d.op("Transpose", [made], perm=[0, len(order) - 1, *range(1, len(order) - 1)])


def lowered(d, tensor):
    """A convolution as Im2Col and MatMul, channels last."""
    moved = d.op("Transpose", [tensor], perm=[0, 2, 3, 1])
    _, rows, columns, channels = d.shape(moved)
    kernel = [min(d.between(1, 3), rows), min(d.between(1, 3), columns)]
    patches = d.op(
        "Im2Col",
        [moved],
        domain=GENERAL,
        kernel_size=kernel,
        stride=[d.between(1, 2)] * 2,
        input_shape=str(d.shape(moved)),
        pad_amount=[d.between(0, 1) for _ in range(4)],
        pad_value=1 if d.odd() else 0,
        dilations=[1, 1],
        depthwise=0,
    )
    made = d.op("MatMul", [patches, weight(d, (channels * kernel[0] * kernel[1], d.between(1, 4)), 1)])
    return d.op("Transpose", [made], perm=[0, 3, 1, 2])


def last(d, tensor):
    """Conv of the domain whose maps are channels last."""
    moved = d.op("Transpose", [tensor], perm=[0, *range(2, len(d.shape(tensor))), 1])
    kernel, attributes = windows(d, d.shape(moved)[1:-1])
    weights = weight(d, (d.between(1, 4), *kernel, d.shape(moved)[-1]))
    made = d.op("Conv", [moved, weights], domain=CHANNELS_LAST, kernel_shape=kernel, **attributes)
    rank = len(d.shape(made))
    return d.op("Transpose", [made], perm=[0, rank - 1, *range(1, rank - 1)])


def gemm(d, tensor, outputs=None):
    """Gemm, with a bias of every shape that it may have."""
    images, features = d.shape(tensor)
    outputs = outputs or d.between(1, 5)
    attributes = {}
    if d.maybe(0.3):
        attributes["alpha"] = float(factor(d))
    if d.maybe(0.3):
        attributes["beta"] = float(factor(d))
    if d.maybe(0.6):
        attributes["transB"] = d.between(0, 1)
    if d.odd():
        attributes["transA"] = d.between(0, 1)
        features = images if attributes["transA"] else features
    shape = (outputs, features) if attributes.get("transB") else (features, outputs)
    inputs = [tensor, weight(d, shape, 0 if attributes.get("transB") else 1)]
    if d.opset < 11 or d.maybe(0.7):
        shapes = [(outputs,), (1, outputs), (1, 1), (1,), ()]
        if d.odd(2):
            shapes = [(images, 1), (images, outputs)]
        inputs.append(_bias(d, d.pick(shapes)))
    return d.op("Gemm", inputs, **attributes)


def matmul(d, tensor, outputs=None):
    """MatMul, sometimes with weights of three axes or in front."""
    features, outputs = d.shape(tensor)[1], outputs or d.between(1, 5)
    if d.odd(0.5):
        images = d.shape(tensor)[0]
        return d.op("MatMul", [weight(d, (images, images)), tensor])
    made = d.op("MatMul", [tensor, weight(d, (features, outputs), 1)])
    return d.op("Add", [made, _bias(d, (outputs,))]) if d.maybe(0.4) else made
