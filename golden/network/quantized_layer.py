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
