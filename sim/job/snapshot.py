"""What a layer leaves in the engine's memories, and how it is read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dorefa.golden.lowering.integer_network import IntegerLayer
from dorefa.golden.run.matmul import signed_codes
from dorefa.hw.compiler.compile import CompiledNetwork
from dorefa.hw.compiler.map_layout import MapLayout
from dorefa.hw.compiler.passes import Pass
from dorefa.hw.interface.streams import trunk_bytes

from .design import CORE


@dataclass(frozen=True)
class Region:
    """`rows` words of the memory at instance path `memory`, from word `first`."""

    memory: str
    first: int
    rows: int


def regions(compiled: CompiledNetwork) -> list[list[Region]]:
    """Per pass, what to copy when it is done: the block of codes that it leaves, or with the last pass that
    writes rows of one map the map, and, with a layer's last pass, the layer's part of the trunk memory."""
    return [
        _bank_regions(compiled, part) + _trunk_regions(compiled, part) for part in compiled.schedule.passes
    ]


def _prefixes(compiled: CompiledNetwork, part: Pass) -> tuple[str, ...]:
    """Memories of the feature planes that hold a pass's codes."""
    bits = compiled.network.layers[part.layer].out_bits
    return ("", "image_") if bits is not None and bits > compiled.config.out_bits else ("",)


def _block(compiled: CompiledNetwork, part: Pass, layout: MapLayout) -> tuple[int, int]:
    """First word and words of a pass's block in a map of this layout."""
    words = layout.block_words(compiled.config.fetch_bits)
    number = part.part if layout.blocks > 1 else 0
    return compiled.schedule.addresses[part.layer + 1] + number * words, words


