"""Where gradients lie on the activations whose products make weight gradients: parts without holes.

The weight gradient at tap k is the sum over gradients o of products with the activation at
``s o + D k - before`` (stride s, dilation D): a convolution of activations whose kernel is the map of
gradients. Its windows would have holes, with s as their dilation. But taps of one residue modulo
``s / gcd(s, D)`` read one *phase* of the map, every s-th row, and there gradients are neighbors and windows
``D / gcd`` apart.

Maps of more gradients than a kernel may have rows are cut in *bands*, whose sums add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from .shape import ConvolutionShape


@dataclass(frozen=True)
class WeightWindows:
    """One axis of a job: products of `gradients` (the kernel) and `activations` (the image, with `padding`
    before and behind) give the weight gradients of `taps`."""

    taps: slice
    gradients: slice
    activations: slice
    count: int
    stride: int
    padding: tuple[int, int]

    @property
    def kernel(self) -> int:
        """Rows or columns of its kernel."""
        return self.gradients.stop - self.gradients.start


def weight_windows(shape: ConvolutionShape, axis: int, longest: int) -> Iterator[WeightWindows]:
    """Those of an axis that meet any activation, of at most `longest` gradients."""
    stride, spread, kernel = shape.stride[axis], shape.dilation[axis], shape.kernel[axis]
    gradients = shape.out_shape[axis]
    common = gcd(stride, spread)
    bands = -(-gradients // longest)
    for first_tap in range(min(stride // common, kernel)):
        taps = slice(first_tap, kernel, stride // common)
        for band in range(bands):
            # As equal as they can be.
            used = slice(gradients * band // bands, gradients * (band + 1) // bands)
            windows = _windows(shape, axis, taps, used, spread // common)
            if windows is not None:
                yield windows


def _windows(
    shape: ConvolutionShape, axis: int, taps: slice, gradients: slice, between: int
) -> WeightWindows | None:
    """The windows of a band, `between` positions of the phase apart; None if all of them is padding."""
    stride, size = shape.stride[axis], shape.in_shape[axis]
    start = shape.dilation[axis] * taps.start + stride * gradients.start - shape.padding[axis]
    reach = gradients.stop - gradients.start + between * (len(range(*taps.indices(taps.stop))) - 1)
    ahead = max(0, -(start // stride))
    first = start + stride * ahead
    count = min(reach - ahead, -(-(size - first) // stride))
    if count <= 0:
        return None
    activations = slice(first, first + stride * (count - 1) + 1, stride)
    return WeightWindows(taps, gradients, activations, count, between, (ahead, reach - ahead - count))
