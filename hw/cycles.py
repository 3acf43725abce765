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
    patches_per_set = geometry.pool_kernel[0] * geometry.pool_kernel[1] * layer.groups
    last_cols = geometry.pixels - (geometry.sets - 1) * config.cols
    to_drain = MEMORIES + array_latency(config) + 1 + config.sum_row
    to_store = quantizer_class(config).latency(config) + POOL

    read_end = start + START_TO_READ - 1
    released = [-1] * config.patch_slots
    issued = drained = order_end = results_free = -1
    drain_free = 0
    for patch in range(geometry.patches):
        columns = config.cols if patch // patches_per_set < geometry.sets - 1 else last_cols
        begin = max(read_end, released[0]) + 1
        read_end = begin + columns * (steps + (cleared if patch < config.patch_slots else 0)) - 1
        issued = max(read_end + READ_TO_READY - 1, issued)
        for tile in range(geometry.tiles):
            ends = tile == geometry.tiles - 1
            groups = geometry.last_groups if ends else geometry.full_groups
            issued = max(issued + geometry.tile_cycles, drain_free)
            if last:
                issued = max(issued, drained + 1)
                rows = geometry.last_rows if ends else config.rows
                drained, results_free = _send(issued + to_drain, rows, results_free, config)
            drain_free = issued + config.cols * groups
        released = [*released[1:], issued]
        if config.cols > 1 and (patch + 1) % patches_per_set == 0:
            stored = issued + to_drain + columns * geometry.last_groups - 1 + to_store
            order_end = max(stored + COLUMN_ORDER - 1, order_end) + columns * geometry.pixel_groups

    if last:
        end = results_free - 1
    elif config.cols > 1:
        end = order_end + 1 + _flushes(layer, geometry, config)
    else:
        end = issued + to_drain + geometry.last_groups - 1 + to_store
        end += 1 + _flushes(layer, geometry, config)
    cycles = end - (start + START_TO_READ) if first else end
    return LayerCycles(
        name=layer.name, cycles=cycles, bound=geometry.bound, bound_by=_bound_by(geometry)
    )


def _send(offered, rows, free, config):
    """Cycles in which a raw tile's last group leaves the drain, and in which the next could be
    taken; the first is `offered`, results are `free` to take it.

    A group is taken, then its offsets, then its results are sent one by one.
    """
    leaves = offered - 1
    for first_row in range(0, rows, config.quant):
        taken = max(offered, free)
        # The stage behind an activation-sum row holds one group, which has left the drain.
        left, leaves = leaves if config.sum_row else taken, taken
        free = taken + 2 + min(config.quant, rows - first_row)
        offered = taken + 1
    return left, free


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
