"""A layer of an imported network before its quantizer is known, and the codes that it reads."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ...lowering.fold import Range, accumulator_ranges, rounded_range
from ...lowering.steps import Affine
from ...network.encoding import Encoding
from ...network.geometry import Geometry
from ...network.parts import Rescale
from .quantizers import bits_of

Shape = tuple[int, int, int]
# Per axis of the file after the batch, which of "H", "W" and "C" it holds, in order.
Dims = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Codes:
    """Integers v that a layer stores (source -1: the image); real value scale * v + offset.

    scale, offset: per channel; low, high: bounds of v; bits: of a stored code; zero: of an image, see
    IntegerNetwork.image_zero.
    """

    source: int
    scale: list[Fraction]
    offset: list[Fraction]
    low: int
    high: int
    bits: int
    signed: bool
    shape: Shape
    dims: Dims
    zero: int = 0

    @property
    def affine(self) -> Affine:
        """From the integers to the real values."""
        return Affine(self.scale, self.offset)


class Rounding(NamedTuple):
    """From accumulators to a trunk, round_half_even((m * acc + b) / 2^f); m and b: per channel.

    bits: least width of the trunk.
    """

    m: list[int]
    b: list[int]
    f: int = 0
    bits: int = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft(Geometry):
    """A layer before its quantizer is known; equal to itself only.

    values: integer weights (Cout, Kh, Kw, Cin / groups), which give the kernel; position: of its
    node in the file.
    rounding: where it is given the layer's integer is a trunk, that of the Draft `add` added; additions: how
    many drafts are added one behind the other.
    """

    name: str
    kind: str
    values: np.ndarray
    w_bits: int
    encoding: Encoding
    inputs: Codes
    in_shape: Shape
    conv_shape: Shape
    kernel: tuple[int, int] = field(init=False)
    position: int = 0
    rounding: Rounding | None = None
    add: "Draft | None" = None
    additions: int = field(init=False)
    _ranges: list[Range] | None = field(init=False, repr=False, default=None)

    __eq__, __hash__ = object.__eq__, object.__hash__
    crops = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", self.values.shape[1:3])
        object.__setattr__(self, "additions", 0 if self.add is None else self.add.additions + 1)
        self._normalize(f"layer {self.name}:")

    def added(self, until: Callable[["Draft"], bool] = lambda draft: False) -> list["Draft"]:
        """The draft that this one adds, the one that that adds, and so on to the last; or to the one before
        the first for which `until` is true."""
        chain = []
        draft = self.add
        while draft is not None and not until(draft):
            chain.append(draft)
            draft = draft.add
        return chain

    def sum_ranges(self) -> list[Range]:
        """Per channel (least, greatest) accumulator over all inputs."""
        return accumulator_ranges(self.values, min(self.inputs.low, 0), max(self.inputs.high, 0))

    def value_ranges(self) -> list[Range]:
        """Per channel (least, greatest) integer that the steps start from."""
        if self._ranges is None:
            # Each is worked out once, from the one that it adds, however many there are.
            for draft in reversed([self, *self.added(lambda draft: draft._ranges is not None)]):
                object.__setattr__(draft, "_ranges", draft._sum_of_ranges())
        assert self._ranges is not None
        return self._ranges

    def _sum_of_ranges(self) -> list[Range]:
        ranges = self.sum_ranges()
        if self.rounding is not None:
            m_of, b_of, f, _ = self.rounding
            ranges = [rounded_range(m, b, f, ends) for m, b, ends in zip(m_of, b_of, ranges, strict=True)]
        if self.add is not None:
            ranges = [
                (a[0] + b[0], a[1] + b[1]) for a, b in zip(ranges, self.add.value_ranges(), strict=True)
            ]
        return ranges


def rescale_of(rounding: Rounding, ranges: list[Range]) -> Rescale:
    """The Rescale of a trunk with values in `ranges`; its unit, one per channel, is in the thresholds."""
    return Rescale(
        m=np.array(rounding.m, np.int64),
        b=np.array(rounding.b, np.int64),
        f=rounding.f,
        scale=np.float32(1),
        bits=max(trunk_bits(ranges), rounding.bits),
    )


def trunk_bits(ranges: list[Range]) -> int:
    """Signed bits that hold the integers in ranges of (least, greatest)."""
    return max(bits_of(min(low, -1), high) for low, high in ranges)
