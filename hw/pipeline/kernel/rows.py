"""Integer weights as rows of zeros and ones, and how their sums make the layer's again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Part:
    """``2^shift`` times the sum of a row."""

    row: int
    shift: int


@dataclass(frozen=True, eq=False)
class WeightRows:
    """Weights int (outputs, inputs) as `rows`, 0/1 int8 (rows, inputs).

    An output is the sum of its `positive` parts less that of its `negative` ones; with a `total` t it is
    twice the positive parts less t times the sum of all inputs.
    """

    rows: np.ndarray
    positive: list[list[Part]]
    negative: list[list[Part]]
    total: int


def weight_rows(values: np.ndarray) -> WeightRows:
    """The rows of weights: where all are odd, their planes, of which an output needs one per bit of its
    weights; else signed digits, of which a zero has none."""
    if (values & 1).all():
        return planes(values)
    return signed_digits(values)


def planes(values: np.ndarray) -> WeightRows:
    """v = 2 q - (2^w - 1), q by its bits."""
    bits = int(np.abs(values).max()).bit_length()
    largest = (1 << bits) - 1
    codes = (values + largest) >> 1
    rows = np.stack([(codes >> bit) & 1 for bit in range(bits)], axis=1).reshape(-1, values.shape[1])
    positive = [[Part(output * bits + bit, bit) for bit in range(bits)] for output in range(len(values))]
    return WeightRows(rows.astype(np.int8), positive, [[] for _ in positive], largest)


def signed_digits(values: np.ndarray) -> WeightRows:
    """Canonical signed digits: no two neighbors of them are nonzero."""
    rows: list[np.ndarray] = []
    sides: tuple[list[list[Part]], list[list[Part]]] = ([], [])
    digits = _digits(values)
    for output in range(len(values)):
        for side, sign in zip(sides, (1, -1), strict=True):
            parts = []
            for shift, digit in enumerate(digits):
                row = digit[output] == sign
                if row.any():
                    parts.append(Part(len(rows), shift))
                    rows.append(row)
            side.append(parts)
    shape = (len(rows), values.shape[1])
    return WeightRows(np.array(rows, np.int8).reshape(shape), *sides, 0)


def _digits(values: np.ndarray) -> list[np.ndarray]:
    """-1, 0 and 1 by place, the lowest first."""
    rest, digits = values.astype(np.int64), []
    while rest.any():
        # 1 or -1 where odd, so that what is left divides by four.
        digit = np.where(rest & 1, 2 - (rest & 3), 0)
        digits.append(digit)
        rest = (rest - digit) >> 1
    return digits
