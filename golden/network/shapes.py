"""Map sizes of a layer: how many window positions a kernel has, and what does not fit."""

from typing import NamedTuple

import numpy as np

from ..errors import InputError
from ..reading import shown
from .geometry import Geometry
from .quantized_layer import QuantizedLayer

Shape = tuple[int, int, int]

# Elements of a map, padding included.
MAX_ELEMENTS = 1 << 27


class LayerShapes(NamedTuple):
    """(H, W, C) before a layer, after its convolution and after its pooling."""

    in_shape: Shape
    conv_shape: Shape
    out_shape: Shape


def layer_shapes(layer: QuantizedLayer, shape: Shape) -> LayerShapes:
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
    conv = (*_window_count(shape, layer, f"{where} kernel"), layer.out_channels)
    check_elements(conv, f"{where} makes a map of")
    if layer.pool is None:
        return LayerShapes(shape, conv, conv)
    pooled = _window_count(conv, layer.pool, f"{where} pool kernel")
    return LayerShapes(shape, conv, (*pooled, layer.out_channels))


def macs(layer: QuantizedLayer, conv_shape: Shape, out_shape: Shape, trunk: bool) -> int:
    """Multiply-accumulates per image, padded window positions included.

    trunk: whether the layer's trunk is kept. Convolution pixels that no pooling window and no trunk
    keeps do not count.
    """
    pixels, pool = conv_shape[0] * conv_shape[1], layer.pool
    if pool is not None and not trunk:
        pixels = 1
        for axis in (0, 1):
            read = np.unique(pool.pixels(axis, out_shape[axis]))
            pixels *= int(((read >= 0) & (read < conv_shape[axis])).sum())
    return pixels * layer.codes.size


def _window_count(shape: Shape, geometry: Geometry, where: str) -> tuple[int, int]:
    """Window positions (rows, columns) on a map of `shape`; InputError if a window does not fit."""
    for axis, axis_name in enumerate(("rows", "columns")):
        reach, padded = geometry.reach[axis], geometry.padded(shape)[axis]
        if reach > padded:
            before, after = geometry.padding[axis], geometry.padding[axis + 2]
            raise InputError(
                f"{where} covers {reach} {axis_name} (= {geometry.dilation[axis]} x "
                f"({geometry.kernel[axis]} - 1) + 1); "
                f"accepted: at most {padded} (= {before} + {shape[axis]} + {after}, padded input)"
            )
    check_elements((*geometry.padded(shape), shape[2]), f"{where} reads a padded map of")
    return geometry.output_size(shape)


def check_elements(shape: Shape, where: str) -> None:
    """Refuses a map (H, W, C) of more than MAX_ELEMENTS; `where` stands before its shape."""
    if shape[0] * shape[1] * shape[2] > MAX_ELEMENTS:
        raise InputError(f"{where} {shown(shape)}; accepted: at most {MAX_ELEMENTS} elements")
