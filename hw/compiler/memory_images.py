"""Words of the weight and parameter memories."""

from __future__ import annotations

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerLayer

from ..config.engine import EngineConfig
from ..interface.parameters import rescale_layout
from ..interface.quantizers import Rows, quantizer_of
from .geometry import PassGeometry
from .needs import raw_range, summed_pixels, xnor_constants
from .passes import Pass, zero_count


def reordered_codes(geometry: PassGeometry, channels: np.ndarray) -> np.ndarray:
    """Weight codes of some output channels in the order in which a patch holds the products: uint8
    (channels, K).

    Channel block of the source, kernel row, kernel column, channel; channels that only fill up a block
    have code 0.
    """
    codes, source = geometry.layer.codes[channels], geometry.source
    if source.blocks == 1 and (geometry.layer.groups > 1 or source.channels == source.shape[2]):
        return codes.reshape(len(codes), -1)
    height, width, inner = codes.shape[1:]
    blocks = geometry.source_blocks
    padded = np.zeros((len(codes), height, width, blocks * source.channels), np.uint8)
    # Of several channel groups each reads whole blocks.
    padded[..., source.places() if inner == source.shape[2] else slice(inner)] = codes
    split = padded.reshape(len(codes), height, width, blocks, source.channels)
    return split.transpose(0, 3, 1, 2, 4).reshape(len(codes), -1)


def weight_words(part: Pass) -> list[list[int]]:
    """Per row of all engines, the words of a pass: channel group, tile, plane, word; unused lanes and
    rows are 0. Channels that only fill up a block have the weights of the last one that exists: zeros
    would be the least bipolar weights, whose sum need not fit the accumulator.

    Engine e has the channels ``[e * quant, ...)`` of every quantizer group, so its rows, which come
    one engine after the other, interleave with those of the others.
    """
    geometry = part.geometry
    w_bits, lanes, rows, words = geometry.layer.w_bits, geometry.lanes, geometry.rows, geometry.words
    channels = np.array(list(part.output_channels())).reshape(geometry.groups, -1)
    padded = np.zeros((geometry.groups, geometry.tiles * rows, words * lanes), np.uint8)
    for group, own in enumerate(channels):
        real = own[own >= 0]
        if len(real):
            codes = reordered_codes(geometry, np.where(own < 0, real[-1], own))
            padded[group, : len(own), : codes.shape[1]] = codes
    planes = (padded[..., None] >> np.arange(w_bits, dtype=np.uint8)) & 1
    # group, tile, row, word, lane, plane -> row, group, tile, plane, word, lane
    planes = planes.reshape(geometry.groups, geometry.tiles, rows, words, lanes, w_bits).transpose(
        2, 0, 1, 5, 3, 4
    )
    packed = np.packbits(planes.reshape(-1, lanes), axis=1, bitorder="little")
    flat = [int.from_bytes(word.tobytes(), "little") for word in packed]
    count = geometry.weight_words
    return [flat[row * count : (row + 1) * count] for row in engine_order(geometry)]


def engine_order(geometry: PassGeometry) -> list[int]:
    """Rows of a tile, one engine after the other."""
    each = geometry.quant // geometry.engines
    return [
        row
        for engine in range(geometry.engines)
        for row in range(geometry.rows)
        if row % geometry.quant // each == engine
    ]


def param_rows(
    layer: IntegerLayer, geometry: PassGeometry, config: EngineConfig
) -> tuple[Rows, list[list[int]]]:
    """(per channel of a layer and stage of the quantizer its parameter words, those of a channel of
    zeros)."""
    constants = np.zeros(len(layer.codes), np.int64)
    if layer.rescale is None:
        constants = xnor_constants(layer, geometry, config) * summed_pixels(layer)
    quantizer = quantizer_of(config)
    if layer.thresholds is None:
        rows = [quantizer.raw(layer, c, int(value), config) for c, value in enumerate(constants)]
        return rows, quantizer.raw(layer, 0, 0, config)
    return quantizer.rows(layer, constants, raw_range(layer, geometry, config), zero_count(layer), config)


def append_params(
    params: list[list[int]], part: Pass, rows: Rows, fills: list[list[int]], config: EngineConfig
) -> None:
    """Adds a pass's parameter words to the quantizer memories' images; `rows` and `fills` are
    :func:`param_rows` of its layer."""
    stages = len(params) // config.total_quant
    groups = list(part.quantizer_groups())
    for lane in range(config.total_quant):
        for stage in range(stages):
            image = params[lane * stages + stage]
            for channels in groups:
                if lane >= len(channels):
                    image += [0] * (1 << stage)
                elif channels[lane] < 0:
                    image += fills[stage]
                else:
                    image += rows[channels[lane]][stage]


def append_rescale(images: list[list[int]], part: Pass, layer: IntegerLayer, config: EngineConfig) -> None:
    """Adds a pass's words to the rescaling memories' images."""
    layout = rescale_layout(config)
    constants = xnor_constants(layer, part.geometry, config)
    groups = list(part.quantizer_groups())
    for lane, image in enumerate(images):
        for channels in groups:
            word = 0
            if layer.rescale is not None and lane < len(channels) and channels[lane] >= 0:
                channel = channels[lane]
                m, b = int(layer.rescale.m[channel]), int(layer.rescale.b[channel])
                b += m * int(constants[channel])
                limit = 1 << (config.trunk_bias_bits - 1)
                if not -limit <= b < limit:
                    raise InputError(
                        f"layer {layer.name} channel {channel}: offset {b} of the trunk does not fit "
                        f"trunk_bias_bits = {config.trunk_bias_bits}; accepted: wider ones"
                    )
                word = layout.const({"m": m, "b": b}).as_value().value
            image.append(word)
