"""Cycles of every layer, predicted without simulating.

The recurrences below follow the engine's own conditions for waiting, so that the prediction equals
the simulated count whenever the result port does not stall.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import program
from .array import array_latency
from .geometry import LayerGeometry
from .memory_map import quantizer_class

FETCH_TO_START = 2  # cycles around the descriptor's words
START_TO_READ = 3  # from start to the window reader's first step
READ_TO_READY = 5  # from a patch's last copy step to its first computing step
MEMORIES = 2  # patch buffer and weight memory
POOL = 2
COLUMN_ORDER = 3


@dataclass(frozen=True, kw_only=True)
class LayerCycles:
    """Prediction for one layer: `cycles`, the tiling's `bound`, and what binds it: ``array``,
    ``window reader`` or ``drain``."""

    name: str
    cycles: int
    bound: int
    bound_by: str


def predict(layers, config) -> list[LayerCycles]:
    """One :class:`LayerCycles` per integer layer of the network on an engine of `config`."""
    return [
        _layer_cycles(layer, config, first=index == 0, last=index == len(layers) - 1)
        for index, layer in enumerate(layers)
    ]


def _layer_cycles(layer, config, *, first, last):
    geometry = LayerGeometry.of(layer, config)
    steps, cleared = geometry.copy_steps
    start = program.words_per_layer(config) + FETCH_TO_START
    kernel = geometry.pool_kernel[0] * geometry.pool_kernel[1]
    patches_per_set = kernel * layer.groups
    last_cols = geometry.pixels - (geometry.sets - 1) * config.cols

    latency = MEMORIES + array_latency(config) + 1 + config.sum_row
    read_end = start + START_TO_READ - 1
    released = [-1, -1]
    issued = drained = -1
    drain_free = 0
    for patch in range(geometry.patches):
        columns = config.cols if patch // patches_per_set < geometry.sets - 1 else last_cols
        begin = max(read_end, released[0]) + 1
        read_end = begin + columns * (steps + (cleared if patch < 2 else 0)) - 1
        issued = max(read_end + READ_TO_READY - 1, issued)
        for tile in range(geometry.tiles):
            groups = geometry.last_groups if tile == geometry.tiles - 1 else geometry.full_groups
            issued = max(issued + geometry.tile_cycles, drain_free)
            if last:
                rows = geometry.last_rows if tile == geometry.tiles - 1 else config.rows
                issued = max(issued, drained + 1)
                drained = _raw_drained(issued + latency, rows, config.quant)
            drain_free = issued + config.cols * groups
        released = [released[1], issued]

    if last:
        end = _raw_end(issued + latency, geometry.last_rows, config.quant)
    else:
        stored = issued + latency + last_cols * geometry.last_groups - 1
        stored += quantizer_class(config).latency(config) + POOL
        if config.cols > 1:
            stored += COLUMN_ORDER + last_cols * geometry.pixel_groups - 1
        end = stored + 1 + _flushes(layer, geometry, config)
    cycles = end - (start + START_TO_READ + 1) + 1 if first else end
    return LayerCycles(
        name=layer.name, cycles=cycles, bound=geometry.bound, bound_by=_bound_by(geometry)
    )


def _raw_drained(first_group, rows, quant):
    """Cycle in which a raw tile's last group leaves the drain: each group is taken, then its
    offsets, then its results are sent."""
    groups = -(-rows // quant)
    return first_group + (groups - 1) * (quant + 2)


def _raw_end(first_group, rows, quant):
    """Cycle of the transfer of the last result."""
    groups = -(-rows // quant)
    return _raw_drained(first_group, rows, quant) + 1 + rows - (groups - 1) * quant


def _flushes(layer, geometry, config):
    """One cycle more when the last codes fill one word and begin another."""
    height, width, channels = layer.out_shape
    count = geometry.last_rows - (geometry.last_groups - 1) * config.quant
    fill = (height * width * channels - count) % config.fetch_bits
    return int(fill + count > config.fetch_bits)


def _bound_by(geometry):
    """What the layer's steady state waits for."""
    array = geometry.tile_cycles * geometry.tiles
    reader = geometry.cols * geometry.copy_steps[0]
    drain = geometry.cols * ((geometry.tiles - 1) * geometry.full_groups + geometry.last_groups)
    candidates = {"array": array, "window reader": reader, "drain": drain}
    return max(candidates, key=candidates.get)
