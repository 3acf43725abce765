"""How a packet becomes beats on a stream of the engine, and beats results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dorefa.hw.config.engine import EngineConfig

from .errors import SimulationError


class Beat(NamedTuple):
    """One beat: `data`, the first byte lowest; `keep`, a bit per byte that counts; `last` of its packet;
    `id`, the pass that the packet belongs to."""

    data: int
    keep: int
    last: bool
    id: int = 0


def image_packet(image: np.ndarray) -> bytes:
    """The packet of an image (or batch) uint8 (H, W, C)."""
    return np.ascontiguousarray(image).tobytes()


def beats(packet: bytes, width: int, number: int = 0) -> Iterator[Beat]:
    """The beats of a packet of pass `number` on a port of `width` bytes; only the last one may be partial."""
    for start in range(0, len(packet), width):
        part = packet[start : start + width]
        last = start + width >= len(packet)
        yield Beat(int.from_bytes(part, "little"), (1 << len(part)) - 1, last, number)


def kept_bytes(data: int, keep: int) -> bytes:
    """The bytes of a beat that count: the lowest ones, of which `keep` has a bit each. Raises
    :class:`SimulationError` where other bytes are marked."""
    if keep & (keep + 1):
        raise SimulationError(f"a beat marks bytes {keep:#x}; expected are the lowest ones")
    count = keep.bit_length()
    return (data & ((1 << 8 * count) - 1)).to_bytes(count, "little")


def result_words(packet: bytes, config: EngineConfig) -> np.ndarray:
    """Results int64 (results,) of the bytes of a packet from an engine of `config`."""
    return np.frombuffer(packet, f"<i{config.result_bits // 8}").astype(np.int64)
