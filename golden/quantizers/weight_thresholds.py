"""Weight codes by comparison: the least float32 of every code, as a hardware unit keeps them.

For weights whose greatest magnitude is known, Eq. 9 is a staircase of the weight alone. Its thresholds are
found by bisection with :func:`.dorefa.quantize_weights` itself, so that no code can differ.
"""

import numpy as np

from .. import checks
from ..errors import InputError
from ..network.layer import MAX_BITS
from .dorefa import quantize_weights


def ordered(w: np.ndarray) -> np.ndarray:
    """int64 in the order of the float32 `w`, next to each other where they are; 0 for 0 and -0."""
    patterns = np.asarray(w, np.float32).view(np.int32).astype(np.int64)
    return np.where(patterns < 0, -(patterns & 0x7FFFFFFF), patterns)


def floats(order: np.ndarray) -> np.ndarray:
    """The inverse of :func:`ordered`: float32, shaped like `order`."""
    return np.where(order < 0, 0x80000000 - order, order).astype(np.uint32).view(np.float32)


def weight_thresholds(largest: np.float32, bits: int) -> np.ndarray:
    """int64 (2^bits - 1,): code >= t where :func:`ordered` of a weight is at least element t - 1.

    largest: the greatest magnitude of the layer's weights, a finite float32 >= 0; bits: W, 1..8. What no
    weight of the layer reaches (all are zeros) is beyond `largest`.
    """
    bits = checks.integer(bits, "weight_thresholds: bits", 1, MAX_BITS)
    if not isinstance(largest, np.float32) or not 0 <= largest < np.inf:
        raise InputError(f"weight_thresholds: largest is {largest!r}; accepted: a finite np.float32 >= 0")
    codes = np.arange(1, 1 << bits)
    top = int(ordered(np.asarray(largest)))
    # At `low` the code is less, at `high` it is not, or `high` is beyond all weights.
    low, high = np.full(len(codes), -top - 1), np.full(len(codes), top + 1)
    while (high - low > 1).any():
        middle = (low + high) >> 1
        inside = middle.clip(-top, top)
        # The greatest magnitude, beside those in question, makes this layer's staircase.
        found = quantize_weights(np.append(floats(inside), largest), bits)[0][:-1]
        reached = (found >= codes) & (middle > low)
        high = np.where(reached, middle, high)
        low = np.where(reached, low, middle)
    return high


def threshold_words(thresholds: np.ndarray) -> np.ndarray:
    """uint32: ordered thresholds as the weight quantizer compares them: signed numbers that have the order
    of float32 patterns whose magnitude is inverted where the sign is set, and for which -0 reaches 0."""
    return np.where(thresholds > 0, thresholds, thresholds - 1).astype(np.int32).view(np.uint32)
