"""Map sizes of a layer: how many window positions a kernel has, and what does not fit."""

from typing import NamedTuple

import numpy as np

from ..errors import InputError


class LayerShapes(NamedTuple):
    """(H, W, C) before a layer, after its convolution and after its pooling."""

    in_shape: tuple[int, int, int]
    conv_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]


def layer_shapes(layer, shape):
    """LayerShapes of `layer` on an input of `shape` (H, W, C); InputError if it does not fit."""
    where = f"layer {layer.name}:"
    inner = layer.codes.shape[3]
    if layer.kind == "fc":
        size = shape[0] * shape[1] * shape[2]
        if inner != size:
            raise InputError(
                f"{where} codes has {inner} inputs; accepted: {size} (= {shape[0]} x {shape[1]} x {shape[2]})"
            )
        out = (1, 1, layer.out_channels)
        return LayerShapes((1, 1, size), out, out)
    if shape[2] % layer.groups:
        raise InputError(
            f"{where} groups is {layer.groups}; accepted: a divisor of the {shape[2]} input "
            f"channels ({shape[2]} = {shape[2] // layer.groups} x {layer.groups} + "
            f"{shape[2] % layer.groups})"
        )
    if inner != shape[2] // layer.groups:
        raise InputError(
            f"{where} codes has {inner} input channels per group; accepted: "
            f"{shape[2] // layer.groups} (= {shape[2]} channels / {layer.groups} groups)"
        )
    conv = (*_window_count(shape, layer.codes.shape[1:3], layer, f"{where} kernel"), layer.out_channels)
    if layer.pool is None:
        return LayerShapes(shape, conv, conv)
    pooled = _window_count(conv, layer.pool.kernel, layer.pool, f"{where} pool kernel")
    return LayerShapes(shape, conv, (*pooled, layer.out_channels))


def macs(layer, conv_shape, out_shape, trunk):
    """Multiply-accumulates per image, padded window positions included.

    layer: has codes and pool; trunk: whether its trunk is kept. Convolution pixels that no pooling
    window and no trunk keeps do not count.
    """
    pixels = conv_shape[0] * conv_shape[1]
    if layer.pool is not None and not trunk:
        pixels = 1
        for axis in (0, 1):
            starts = np.arange(out_shape[axis]) * layer.pool.stride[axis]
            starts -= layer.pool.padding[axis]
            read = np.unique(starts[:, None] + np.arange(layer.pool.kernel[axis]))
            pixels *= int(((read >= 0) & (read < conv_shape[axis])).sum())
    return pixels * layer.codes.size


def _window_count(shape, kernel, geometry, where):
    """Window positions (rows, columns) of a kernel on a map; partial windows do not count."""
    counts = []
    for axis, axis_name in enumerate(("rows", "columns")):
        dilation = getattr(geometry, "dilation", (1, 1))[axis]
        extent = dilation * (kernel[axis] - 1) + 1
        before, after = geometry.padding[axis], geometry.padding[axis + 2]
        padded = before + shape[axis] + after
        if extent > padded:
            raise InputError(
                f"{where} covers {extent} {axis_name} (= {dilation} x ({kernel[axis]} - 1) + 1); "
                f"accepted: at most {padded} (= {before} + {shape[axis]} + {after}, padded input)"
            )
        counts.append((padded - extent) // geometry.stride[axis] + 1)
    return tuple(counts)
