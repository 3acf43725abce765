"""An engine that trains as a program sees it, whatever is between: a simulator's pipes, or a board's line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What came of packets: `results`, uint8 (packets, bytes); per packet, int64, the cycles from its first
    beat to its last, or that of its results (`spans`), and those that the engine's register says (`cycles`).
    Both are 0 where the ports wait for a line, whose time they would be."""

    results: np.ndarray
    spans: np.ndarray
    cycles: np.ndarray


class EnginePorts(Protocol):
    """The engine's ports."""

    def write(self, words: Iterable[tuple[int, int]]) -> object:
        """Writes (word address, 32-bit word) pairs of the host map."""

    def read(self, address: int) -> int:
        """The 32-bit word at a word address."""

    def run(
        self, images: np.ndarray, weights: Sequence[bytes] = (), *, answer_bytes: int, limit: int
    ) -> Answers:
        """Sends packets `images`, uint8 (packets, bytes), each when the one before is answered, and meanwhile
        packets `weights` (all of one size) to their own port.

        answer_bytes: of the packet that answers each, 0 for none; limit: cycles that each may take where no
        port stalls.
        """
