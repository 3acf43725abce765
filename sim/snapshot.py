"""What a layer leaves in the engine's memories, and how it is read back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dorefa.golden.integer import signed_codes

from .design import CORE


@dataclass(frozen=True)
class Region:
    """`rows` words of the memory at instance path `memory`, from word `first`."""

    memory: str
    first: int
    rows: int


def regions(compiled) -> list[list[Region]]:
    """Per pass, what to copy when it is done: the block of codes that it leaves and, with a layer's
    last pass, the layer's trunk."""
    result = []
    for part in compiled.schedule.passes:
        own = []
        if compiled.schedule.maps[part.layer] is not None:
            for prefix in _prefixes(compiled, part):
                own += _bank_regions(compiled, part, prefix)
        address = compiled.schedule.trunk_addresses[part.layer]
        if address is not None and part.part == part.parts - 1:
            rows = part.geometry.pixels * compiled.schedule.trunk_steps[part.layer]
            own += [
                Region(f"{CORE}.slice{engine}.residual.trunk", address, rows)
                for engine in range(compiled.config.engines)
            ]
        result.append(own)
    return result


def _prefixes(compiled, part):
    """Memories of the feature planes that hold a pass's codes."""
    wide = compiled.network.layers[part.layer].out_bits > compiled.config.out_bits
    return ("", "image_") if wide else ("",)


def _bank_regions(compiled, part, prefix):
    """The words of a pass's block in both banks: even ones lie in bank 0 at word / 2."""
    layout = compiled.schedule.maps[part.layer]
    words = layout.block_words(compiled.config.fetch_bits)
    first = compiled.schedule.addresses[part.layer + 1] + part.part * words
    rows = (((first + 1) // 2, (first + words + 1) // 2), (first // 2, (first + words) // 2))
    return [
        Region(f"{CORE}.slice0.feature.{prefix}bank{bank}", low, high - low)
        for bank, (low, high) in enumerate(rows)
    ]


def values(compiled, copied) -> dict[str, np.ndarray]:
    """Codes uint8 (H, W, C) and trunks int64 of every layer by the names that golden gives them.

    copied: per pass, one uint8 (rows, bytes) per region, little-endian words.
    """
    result = {}
    for index, layer in enumerate(compiled.network.layers):
        parts = [
            (part, list(copied[number]))
            for number, part in enumerate(compiled.schedule.passes)
            if part.layer == index
        ]
        if layer.out_bits is not None:
            codes = np.zeros(layer.out_shape, np.uint8)
            for part, arrays in parts:
                block = _block_codes(compiled, part, arrays)
                for at, channel in enumerate(part.output_channels()):
                    if channel >= 0:
                        codes[..., channel] = block[..., at]
            result[layer.name] = signed_codes(codes, layer.out_bits) if layer.out_signed else codes
        if layer.trunk:
            name = layer.name if layer.out_bits is None else f"{layer.name}.trunk"
            engines = compiled.config.engines
            result[name] = _trunk(compiled, parts, parts[-1][1][-engines:])
    return result


def _block_codes(compiled, part, arrays):
    """Codes (H, W, channels of the block) of one pass: element e is bit e % fetch_bits of word
    e // fetch_bits in every plane; words alternate between the banks."""
    config, layout = compiled.config, compiled.schedule.maps[part.layer]
    fetch = config.fetch_bits
    words = layout.block_words(fetch)
    first = compiled.schedule.addresses[part.layer + 1] + part.part * words
    height, width, _ = layout.shape
    codes = np.zeros(words * fetch, np.uint8)
    lowest = 0
    for number, prefix in enumerate(_prefixes(compiled, part)):
        planes = config.image_planes if prefix else config.out_bits
        bits = np.zeros((words, planes, fetch), np.uint8)
        for bank, rows in enumerate(arrays[2 * number : 2 * number + 2]):
            unpacked = np.unpackbits(rows, axis=1, bitorder="little")[:, : planes * fetch]
            bits[(bank - first) % 2 :: 2] = unpacked.reshape(-1, planes, fetch)
        # Only the planes of this layer's width were meant to be written; all are compared.
        weights = (1 << (lowest + np.arange(planes, dtype=np.uint16)))[None, :, None]
        codes |= (bits * weights).sum(1).astype(np.uint8).reshape(-1)
        lowest += planes
    return codes[: height * width * layout.channels].reshape(height, width, layout.channels)


def _trunk(compiled, parts, arrays):
    """Trunk int64 (H, W, C): words of `quant` signed integers per engine, group after group."""
    config, layer = compiled.config, compiled.network.layers[parts[0][0].layer]
    bits = config.trunk_bits
    lanes = []
    for rows in arrays:
        unpacked = np.unpackbits(rows, axis=1, bitorder="little")[:, : config.quant * bits]
        fields = unpacked.reshape(len(rows), config.quant, bits).astype(np.int64)
        unsigned = (fields << np.arange(bits)).sum(2)
        lanes.append(unsigned - ((unsigned >> (bits - 1)) << bits))
    groups = np.concatenate(lanes, axis=1)
    height, width, channels = layer.conv_shape
    pixels = groups.reshape(height * width, -1, config.total_quant)
    result = np.zeros((height * width, channels), np.int64)
    at = 0
    for part, _ in parts:
        for own in part.quantizer_groups():
            for lane, channel in enumerate(own):
                if channel >= 0:
                    result[:, channel] = pixels[:, at, lane]
            at += 1
    return result.reshape(height, width, channels)
