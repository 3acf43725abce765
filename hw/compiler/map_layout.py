"""How feature maps lie in the feature memory, and where."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class MapLayout:
    """A map of `shape` (H, W, C) in `blocks` of `channels` channels each, in every plane.

    A map of more planes than the memory has lies in `plane_groups` groups of planes, each with one block,
    one behind the other.

    A block is dense, element ``(y * W + x) * channels + c``, and begins with a word. A layer computed in
    several passes leaves one block per pass. One block is the usual case. After every `filled` channels,
    those of a group, zero channels fill up a block (None: after all C).
    """

    shape: tuple[int, int, int]
    blocks: int
    channels: int
    plane_groups: int = 1
    filled: int | None = None

    @classmethod
    def dense(cls, shape: tuple[int, int, int], plane_groups: int = 1) -> MapLayout:
        """One block with all channels."""
        height, width, channels = shape
        return cls(shape=(height, width, channels), blocks=1, channels=channels, plane_groups=plane_groups)

    def places(self) -> list[int]:
        """Where each of the C channels lies among those of all blocks, zero channels counted."""
        own = self.filled or self.shape[2]
        together = -(-own // self.channels) * self.channels
        return [channel // own * together + channel % own for channel in range(self.shape[2])]

    def block_words(self, fetch_bits: int) -> int:
        """Words of one block."""
        height, width, _ = self.shape
        return -(-height * width * self.channels // fetch_bits)

    def words(self, fetch_bits: int) -> int:
        """Words of the map."""
        return self.plane_groups * self.blocks * self.block_words(fetch_bits)


def place(
    sizes: Sequence[int], lifetimes: Sequence[tuple[int, int]], depth: int, always_low: Collection[int] = ()
) -> list[int] | None:
    """First words of regions in a memory of `depth` words, or None where they do not fit.

    sizes: words of each region, in the order in which they come to life; lifetimes: (first, last) step
    of each, both included; always_low: numbers of those that must lie as low as possible. Any other
    takes the end of the free space that its predecessor did not take: a chain of maps then lies at the
    two ends in turn and needs no more than its two largest neighbors.
    """
    placed: list[int] = []
    alive: list[int] = []
    low = True
    for number, (size, (begin, _)) in enumerate(zip(sizes, lifetimes, strict=True)):
        alive = [other for other in alive if lifetimes[other][1] >= begin]
        taken = sorted((placed[other], placed[other] + sizes[other]) for other in alive)
        gaps, at = [], 0
        for first, behind in [*taken, (depth, depth)]:
            if first - at >= size:
                gaps.append((at, first))
            at = max(at, behind)
        if not gaps:
            return None
        placed.append(gaps[0][0] if low or number in always_low else gaps[-1][1] - size)
        low = 2 * placed[-1] + size > depth
        alive.append(number)
    return placed


def place_all(
    sizes: Sequence[int], lifetimes: Sequence[tuple[int, int]], always_low: Collection[int] = ()
) -> tuple[int, list[int]]:
    """(least depth found, first words) of regions, see :func:`place`."""
    # Words that come to life or are free again with a step.
    changes: Counter[int] = Counter()
    for size, (begin, end) in zip(sizes, lifetimes, strict=True):
        changes[begin] += size
        changes[end + 1] -= size
    depth = max(itertools.accumulate(changes[step] for step in sorted(changes)))
    while (placed := place(sizes, lifetimes, depth, always_low)) is None:
        depth += max(1, depth // 64)
    return depth, placed
