"""Words of the weight and parameter memories."""

from __future__ import annotations

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.affine_form import affine_form

from ..interface.parameters import affine_layout, rescale_layout
from .needs import raw_range, summed_pixels, xnor_constants
from .schedule import zero_count


def reordered_codes(geometry, channels):
    """Weight codes of some output channels in the order in which a patch holds the products: uint8
    (channels, K).

    Channel block of the source, kernel row, kernel column, channel; channels that only fill up a block
    have code 0.
    """
    codes, source = geometry.layer.codes[channels], geometry.source
    if source.blocks == 1:
        return codes.reshape(len(codes), -1)
    height, width, inner = codes.shape[1:]
    blocks = geometry.source_blocks
    padded = np.zeros((len(codes), height, width, blocks * source.channels), np.uint8)
    padded[..., :inner] = codes
    split = padded.reshape(len(codes), height, width, blocks, source.channels)
    return split.transpose(0, 3, 1, 2, 4).reshape(len(codes), -1)


def weight_words(part):
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
        codes = reordered_codes(geometry, own[own >= 0])
        padded[group, : len(codes), : codes.shape[1]] = codes
        if len(codes):
            padded[group, len(codes) : len(own), : codes.shape[1]] = codes[-1]
    planes = (padded[..., None] >> np.arange(w_bits, dtype=np.uint8)) & 1
    # group, tile, row, word, lane, plane -> row, group, tile, plane, word, lane
    planes = planes.reshape(geometry.groups, geometry.tiles, rows, words, lanes, w_bits).transpose(
        2, 0, 1, 5, 3, 4
    )
    packed = np.packbits(planes.reshape(-1, lanes), axis=1, bitorder="little")
    flat = [int.from_bytes(word.tobytes(), "little") for word in packed]
    count = geometry.weight_words
    return [flat[row * count : (row + 1) * count] for row in _engine_order(geometry)]


def _engine_order(geometry):
    """Rows of a tile, one engine after the other."""
    each = geometry.quant // geometry.engines
    return [
        row
        for engine in range(geometry.engines)
        for row in range(geometry.rows)
        if row % geometry.quant // each == engine
    ]


def param_rows(layer, geometry, config):
    """(per channel of a layer and stage of the quantizer its parameter words, those of a channel of
    zeros)."""
    constants = np.zeros(len(layer.codes), np.int64)
    if layer.rescale is None:
        constants = xnor_constants(layer, geometry, config) * summed_pixels(layer)
    if layer.thresholds is None:
        rows = [_raw_params(layer, c, int(value), config) for c, value in enumerate(constants)]
        return rows, _raw_params(layer, 0, 0, config)
    if config.quantizer == "affine":
        return _affine_params(layer, constants, config), [
            [_affine_word(layer, 0, config, b=zero_count(layer) or 0)]
        ]
    return _threshold_params(layer, geometry, constants, config)


def append_params(params, part, rows, fills, config):
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


def append_rescale(images, part, layer, config):
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


def _raw_params(layer, channel, constant, config):
    """Parameters of a channel without staircase: the constant that its accumulator lacks."""
    if config.quantizer == "affine":
        return [[_affine_word(layer, channel, config, b=constant)]]
    mask = (1 << config.acc_bits) - 1
    return [[constant & mask], *([0] * (1 << stage) for stage in range(1, config.out_bits))]


def _threshold_params(layer, geometry, constants, config):
    """(per channel and stage of the binary search its thresholds, those of a channel of zeros)."""
    least, greatest = raw_range(layer, geometry, config)
    never = greatest + 1
    used = layer.thresholds.shape[1]
    codes = 1 << config.out_bits
    mask = (1 << config.acc_bits) - 1

    def stages_of(thresholds, inverted):
        # thresholds of codes 1, 2, ...; index 0 is not a threshold
        level = [0, *(int(t) & mask for t in thresholds)]
        level += [never & mask] * (codes - 1 - used)
        stages = []
        for stage in range(config.out_bits):
            step = codes >> (stage + 1)
            stages.append([level[(2 * bits + 1) * step] for bits in range(1 << stage)])
        if inverted:
            stages[0][0] |= 1 << config.acc_bits
        return stages

    rows = []
    for channel, thresholds in enumerate(layer.thresholds):
        # One beyond what this channel's counts reach may lie beyond the width as well.
        stored = (thresholds - constants[channel]).clip(least, never)
        rows.append(stages_of(stored, layer.inverted[channel]))
    # Where there is a trunk, that of a filling channel is 0, and all others may be less.
    zero = zero_count(layer) or 0
    return rows, stages_of([min(least, 0)] * zero + [max(never, 1)] * (used - zero), False)


def _affine_params(layer, constants, config):
    """Per channel, one word of the affine quantizer."""
    form = affine_form(layer, config.mul_bits)
    rows = []
    for channel, constant in enumerate(constants):
        m, b, f, tie = (int(values[channel]) for values in (form.m, form.b, form.f, form.tie))
        b += m * int(constant)
        invert = int(layer.inverted[channel])
        rows.append([[_affine_word(layer, channel, config, m=m, b=b, f=f, tie=tie, invert=invert)]])
    return rows


def _affine_word(layer, channel, config, *, b, f=0, **fields):
    """A word of the affine quantizer; `m` is known to fit."""
    limit = 1 << (config.bias_bits - 1)
    if f >= 1 << config.shift_bits or not -limit <= b < limit:
        raise InputError(
            f"layer {layer.name} channel {channel}: affine offset b = {b} and shift f = {f} do "
            f"not fit bias_bits = {config.bias_bits} and shift_bits = {config.shift_bits}; "
            "accepted: wider ones, or quantizer thresholds"
        )
    return affine_layout(config).const({"b": b, "f": f, **fields}).as_value().value
