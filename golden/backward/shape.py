"""A layer's convolution as the training step sees it: sizes and widths, no numbers."""

from dataclasses import dataclass

from ..network.geometry import Geometry


@dataclass(frozen=True, kw_only=True)
class ConvolutionShape(Geometry):
    """A convolution of maps `in_shape` (H, W, C) with `channels` output channels; `w_bits`, `a_bits` and
    `g_bits` wide weights, activations and gradients, 1..8 each.

    A fully connected layer is a convolution whose kernel covers the map. InputError for a geometry that is
    none, see Geometry.
    """

    name: str
    in_shape: tuple[int, int, int]
    channels: int
    w_bits: int
    a_bits: int
    g_bits: int

    def __post_init__(self) -> None:
        self._normalize(f"layer {self.name}:")

    @property
    def weights_shape(self) -> tuple[int, int, int, int]:
        """(Cout, Kh, Kw, Cin / groups)."""
        return (self.channels, *self.kernel, self.in_shape[2] // self.groups)

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """(Ho, Wo, Cout)."""
        return (*self.output_size(self.in_shape[:2]), self.channels)
