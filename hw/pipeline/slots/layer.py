"""What all structures of a layer have in common: its windows, its weights, its codes."""

from __future__ import annotations

import numpy as np
from amaranth import Cat, Module, Signal, Value

from dorefa.golden.lowering.integer_network import IntegerLayer
from dorefa.golden.network.geometry import Windows

from ..kernel.word import bits_for
from .raster import Raster, cropped


def layer_windows(layer: IntegerLayer, shape: tuple[int, int, int]) -> tuple[np.ndarray, Raster]:
    """Weights int64 (outputs, rows, columns, inputs of a group) and the windows on a map of `shape`
    (H, W, C), without rows and columns that never reach it.

    A layer of all its inputs has one window, as large as the map.
    """
    values = layer.values
    geometry = Windows(
        kernel=layer.kernel, stride=layer.stride, padding=layer.padding, dilation=layer.dilation
    )
    if layer.in_shape != shape:
        values = values.reshape(-1, *shape)
        geometry = Windows(kernel=shape[:2])
    geometry, (rows, columns) = cropped(geometry, shape[:2])
    kept = values[:, rows, columns].astype(np.int64)
    # A window that never reaches the map has the sum 0.
    return kept if kept.size else np.zeros_like(values[:, :1, :1], np.int64), Raster(shape[:2], geometry)


def signed_offsets(layer: IntegerLayer, values: np.ndarray) -> np.ndarray:
    """int64 (outputs,): what sums of `values` are greater by because signed codes come greater by half their
    range, outside of the map too."""
    if not layer.a_signed:
        return np.zeros(len(values), np.int64)
    return (1 << (layer.a_bits - 1)) * values.reshape(len(values), -1).sum(axis=1)


def stored_bits(layer: IntegerLayer) -> int:
    """Bits of what leaves a layer, per channel: of stored codes, or of the sums of a result."""
    return bits_for(min(layer.acc_min, -1), layer.acc_max) if layer.out_bits is None else layer.out_bits


def stored_codes(m: Module, layer: IntegerLayer, counts: Value) -> Value:
    """Stored codes of the counts of all channels."""
    size = len(counts) // layer.out_channels
    codes = []
    for channel in range(layer.out_channels):
        stored = Signal(stored_bits(layer), name="stored")
        count = counts[channel * size : (channel + 1) * size]
        m.d.comb += stored.eq(count * layer.code_step + layer.code_offset)
        codes.append(stored)
    return Cat(codes)
