"""How a packet becomes beats on a stream of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Beat(NamedTuple):
    """One beat: `data`, the first byte lowest; `keep`, a bit per byte that counts; `last` of its packet."""

    data: int
    keep: int
    last: bool


def image_packet(image: np.ndarray) -> bytes:
    """The packet of an image (or batch) uint8 (H, W, C)."""
    return np.ascontiguousarray(image).tobytes()


def beats(packet: bytes, width: int) -> Iterator[Beat]:
    """The beats of a packet on a port of `width` bytes; only the last one may be partial."""
    for start in range(0, len(packet), width):
        part = packet[start : start + width]
        yield Beat(int.from_bytes(part, "little"), (1 << len(part)) - 1, start + width >= len(packet))
