"""A layer of an imported network before its quantizer is known."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..lowering.staircase import Affine
from .tensors import Codes, Sums


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """A layer before its quantizer is known.

    values: integer weights (Cout, Kh, Kw, Cin / groups); position: of its node in the file.
    m, b: None, or one int per channel: the layer's integer is then the trunk
    round_half_even((m * acc + b) / 2^f), plus that of the Draft `add`; bits: least width of it.
    """

    name: str
    kind: str
    values: np.ndarray
    w_bits: int
    encoding: str
    inputs: Codes
    in_shape: tuple[int, int, int]
    conv_shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    groups: int = 1
    dilation: tuple[int, int] = (1, 1)
    position: int = 0
    m: list | None = None
    b: list | None = None
    f: int = 0
    bits: int = 16
    add: "Draft | None" = None

    def sum_ranges(self):
        """Per channel (least, greatest) accumulator over all inputs; padding only drops terms."""
        low, high = min(self.inputs.low, 0), max(self.inputs.high, 0)
        flat = self.values.reshape(len(self.values), -1)
        negative = np.minimum(flat, 0).sum(axis=1, dtype=np.int64).tolist()
        positive = np.maximum(flat, 0).sum(axis=1, dtype=np.int64).tolist()
        return [(p * low + n * high, p * high + n * low) for n, p in zip(negative, positive, strict=True)]

    def value_ranges(self):
        """Per channel (least, greatest) integer that the steps start from."""
        ranges = self.sum_ranges()
        if self.m is not None:
            ranges = [
                tuple(sorted(round(Fraction(m * acc + b, 1 << self.f)) for acc in ends))
                for m, b, ends in zip(self.m, self.b, ranges, strict=True)
            ]
        if self.add is not None:
            ranges = [
                (a[0] + b[0], a[1] + b[1]) for a, b in zip(ranges, self.add.value_ranges(), strict=True)
            ]
        return ranges


def identity(name, codes, position):
    """Sums that are the real values of `codes`: a depthwise layer of weights 1."""
    channels = codes.shape[2]
    draft = Draft(
        name=name,
        kind="conv",
        values=np.ones((channels, 1, 1, 1), np.int64),
        w_bits=1,
        encoding="bipolar",
        inputs=codes,
        in_shape=codes.shape,
        conv_shape=codes.shape,
        groups=channels,
        position=position,
    )
    return Sums(draft, (Affine(codes.scale, codes.offset),), codes.shape, codes.dims)
