"""The staircase of a layer as thresholds of its integer, negative slopes folded into weights or codes."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from ..network.encoding import Encoding
from ..network.parts import Pool
from .staircase import Chain, thresholds

# Least and greatest integer.
Range = tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Folded:
    """Thresholds of a layer and what became of its falling channels.

    negated: bool (Cout,), channels whose weights take the opposite sign; inverted: bool (Cout,), channels
    whose counts are taken from the other end. sums: per channel the range of the accumulator then; seen:
    range of what the thresholds see. thresholds: int64 (Cout, 2^bits - 1), saturated to that range and one
    more; those that no count needs are never reached, always where inverted. None without a quantizer.
    """

    negated: np.ndarray
    inverted: np.ndarray
    sums: list[Range]
    seen: Range
    thresholds: np.ndarray | None

    def fields(self) -> dict[str, Any]:
        """The fields of an IntegerLayer that are known from here."""
        return {
            "acc_min": min(low for low, _ in self.sums),
            "acc_max": max(high for _, high in self.sums),
            "value_min": self.seen[0],
            "value_max": self.seen[1],
            "thresholds": self.thresholds,
            "inverted": self.inverted,
            "code_bits": None if self.thresholds is None else self.thresholds.shape[1].bit_length(),
        }


def fold(
    chain: Chain | None,
    encoding: Encoding,
    sums: list[Range],
    trunk: list[Range] | None,
    pool: Pool | None,
) -> Folded:
    """The Folded form of a chain of steps from a layer's integer to the counts of its quantizer.

    chain: None without a quantizer. sums: per channel the range of the accumulator; trunk: of the trunk
    behind it, or None; pool: what sums the integer over a window if its kind is average. Weights whose
    encoding is symmetric take a negative slope unless a trunk stands between.
    """
    ranges = sums if trunk is None else trunk
    low, high = seen_range(ranges, pool)
    none = read_only(np.zeros(len(ranges), bool))
    if chain is None:
        return Folded(negated=none, inverted=none, sums=sums, seen=(low, high), thresholds=None)
    # Holds the thresholds of a channel whose weights are negated as well.
    bound = max(-low, high)
    found = [thresholds(chain, channel, -bound, bound) for channel in range(len(ranges))]
    falling = read_only(np.array([falls for falls, _ in found]))
    rows = np.array([row for _, row in found], np.int64)
    negated, inverted = none, falling
    if encoding.symmetric and trunk is None:
        negated, inverted = falling, none
        rows[falling] = 1 - rows[falling, ::-1]
        sums = [(-b, -a) if falls else (a, b) for falls, (a, b) in zip(falling, sums, strict=True)]
        low, high = seen_range(sums, pool)
    channels, levels = rows.shape
    whole = np.empty((channels, (1 << levels.bit_length()) - 1), np.int64)
    # Those that no count needs stand behind, or in front where counts are taken from the other end.
    whole[~inverted, levels:] = high + 1
    whole[inverted, : whole.shape[1] - levels] = low
    whole[~inverted, :levels] = rows[~inverted].clip(low, high + 1)
    whole[inverted, whole.shape[1] - levels :] = rows[inverted].clip(low, high + 1)
    return Folded(
        negated=negated,
        inverted=inverted,
        sums=sums,
        seen=(low, high),
        thresholds=read_only(whole),
    )


def seen_range(ranges: list[Range], pool: Pool | None) -> Range:
    """Range over all channels of what thresholds see, behind an average of `pool`."""
    window = pool.area if pool is not None and pool.kind == "average" else 1
    return window * min(low for low, _ in ranges), window * max(high for _, high in ranges)


def accumulator_ranges(values: np.ndarray, low: int, high: int) -> list[Range]:
    """Per channel the range of sum(v * a) for inputs low..high around 0; padding only drops terms.

    values: integer weights (Cout, ...).
    """
    flat = values.reshape(len(values), -1)
    negative = np.minimum(flat, 0).sum(axis=1, dtype=np.int64).tolist()
    positive = np.maximum(flat, 0).sum(axis=1, dtype=np.int64).tolist()
    return [(p * low + n * high, p * high + n * low) for n, p in zip(negative, positive, strict=True)]


def rounded_range(m: int, b: int, f: int, ends: Range) -> Range:
    """Range of round_half_even((m * acc + b) / 2^f) for acc between `ends`: it never turns."""
    low, high = sorted(round(Fraction(m * acc + b, 1 << f)) for acc in ends)
    return low, high


def read_only(array: np.ndarray) -> np.ndarray:
    """`array`, which nobody else holds, without the right to write."""
    array.setflags(write=False)
    return array