def _bank_regions(compiled: CompiledNetwork, part: Pass) -> list[Region]:
    """The words of a pass's block in both banks: even ones lie in bank 0 at word / 2."""
    layout = compiled.schedule.maps[part.layer]
    if layout is None or layout.blocks == 1 and part.part < part.parts - 1:
        return []
    first, words = _block(compiled, part, layout)
    rows = (((first + 1) // 2, (first + words + 1) // 2), (first // 2, (first + words) // 2))
    return [
        Region(f"{CORE}.slice0.feature.{prefix}bank{bank}", low, high - low)
        for prefix in _prefixes(compiled, part)
        for bank, (low, high) in enumerate(rows)
    ]


def _trunk_regions(compiled: CompiledNetwork, part: Pass) -> list[Region]:
    """With a layer's last pass, its part of every engine's trunk memory; none where no trunk is kept."""
    config, schedule = compiled.config, compiled.schedule
    address, step = schedule.trunk_addresses[part.layer], schedule.trunk_steps[part.layer]
    if address is None or step is None or not config.trunk_memory or part.part < part.parts - 1:
        return []
    return [
        Region(f"{CORE}.slice{engine}.residual.trunk", address, part.geometry.pixels * step)
        for engine in range(config.engines)
    ]


def values(
    compiled: CompiledNetwork, copied: Sequence[Sequence[np.ndarray]], trunk_packets: Sequence[bytes] = ()
) -> dict[str, np.ndarray]:
    """Codes uint8 (H, W, C) and trunks int64 of every layer by the names that golden gives them.

    copied: per pass, one uint8 (rows, bytes) per region, little-endian words; trunk_packets: where trunks
    stream, bytes of the image's packets, in the order in which they left.
    """
    packets: dict[int, list[tuple[Pass, bytes]]] = {}
    for number, packet in zip(compiled.schedule.trunk_plan[0], trunk_packets, strict=False):
        part = compiled.schedule.passes[number]
        packets.setdefault(part.layer, []).append((part, packet))
    result = {}
    for index, layer in enumerate(compiled.network.layers):
        parts = [
            (part, list(copied[number]))
            for number, part in enumerate(compiled.schedule.passes)
            if part.layer == index
        ]
        layout = compiled.schedule.maps[index]
        if layer.out_bits is not None and layout is not None:
            codes = _codes(compiled, layout, parts)
            result[layer.name] = signed_codes(codes, layer.out_bits) if layer.out_signed else codes
        if layer.trunk:
            name = layer.name if layer.out_bits is None else f"{layer.name}.trunk"
            if compiled.config.trunk_memory:
                groups = _memory_groups(compiled, *parts[-1])
            else:
                groups = _packet_groups(compiled, packets[index])
            result[name] = _trunk(layer, parts, groups)
    return result


def _codes(
    compiled: CompiledNetwork, layout: MapLayout, parts: Sequence[tuple[Pass, list[np.ndarray]]]
) -> np.ndarray:
    """Codes (H, W, C) of a layer, from what its passes left: uint8, or uint16 of more than 8 planes."""
    if layout.blocks == 1:
        return _block_codes(compiled, parts[-1][0], layout, parts[-1][1])[..., : layout.shape[2]]
    codes = np.zeros(layout.shape, _type(compiled))
    for part, arrays in parts:
        block = _block_codes(compiled, part, layout, arrays)
        for at, channel in enumerate(part.output_channels()):
            if channel >= 0:
                codes[..., channel] = block[..., at]
    return codes


def _type(compiled: CompiledNetwork) -> type[np.unsignedinteger]:
    return np.uint8 if compiled.config.fetch_planes <= 8 else np.uint16


def _block_codes(
    compiled: CompiledNetwork, part: Pass, layout: MapLayout, arrays: Sequence[np.ndarray]
) -> np.ndarray:
    """Codes (H, W, channels of the block) of one pass: element e is bit e % fetch_bits of word
    e // fetch_bits in every plane; words alternate between the banks."""
    config = compiled.config
    fetch = config.fetch_bits
    first, words = _block(compiled, part, layout)
    height, width, _ = layout.shape
    codes = np.zeros(words * fetch, _type(compiled))
    lowest = 0
    for number, prefix in enumerate(_prefixes(compiled, part)):
        planes = config.image_planes if prefix else config.out_bits
        bits = np.zeros((words, planes, fetch), np.uint8)
        for bank, rows in enumerate(arrays[2 * number : 2 * number + 2]):
            unpacked = np.unpackbits(rows, axis=1, bitorder="little")[:, : planes * fetch]
            bits[(bank - first) % 2 :: 2] = unpacked.reshape(-1, planes, fetch)
        # Only the planes of this layer's width were meant to be written; all are compared.
        weights = (1 << (lowest + np.arange(planes, dtype=np.uint16)))[None, :, None]
        codes |= (bits * weights).sum(1).astype(codes.dtype).reshape(-1)
        lowest += planes
    return codes[: height * width * layout.channels].reshape(height, width, layout.channels)


def _integers(rows: np.ndarray, count: int, bits: int) -> np.ndarray:
    """Words uint8 (rows, bytes) of `count` signed integers of `bits` bits, as int64 (rows, count)."""
    fields = np.unpackbits(rows, axis=1, bitorder="little")[:, : count * bits]
    fields = fields.reshape(len(rows), count, bits).astype(np.int64)
    unsigned = (fields << np.arange(bits)).sum(2)
    return unsigned - ((unsigned >> (bits - 1)) << bits)


def _memory_groups(compiled: CompiledNetwork, part: Pass, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Integers (pixels, groups, channels of a group) of a layer's part of the trunk memories: the last arrays
    of its last pass, one per engine."""
    config = compiled.config
    lanes = [_integers(rows, config.quant, config.trunk_bits) for rows in arrays[-config.engines :]]
    return np.concatenate(lanes, axis=1).reshape(part.geometry.pixels, -1, config.total_quant)


def _packet_groups(compiled: CompiledNetwork, packets: Sequence[tuple[Pass, bytes]]) -> np.ndarray:
    """The same of a layer's packets, one per pass."""
    config = compiled.config
    result = []
    for part, packet in packets:
        rows = np.frombuffer(packet, np.uint8).reshape(-1, trunk_bytes(config))
        groups = _integers(rows, config.total_quant, config.trunk_bits)
        result.append(groups.reshape(part.geometry.pixels, -1, config.total_quant))
    return np.concatenate(result, axis=1)


def _trunk(
    layer: IntegerLayer, parts: Sequence[tuple[Pass, list[np.ndarray]]], pixels: np.ndarray
) -> np.ndarray:
    """Trunk int64 (H, W, C) from its integers (pixels, groups, channels of a group)."""
    height, width, channels = layer.conv_shape
    result = np.zeros((height * width, channels), np.int64)
    at = 0
    for part, _ in parts:
        for own in part.quantizer_groups():
            for lane, channel in enumerate(own):
                if channel >= 0:
                    result[:, channel] = pixels[:, at, lane]
            at += 1
    return result.reshape(height, width, channels)
