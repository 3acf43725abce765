"""A layer's convolution as the training step sees it: sizes and widths, no numbers."""

from dataclasses import dataclass, replace

from .. import checks
from ..errors import InputError
from ..network.geometry import Geometry
from ..network.layer import MAX_BITS


@dataclass(frozen=True, kw_only=True)
class ConvolutionShape(Geometry):
    """A convolution of maps `in_shape` (H, W, C) with `channels` output channels; `w_bits`, `a_bits` and
    `g_bits` wide weights, activations and gradients, 1..8 each.

    A fully connected layer is a convolution whose kernel covers the map. InputError for a geometry that is
    none, see Geometry, for other widths, for channels that `groups` does not divide and for windows larger
    than the padded map.
    """

    name: str
    in_shape: tuple[int, int, int]
    channels: int
    w_bits: int
    a_bits: int
    g_bits: int

    def __post_init__(self) -> None:
        where = f"layer {self.name}:"
        self._normalize(where)
        object.__setattr__(self, "in_shape", checks.integers(self.in_shape, f"{where} in_shape", "HWC", 1))
        checks.integer(self.channels, f"{where} channels", 1)
        for bits in ("w_bits", "a_bits", "g_bits"):
            checks.integer(getattr(self, bits), f"{where} {bits}", 1, MAX_BITS)
        for name, count in (("in_shape C", self.in_shape[2]), ("channels", self.channels)):
            if count % self.groups:
                raise InputError(f"{where} {name} is {count}; accepted: multiples of groups = {self.groups}")
        if min(self.output_size(self.in_shape)) < 1:
            rows, columns = self.padded(self.in_shape)
            raise InputError(
                f"{where} windows of {self.reach[0]} x {self.reach[1]} pixels on a padded map of {rows} x "
                f"{columns}; accepted: windows that fit"
            )

    @property
    def weights_shape(self) -> tuple[int, int, int, int]:
        """(Cout, Kh, Kw, Cin / groups)."""
        return (self.channels, *self.kernel, self.in_shape[2] // self.groups)

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """(Ho, Wo, Cout)."""
        return (*self.output_size(self.in_shape[:2]), self.channels)

    @property
    def covers_map(self) -> bool:
        """Whether the kernel covers the map and nothing else: a fully connected layer."""
        return self.kernel == self.in_shape[:2] and not any(self.padding)

    def on_one_pixel(self) -> "ConvolutionShape":
        """The same sums of a layer that covers its map, without groups, on maps of one pixel with H W C
        channels: operands in the same order with other shapes."""
        pixels, channels = self.area, self.in_shape[2]
        return replace(
            self, in_shape=(1, 1, pixels * channels), kernel=(1, 1), stride=(1, 1), dilation=(1, 1)
        )
