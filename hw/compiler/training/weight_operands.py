"""Weight codes of a job as words of the weight memory: in packets of the stream, or for the host port."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...interface.memory_map import MemoryMap
from ...interface.streams import beats_per_word, rows_per_beat
from ..memory_images import engine_order
from .job_pass import JobPass


def weight_bits(job: JobPass, weights: np.ndarray) -> np.ndarray:
    """Bits uint8 (M, addresses, rows, lanes) of weight codes (M, channels, Kh, Kw, Cin / groups), as
    :func:`dorefa.hw.compiler.memory_images.weight_words` orders them; a channel group whose weights are those
    of all comes once."""
    geometry = job.geometry
    count, w_bits = len(weights), job.part.w_bits
    groups = 1 if job.part.shared_weights else geometry.groups
    rows, lanes, words = geometry.rows, geometry.lanes, geometry.words
    codes = weights.reshape(count, groups, geometry.channels, geometry.reduction)
    padded = np.zeros((count, groups, geometry.tiles * rows, words * lanes), np.uint8)
    padded[:, :, : geometry.channels, : geometry.reduction] = codes
    planes = (padded[..., None] >> np.arange(w_bits, dtype=np.uint8)) & 1
    planes = planes.reshape(count, groups, geometry.tiles, rows, words, lanes, w_bits)
    # -> group, tile, plane, word; row; lane
    ordered = planes.transpose(0, 1, 2, 6, 4, 3, 5).reshape(count, -1, rows, lanes)
    return ordered[:, :, engine_order(geometry)]


def weight_packets(job: JobPass, weights: np.ndarray) -> list[bytes]:
    """A packet of the weight stream for each of the weight codes (M, ...)."""
    bits, config = weight_bits(job, weights), job.config
    count, addresses, rows, lanes = bits.shape
    together = rows_per_beat(config)
    steps = -(-rows // together)
    beats = np.zeros((count, addresses, steps * together, lanes), np.uint8)
    beats[:, :, :rows] = bits
    size = 8 * beats_per_word(config) * config.port_bytes
    filled = np.zeros((count, addresses, steps, size), np.uint8)
    filled[..., : together * lanes] = beats.reshape(count, addresses, steps, together * lanes)
    packed = np.packbits(filled.reshape(count, -1), axis=1, bitorder="little")
    return [packet.tobytes() for packet in packed]


def weight_writes(job: JobPass, weights: np.ndarray) -> Iterator[tuple[int, int]]:
    """(word address, 32-bit word) pairs that write the codes (channels, ...) through the host port."""
    config = job.config
    memory_map = MemoryMap.of(config)
    window = memory_map.weights
    assert window is not None, "weights that do not stream"
    bits = weight_bits(job, weights[None])[0].transpose(1, 0, 2)
    filled = np.zeros((*bits.shape[:2], 32 * window.pieces), np.uint8)
    filled[..., : config.lanes] = bits
    words = np.packbits(filled, axis=2, bitorder="little").view("<u4")
    for row, address, piece in np.ndindex(words.shape):
        yield memory_map.address(window, row, address, piece), int(words[row, address, piece])
