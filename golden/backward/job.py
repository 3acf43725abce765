"""What one pass of a forward bit-convolution engine computes, and what a runner of it is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..network.geometry import Geometry


@dataclass(frozen=True, kw_only=True)
class Job(Geometry):
    """A convolution of unsigned codes with bipolar weight codes that a training step asks for again and again
    with other operands: ``sum((2 w - n_w) a)`` with ``n_w = 2^w_bits - 1``, code 0 in the padding.

    `layer`: name of the layer it serves; `kind`: ``forward``, ``input`` (gradients and weights), ``border``
    (a map of ones and weights) or ``weight`` (activations and gradients); `form` of ``weight``: ``P`` or
    ``B``; `part`: its number among the jobs of that layer and kind. `in_shape` (H, W, C) of its images,
    `out_channels` of its results, all groups together. `shared_weights`: every channel group has the same
    weights, which are given once.
    """

    layer: str
    kind: str
    form: str = ""
    part: int = 0
    in_shape: tuple[int, int, int]
    out_channels: int
    w_bits: int
    a_bits: int
    shared_weights: bool = False

    def __post_init__(self) -> None:
        self._normalize(f"job {self.name}:")

    @property
    def name(self) -> str:
        """Layer, kind, form and part, as reports show them."""
        return " ".join(filter(None, (self.layer, self.kind, self.form, str(self.part))))

    @property
    def weights_shape(self) -> tuple[int, int, int, int]:
        """(channels, Kh, Kw, Cin / groups) of the weights as they are given."""
        channels = self.out_channels // self.groups if self.shared_weights else self.out_channels
        return (channels, *self.kernel, self.in_shape[2] // self.groups)

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """(Ho, Wo, channels) of the sums of one image."""
        return (*self.output_size(self.in_shape[:2]), self.out_channels)

    @property
    def macs(self) -> int:
        """Products of an image, those of padded positions included."""
        rows, columns, channels = self.out_shape
        return rows * columns * channels * self.area * (self.in_shape[2] // self.groups)


# run(job, images uint8 (N, H, W, C), weights uint8 (M, *job.weights_shape), M = 1 for the same weights for
# all images, or N) -> int64 (N, Ho, Wo, out_channels).
Runner = Callable[[Job, np.ndarray, np.ndarray], np.ndarray]
