"""Random draws made from raw PCG64 output only: a seed gives the same bits on every machine.

NumPy promises the raw stream of a bit generator, not the values its distributions derive from it.
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from .. import checks

# Raw draws made at a time: eight bytes each, for a byte or less.
_CHUNK = 1 << 20
Item = TypeVar("Item")


class RawDraws:
    """A stream of draws for `seed`, an integer >= 0."""

    def __init__(self, seed: int):
        self._generator = np.random.PCG64(checks.integer(seed, "seed", 0))

    def integer(self, low: int, high: int) -> int:
        """An int in low..high. The bias of the modulus is far below anything that matters."""
        return low + int(self._generator.random_raw()) % (high - low + 1)

    def chance(self, parts: int) -> bool:
        """True once in `parts` draws."""
        return self.integer(1, parts) == 1

    def pick(self, items: Sequence[Item]) -> Item:
        """One item of a sequence."""
        return items[self.integer(0, len(items) - 1)]

    def codes(self, shape: int | tuple[int, ...], bits: int) -> np.ndarray:
        """uint8 codes of `bits` bits, any shape."""
        codes = np.empty(int(np.prod(shape)), np.uint8)
        for start in range(0, len(codes), _CHUNK):
            part = codes[start : start + _CHUNK]
            raw = self._generator.random_raw(len(part))
            raw >>= np.uint64(64 - bits)
            part[:] = raw
        return codes.reshape(shape)

    def reals(self, shape: int | tuple[int, ...], low: float, high: float) -> np.ndarray:
        """float64 in [low, high), any shape."""
        raw = self._generator.random_raw(int(np.prod(shape))) >> np.uint64(11)
        return (low + (high - low) * (raw * 2.0**-53)).reshape(shape)
