"""What the bits of a weight code mean: the integer a code stands for, and bit planes that compute with it.

Plane i holds bit i of every code. An integer is `constant + sum_i coefficient_i * bit_i`, so a product with
activations of planes a_j and coefficients d_j is, with pc the popcount,

    sum(v * a) = sum_ij coefficient_i * d_j * pc(w_i & a_j) + constant * sum_j d_j * pc(a_j).

The second term is the sum row: the same for all weights that meet a window, and none where the constant is 0.
"""

from enum import StrEnum
from typing import overload

import numpy as np

from ..errors import InputError
from ..reading import shown


class Encoding(StrEnum):
    """From codes q of `bits` bits, 1..8, to integers v. Members are strings: files and tables hold them.

    BIPOLAR: v = 2q - (2^bits - 1), odd integers around 0; a weight of k bits is k planes of -1 and 1.
    TWOS_COMPLEMENT: the signed value of q. UNSIGNED: v = q.
    """

    BIPOLAR = "bipolar"
    TWOS_COMPLEMENT = "twos_complement"
    UNSIGNED = "unsigned"

    @classmethod
    def of(cls, value: object, where: str) -> "Encoding":
        """The member that `value` is or names; InputError with `where` for anything else."""
        if not isinstance(value, str) or value not in tuple(cls):
            raise InputError(f"{where} is {shown(value)}; accepted: {', '.join(cls)}")
        return cls(value)

    @classmethod
    def plain(cls, signed: bool) -> "Encoding":
        """The encoding of neighboring integers, with or without a sign: that of activations."""
        return cls.TWOS_COMPLEMENT if signed else cls.UNSIGNED

    @property
    def step(self) -> int:
        """Distance of the integers of neighboring codes."""
        return 2 if self is Encoding.BIPOLAR else 1

    @property
    def symmetric(self) -> bool:
        """Whether every integer's opposite has a code: then a negative slope goes into the weights."""
        return self is Encoding.BIPOLAR

    @property
    def has_zero(self) -> bool:
        """Whether a code stands for 0, so that weights can be padded."""
        return self is not Encoding.BIPOLAR

    @property
    def signed_top(self) -> bool:
        """Whether the top plane counts negatively."""
        return self is Encoding.TWOS_COMPLEMENT

    @property
    def corrected(self) -> bool:
        """Whether products of AND and popcount need the sum row."""
        return self is Encoding.BIPOLAR

    def constant(self, bits: int) -> int:
        """The integer of the code whose bits are all 0: the factor of the sum row."""
        return 1 - (1 << bits) if self is Encoding.BIPOLAR else 0

    def coefficients(self, bits: int) -> tuple[int, ...]:
        """What bit i of a code adds to its integer, plane 0 first."""
        planes = [self.step << plane for plane in range(bits)]
        return (*planes[:-1], -planes[-1] if self.signed_top else planes[-1])

    def range(self, bits: int) -> tuple[int, int]:
        """Least and greatest integer."""
        coefficients = self.coefficients(bits)
        low = sum(min(coefficient, 0) for coefficient in coefficients)
        high = sum(max(coefficient, 0) for coefficient in coefficients)
        return low + self.constant(bits), high + self.constant(bits)

    def divisor(self, bits: int) -> int:
        """What a weight's scale is divided by: its real value is scale * v / divisor."""
        return (1 << bits) - 1 if self is Encoding.BIPOLAR else 1

    @overload
    def values(self, codes: np.ndarray, bits: int) -> np.ndarray: ...
    @overload
    def values(self, codes: int, bits: int) -> int: ...
    def values(self, codes: np.ndarray | int, bits: int) -> np.ndarray | int:
        """Integers of codes below 2^bits: int16 for uint8 arrays of any shape, an int for an int."""
        codes = codes.astype(np.int16) if isinstance(codes, np.ndarray) else int(codes)
        if self.signed_top:
            codes = codes - ((codes >> (bits - 1)) << bits)
        return self.step * codes + self.constant(bits)

    @overload
    def codes(self, values: np.ndarray, bits: int) -> np.ndarray: ...
    @overload
    def codes(self, values: int, bits: int) -> int: ...
    def codes(self, values: np.ndarray | int, bits: int) -> np.ndarray | int:
        """Codes of integers that have one (see `range` and `step`): uint8 for arrays, an int for an int."""
        codes = ((values - self.constant(bits)) // self.step) & ((1 << bits) - 1)
        return codes.astype(np.uint8) if isinstance(codes, np.ndarray) else int(codes)

    def negated(self, codes: np.ndarray, bits: int) -> np.ndarray:
        """Codes, uint8 of any shape, of the opposite integers: only where the encoding is `symmetric`."""
        if not self.symmetric:
            raise ValueError(f"{self} weights have no opposite: {self.range(bits)}")
        return (1 << bits) - 1 - codes

    def with_zero(self, bits: int) -> tuple["Encoding", int]:
        """(encoding, bits) that hold the integers of this one and 0."""
        return (self, bits) if self.has_zero else (Encoding.TWOS_COMPLEMENT, bits + 1)
