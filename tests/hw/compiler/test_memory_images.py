"""Weight and parameter memories: decoded again, they say what the network says."""

import numpy as np
import pytest

from dorefa.hw.compiler.needs import raw_range, summed_pixels, xnor_constants

from ..engine.compiled_networks import descriptors, draw_compiled, signed


def channel_places(part, config):
    """(channel, tile of the pass, row of all engines) of the channels that exist.

    Channels of a tile go to the engines in turn, `quant` at a time.
    """
    geometry, channels = part.geometry, list(part.output_channels())
    for at, channel in enumerate(channels):
        group, within = divmod(at, geometry.channels)
        tile, place = divmod(within, geometry.rows)
        turn, place = divmod(place, config.total_quant)
        engine, lane = divmod(place, config.quant)
        if channel >= 0:
            yield channel, group * geometry.tiles + tile, engine * config.rows + turn * config.quant + lane


def patch_codes(geometry, channel):
    """Codes of one output channel as a patch holds its products: block after block of the source."""
    codes, source = geometry.layer.codes[channel], geometry.source
    if source.blocks == 1:
        return codes.reshape(-1)
    height, width, inner = codes.shape
    parts = []
    for block in range(geometry.source_blocks):
        filled = np.zeros((height, width, source.channels), np.uint8)
        own = codes[:, :, block * source.channels : (block + 1) * source.channels]
        filled[:, :, : own.shape[2]] = own
        parts.append(filled.reshape(-1))
    return np.concatenate(parts)


def test_weights(rng):
    """Every bit of every weight lies where the descriptor and the row say; all else is zero, but for
    channels that fill up a block."""
    for _ in range(8):
        compiled = draw_compiled(rng)
        config, base = compiled.config, 0
        held = compiled.memories["weights"]
        seen = set()
        for number, (part, integer, values) in enumerate(descriptors(compiled)):
            geometry = part.geometry
            if config.weights == "stream":
                held, base = compiled.weight_packets[number], 0
                # The halves of the memory take turns.
                first_plane = number % 2 * (config.weight_depth // 2)
                assert values["weight_words"] == geometry.weight_words == len(held[0])
            else:
                first_plane = base
            assert values["weight_top"] == first_plane + (integer.w_bits - 1) * geometry.words
            for channel, tile, row in channel_places(part, config):
                codes = patch_codes(geometry, channel)
                for plane in range(integer.w_bits):
                    first = base + (tile * integer.w_bits + plane) * geometry.words
                    words = held[row][first : first + geometry.words]
                    bits = sum(word << (n * config.lanes) for n, word in enumerate(words))
                    # Lanes beyond the reduction are zero.
                    assert bits == sum(int(code >> plane & 1) << n for n, code in enumerate(codes))
                    seen |= {(number, row, first + n) for n in range(geometry.words)}
            fills = -1 in part.output_channels()
            for row in range(0 if fills else config.total_rows):
                for address in range(base, base + geometry.weight_words):
                    assert (number, row, address) in seen or held[row][address] == 0
            base += geometry.weight_words
        if config.weights == "onchip":
            assert [len(words) for words in held] == [base] * config.total_rows


@pytest.mark.parametrize("encoding", ["fitting", "any"])
def test_thresholds(encoding, rng):
    """The binary search over the stored words counts the thresholds that a value reaches."""
    for _ in range(6):
        compiled = draw_compiled(rng, **({"encoding": "any"} if encoding == "any" else {}))
        config = compiled.config
        memories, stages = compiled.memories["params"], config.out_bits
        for part, integer, values in descriptors(compiled):
            geometry = part.geometry
            constants = np.zeros(len(integer.codes), int)
            if integer.rescale is None:
                constants = xnor_constants(integer, geometry, config) * summed_pixels(integer)
            for number, channels in enumerate(part.quantizer_groups()):
                param = values["param_base"] + number
                for lane, channel in enumerate(channels):
                    if channel < 0:
                        check_zero_channel(memories, lane, param, integer, geometry, config)
                        continue
                    word = memories[lane * stages][param]
                    if integer.thresholds is None:
                        assert signed(word, config.acc_bits) == constants[channel]
                        continue
                    assert word >> config.acc_bits == integer.inverted[channel]
                    thresholds = integer.thresholds[channel]
                    least, greatest = raw_range(integer, geometry, config)
                    for value in {integer.value_min, integer.value_max, 0, *thresholds[::9]}:
                        value = int(np.clip(value, integer.value_min, integer.value_max))
                        raw = value - int(constants[channel])
                        # Some are beyond what this channel's counts can reach.
                        if least <= raw <= greatest:
                            found = search(memories, lane, param, raw, config)
                            assert found == (value >= thresholds).sum()


def search(memories, lane, param, value, config):
    """What the threshold quantizer finds in its memories."""
    bits = 0
    for stage in range(config.out_bits):
        word = memories[lane * config.out_bits + stage][(param << stage) | bits]
        bits = bits << 1 | (value >= signed(word, config.acc_bits))
    return bits


def check_zero_channel(memories, lane, param, integer, geometry, config):
    """A channel that only fills up a block has code 0, whatever value arrives."""
    if integer.thresholds is not None:
        least, greatest = raw_range(integer, geometry, config)
        for value in (least, 0, greatest):
            assert search(memories, lane, param, value, config) == 0
