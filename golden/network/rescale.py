"""The rounding into a residual trunk that is closest to a layer's real values."""

from fractions import Fraction

import numpy as np

from ..errors import InputError
from .layer import Layer
from .parts import B_BITS, MAX_SHIFT, Rescale


def rescale_of(layer: Layer, levels: int, scale: float, bits: int = 16) -> Rescale:
    """The Rescale whose trunk is closest to the real values of `layer` (a Layer without rescale).

    levels: the code of the layer's input that stands for 1.0; scale: the trunk's unit, a number
    that is rounded to float32; bits: see Rescale. m / 2^f is the layer's scale over all divisors
    and the unit, b / 2^f its bias over the unit, with |m| below 2^16 and the greatest f that
    allows, then without common factors of two. InputError where no f does.
    """
    unit = Fraction(float(np.float32(scale)))
    if not unit > 0:
        raise InputError(f"layer {layer.name}: trunk scale is {scale}; accepted: more than 0")
    divisor = levels * layer.encoding.divisor(layer.w_bits)
    channels = layer.out_channels
    gains = [Fraction(float(s)) / divisor / unit for s in np.broadcast_to(layer.scale, (channels,))]
    bias = np.zeros(channels) if layer.bias is None else layer.bias
    shifts = [Fraction(float(b)) / unit for b in bias]
    for f in range(MAX_SHIFT, -1, -1):
        m = [round(gain * (1 << f)) for gain in gains]
        b = [round(shift * (1 << f)) for shift in shifts]
        if max(map(abs, m)) < 1 << 16 and max(map(abs, b)) < 1 << (B_BITS - 1):
            break
    else:
        raise InputError(
            f"layer {layer.name}: trunk scale is {scale}, a step of the accumulator is "
            f"{float(max(map(abs, gains))):g} of it and the bias at most "
            f"{float(max(map(abs, shifts))):g}; "
            f"accepted: a scale with less than {1 << 16} and less than 2^{B_BITS - 1}"
        )
    while f and not any(value & 1 for value in m + b):
        m, b, f = [value >> 1 for value in m], [value >> 1 for value in b], f - 1
    return Rescale(m=np.array(m, np.int64), b=np.array(b, np.int64), f=f, scale=np.float32(scale), bits=bits)
