"""Packets of weights and of residual trunks, as streams carry them."""

from collections.abc import Sequence

from ..config.engine import EngineConfig
from ..interface.streams import beats_per_word, rows_per_beat


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
