"""Convolution and pooling by their definition, on arrays of exact numbers."""

import itertools
import math
from fractions import Fraction

import numpy as np


def _auto_pads(mode, size, reach, stride):
    """(before, after) of one axis for an auto_pad that pads."""
    total = max(0, (-(-size // stride) - 1) * stride + reach - size)
    return (total // 2, total - total // 2) if mode == "SAME_UPPER" else (total - total // 2, total // 2)


def placed(sizes, kernel, attributes):
    """Per axis (starts of the windows, dilation, pad before, pad after), from the attributes of a node."""
    rank = len(sizes)
    strides = attributes.get("strides", [1] * rank)
    dilations = attributes.get("dilations", [1] * rank)
    pads = attributes.get("pads", [0] * 2 * rank)
    mode = attributes.get("auto_pad", b"NOTSET").decode()
    axes = []
    for axis, (size, width, stride, dilation) in enumerate(
        zip(sizes, kernel, strides, dilations, strict=True)
    ):
        reach = (width - 1) * dilation + 1
        before, after = pads[axis], pads[axis + rank]
        if mode.startswith("SAME"):
            before, after = _auto_pads(mode, size, reach, stride)
        elif mode == "VALID":
            before = after = 0
        space = size + before + after - reach
        count = space // stride + 1
        if attributes.get("ceil_mode", 0) and not mode.startswith("SAME"):
            count = -(-space // stride) + 1
            # A window that would begin behind the map and its padding in front does not exist.
            count -= (count - 1) * stride >= size + before
        axes.append(([k * stride - before for k in range(count)], dilation, before, after))
    return axes


def _windows(array, kernel, axes):
    """(place of the window, list of (place in the kernel, place in the map)), both per spatial axis."""
    sizes = array.shape[2:]
    for place in itertools.product(*(range(len(starts)) for starts, *_ in axes)):
        inside = []
        for within in itertools.product(*map(range, kernel)):
            at = tuple(
                starts[p] + w * dilation
                for (starts, dilation, *_), p, w in zip(axes, place, within, strict=True)
            )
            if all(0 <= a < size for a, size in zip(at, sizes, strict=True)):
                inside.append((within, at))
        yield place, inside


def convolve(array, weights, attributes):
    """Conv without its bias."""
    kernel, groups = weights.shape[2:], attributes.get("group", 1)
    axes = placed(array.shape[2:], kernel, attributes)
    outputs, inner = weights.shape[:2]
    result = np.zeros((len(array), outputs, *(len(starts) for starts, *_ in axes)), object)
    for place, inside in _windows(array, kernel, axes):
        for output in range(outputs):
            first = output // (outputs // groups) * inner
            read = slice(first, first + inner)
            for within, at in inside:
                products = array[(slice(None), read, *at)] * weights[(output, slice(None), *within)]
                result[(slice(None), output, *place)] += products.sum(axis=1)
    return result


def convolve_transposed(array, weights, attributes, shape):
    """ConvTranspose without its bias: every pixel spread over what it makes, of `shape`."""
    rank, groups = array.ndim - 2, attributes.get("group", 1)
    strides = attributes.get("strides", [1] * rank)
    dilations, more = (
        attributes.get(name, [own] * rank) for name, own in (("dilations", 1), ("output_padding", 0))
    )
    inner, outputs = len(weights) // groups, weights.shape[1]
    pads = attributes.get("pads")
    if pads is None:
        # What `shape` leaves out, of which the odd pixel is one in front unless the node says so.
        whole = [
            stride * (size - 1) + extra + dilation * (taps - 1) + 1
            for stride, size, extra, dilation, taps in zip(
                strides, array.shape[2:], more, dilations, weights.shape[2:], strict=True
            )
        ]
        upper = attributes.get("auto_pad") == b"SAME_UPPER"
        pads = [(most - size + (not upper)) // 2 for most, size in zip(whole, shape[2:], strict=True)]
    result = np.zeros(shape, object)
    for place in np.ndindex(*array.shape[2:]):
        for tap in np.ndindex(*weights.shape[2:]):
            at = tuple(
                p * stride + t * dilation - pad
                for p, t, stride, dilation, pad in zip(place, tap, strides, dilations, pads, strict=False)
            )
            if not all(0 <= a < size for a, size in zip(at, shape[2:], strict=True)):
                continue
            for group in range(groups):
                read = slice(group * inner, (group + 1) * inner)
                own = slice(group * outputs, (group + 1) * outputs)
                products = array[(slice(None), read, *place)] @ weights[(read, slice(None), *tap)]
                result[(slice(None), own, *at)] += products
    return result


def max_pool(array, attributes):
    """MaxPool; padding never wins."""
    return _pooled(array, attributes, lambda values, *_: values.max(axis=-1))


def average_pool(array, attributes):
    """AveragePool; padding counts if the node says so, what is behind it never does."""

    def mean(values, place, axes):
        count = values.shape[-1]
        if attributes.get("count_include_pad", 0):
            count = math.prod(
                sum(starts[p] + w * dilation < size + after for w in range(width))
                for (starts, dilation, _, after), p, width, size in zip(
                    axes, place, attributes["kernel_shape"], array.shape[2:], strict=True
                )
            )
        return values.sum(axis=-1) * Fraction(1, count)

    return _pooled(array, attributes, mean)


def _pooled(array, attributes, reduce):
    kernel = attributes["kernel_shape"]
    axes = placed(array.shape[2:], kernel, attributes)
    result = np.zeros((*array.shape[:2], *(len(starts) for starts, *_ in axes)), object)
    for place, inside in _windows(array, kernel, axes):
        values = np.stack([array[(..., *at)] for _, at in inside], axis=-1)
        result[(..., *place)] = reduce(values, place, axes)
    return result
