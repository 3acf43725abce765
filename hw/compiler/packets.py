"""Packets as streams carry them: of weights, and of results, how many and in which order."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dorefa.golden.lowering.integer_network import IntegerNetwork

from ..config.engine import EngineConfig
from ..interface.streams import beats_per_word, rows_per_beat
from .passes import Pass
from .schedule import Schedule


def weight_packet(words: Sequence[Sequence[int]], config: EngineConfig) -> bytes:
    """The packet of one pass, beat after beat of `port_bytes` bytes; words: per row of all engines, its
    words of `lanes` bits."""
    together, beat_bytes = rows_per_beat(config), config.port_bytes
    size = beats_per_word(config) * beat_bytes
    parts = []
    for address in range(len(words[0])):
        for row in range(0, len(words), together):
            joined = 0
            for number, own in enumerate(words[row : row + together]):
                joined |= own[address] << (number * config.lanes)
            parts.append(joined.to_bytes(size, "little"))
    return b"".join(parts)


def result_count(network: IntegerNetwork) -> int:
    """Results of one packet: of all maps that leave, one behind the other in the order of the layers."""
    return sum(math.prod(network.layers[index].out_shape) for index in network.result_layers)


def tile_channels(part: Pass) -> list[list[int]]:
    """Output channels of every tile of a pass, in order."""
    geometry, channels = part.geometry, list(part.output_channels())
    tiles = []
    for group in range(geometry.groups):
        first, end = group * geometry.channels, (group + 1) * geometry.channels
        tiles += [channels[at : min(at + geometry.rows, end)] for at in range(first, end, geometry.rows)]
    return tiles


def result_order(plan: Schedule, index: int) -> np.ndarray:
    """Places in the map (H, W, C) of layer `index` of what leaves for it, int64 (H * W * C,).

    Pass after pass leaves; of each all sets of columns; of a set tile after tile, and of a tile pixel after
    pixel, channel after channel.
    """
    return np.concatenate([_pass_order(part) for part in plan.of_layer(index)])


def _pass_order(part: Pass) -> np.ndarray:
    geometry = part.geometry
    channels, tiles = geometry.layer.out_shape[2], tile_channels(part)

    def of_set(columns: int) -> np.ndarray:
        pixels = channels * np.arange(columns)[:, None]
        return np.concatenate([(pixels + np.array(tile)[None, :]).ravel() for tile in tiles])

    cols = geometry.cols
    whole, rest = divmod(geometry.pixels, cols)
    parts = [(channels * cols * np.arange(whole)[:, None] + of_set(cols)[None, :]).ravel()]
    if rest:
        parts.append(channels * cols * whole + of_set(rest))
    return np.concatenate(parts)


def result_maps(network: IntegerNetwork, plan: Schedule, results: np.ndarray) -> dict[str, np.ndarray]:
    """Results of one packet, int64 (:func:`result_count`,), as maps int64 (H, W, C) by the names of their
    layers."""
    maps, at = {}, 0
    for index in network.result_layers:
        shape = network.layers[index].out_shape
        values = np.empty(math.prod(shape), np.int64)
        values[result_order(plan, index)] = results[at : at + len(values)]
        maps[network.layers[index].name] = values.reshape(shape)
        at += len(values)
    return maps


def of_image(values: np.ndarray, image: int, batch: int) -> np.ndarray:
    """Part of a map (H, W, C) that belongs to an image of a packet of `batch`, which lie side by side; (C,)
    of one pixel."""
    own = values if batch == 1 else values[:, image : image + 1]
    return own[0, 0] if own.shape[:2] == (1, 1) else own


def described(network: IntegerNetwork, plan: Schedule) -> list[dict[str, object]]:
    """What a host has to know of what leaves, ready for JSON: results of each layer, in the order in which
    they leave."""
    found = []
    for index in network.result_layers:
        layer = network.layers[index]
        assert layer.logit_scale is not None and layer.logit_bias is not None, "a layer yields results"
        found.append(
            {
                "layer": layer.name,
                "shape": layer.out_shape,
                "passes": [tile_channels(part) for part in plan.of_layer(index)],
                "scale": layer.logit_scale.tolist(),
                "bias": layer.logit_bias.tolist(),
            }
        )
    return found


def outputs(network: IntegerNetwork) -> list[dict[str, object]]:
    """How the network's results are made of those of the layers, ready for JSON: `parts` are side by side
    along the channels, each the sum of the layers' accumulators times their factors, or of their real
    values; `block`: rows and columns of the map that the channels of a pixel are; `order`: of a vector, the
    place of each number in the parts' maps (H, W, C), one behind another."""
    return [
        {
            "name": result.name,
            "parts": [
                [{"layer": network.layers[term.layer].name, "factors": term.factors} for term in part]
                for part in result.parts
            ],
            "block": result.block,
            "order": result.order,
        }
        for result in network.results
    ]
