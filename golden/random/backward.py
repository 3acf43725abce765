"""Random convolutions of a training step with operands for all three of its convolutions."""

from dataclasses import dataclass

import numpy as np

from ..backward.shape import ConvolutionShape
from ..errors import InputError
from .draws import RawDraws

# Coprime to the 512 triples of widths, so that neighbors differ in all three.
_LEAP = 293


@dataclass(frozen=True)
class ConvolutionCase:
    """A convolution and its operands: `activations` uint8 (N, H, W, C), `weights` uint8 (Cout, Kh, Kw,
    Cin / groups), `gradients` uint8 (N, Ho, Wo, Cout) and their `scales` int64 (N,)."""

    shape: ConvolutionShape
    activations: np.ndarray
    weights: np.ndarray
    gradients: np.ndarray
    scales: np.ndarray


def widths_of(number: int) -> tuple[int, int, int]:
    """(W, A, G) of case `number`: every triple of 1..8 once in 512 cases, every width soon."""
    index = number * _LEAP % 512
    return 1 + index // 64, 1 + index // 8 % 8, 1 + index % 8


def random_convolution(draws: RawDraws, widths: tuple[int, int, int], largest_scale: int) -> ConvolutionCase:
    """A case with `widths` (W, A, G): kernels 1..5, or one that covers the map, stride and dilation 1..3,
    padding 0..3 a side, maps 1..13, groups 1..3 with 1..4 channels each, 1..3 samples; scales
    0..`largest_scale`, both ends often."""
    w_bits, a_bits, g_bits = widths
    while True:
        groups = draws.pick((1, 1, 1, 2, 3))
        channels = groups * draws.integer(1, 4)
        size = draws.integer(1, 13), draws.integer(1, 13)
        kernel = draws.integer(1, 5), draws.integer(1, 5)
        dilation, padding = (1, 1), (0, 0, 0, 0)
        # Once in four a layer that covers its map.
        if draws.chance(4):
            kernel = size
        else:
            top, left, bottom, right = (draws.integer(0, 3) for _ in range(4))
            padding = (top, left, bottom, right)
            if draws.chance(2):
                dilation = draws.integer(1, 3), draws.integer(1, 3)
        try:
            shape = ConvolutionShape(
                name="layer",
                in_shape=(*size, groups * draws.integer(1, 4)),
                channels=channels,
                kernel=kernel,
                stride=(draws.integer(1, 3), draws.integer(1, 3)),
                padding=padding,
                dilation=dilation,
                groups=groups,
                w_bits=w_bits,
                a_bits=a_bits,
                g_bits=g_bits,
            )
        except InputError:
            continue
        break
    samples = draws.integer(1, 3)
    scales = [draws.pick((0, largest_scale, draws.integer(0, largest_scale))) for _ in range(samples)]
    return ConvolutionCase(
        shape,
        activations=draws.codes((samples, *shape.in_shape), a_bits),
        weights=draws.codes(shape.weights_shape, w_bits),
        gradients=draws.codes((samples, *shape.out_shape), g_bits),
        scales=np.array(scales, np.int64),
    )
