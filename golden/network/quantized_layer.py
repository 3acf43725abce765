"""What a layer has in every form, in float and in integers: weight codes, windows, what follows it."""

from dataclasses import dataclass, field

import numpy as np

from .encoding import Encoding
from .geometry import Geometry
from .parts import Pool, Rescale


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedLayer(Geometry):
    """A convolution ("conv") or fully connected layer ("fc"); equal to itself only.

    codes: uint8 (Cout, Kh, Kw, Cin / groups); fc: (Cout, 1, 1, H * W * C), input flattened NHWC. They give
    the kernel; the rest of the Geometry is given. Padding has the value 0.
    encoding: which integer weight v a code of w_bits bits stands for.
    """

    name: str
    kind: str
    codes: np.ndarray
    w_bits: int
    encoding: Encoding
    pool: Pool | None
    rescale: Rescale | None
    kernel: tuple[int, int] = field(init=False)

    __eq__, __hash__ = object.__eq__, object.__hash__

    @property
    def out_channels(self) -> int:
        """Number of output channels."""
        return self.codes.shape[0]

    @property
    def values(self) -> np.ndarray:
        """Integer weights v of the codes, int16, shaped like codes."""
        return self.encoding.values(self.codes, self.w_bits)

    def _line(self, a_bits: int | None) -> str:
        """As ``Layer('conv1', conv 3x3, 16 -> 32 channels, W1 bipolar, A2)``; a_bits: of its quantizer."""
        window = "{}x{}".format(*self.kernel)
        parts = [
            repr(self.name),
            f"conv {window}" if self.kind == "conv" else self.kind,
            f"{self.codes.shape[3] * self.groups} -> {self.out_channels} channels",
            f"W{self.w_bits} {self.encoding}",
        ]
        if self.pool is not None:
            parts.append("{} pool {}x{}".format(self.pool.kind, *self.pool.kernel))
        if a_bits is not None:
            parts.append(f"A{a_bits}")
        return f"{type(self).__name__}({', '.join(parts)})"
