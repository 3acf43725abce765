"""What memories of a pipeline are made of, on devices that have a choice."""

from __future__ import annotations

# Memories from this size on are block RAMs: below, tables are as good.
_BLOCK_BITS = 512


def is_block(width: int, depth: int) -> bool:
    """Whether a memory is to be a block RAM."""
    return width * depth >= _BLOCK_BITS


def ram_style(width: int, depth: int) -> dict[str, str]:
    """The attributes of a memory."""
    return {"ram_style": "block"} if is_block(width, depth) else {}


def block_rams(width: int, depth: int) -> int:
    """Block RAMs of 18 Kbit, at most 36 bits wide, that a memory takes."""
    return -(-width // max(1, min(36, (18 << 10) // depth)))
