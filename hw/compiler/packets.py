"""Packets of weights and of residual trunks, as streams carry them."""

from ..interface.streams import beats_per_word, rows_per_beat


def weight_packet(words, config) -> bytes:
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


def trunk_packets(schedule, config):
    """Packets of an image on an engine of `config`, none where trunks do not stream: the beats of each one
    that leaves, in order; and for each one that comes in the number of the one that left."""
    if config.trunks == "onchip":
        return [], []
    keep, numbers = schedule.trunk_plan
    geometries = [schedule.passes[number].geometry for number in keep]
    return [geometry.pixels * geometry.pixel_groups for geometry in geometries], numbers
