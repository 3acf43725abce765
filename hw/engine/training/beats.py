"""What goes beside the words of a packet through a quantizer."""

from __future__ import annotations

from amaranth.lib import data


def mark_layout(lanes: int) -> data.StructLayout:
    """Beside a beat of `lanes` words: `valid`, there is one; `first` and `last` of its packet; `count`, how
    many of its words count, the lowest ones: all of them but in the last beat, which may have none."""
    return data.StructLayout({"valid": 1, "first": 1, "last": 1, "count": range(lanes + 1)})
