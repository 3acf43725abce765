"""From the float description to integer layers, exactly: rational arithmetic, no tolerance.

Per output channel, scale, bias, batch normalization, the divisor of average pooling, clip and
rounding are one monotone staircase of the integer accumulator, stored as thresholds.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .network import Pool, weight_values


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerLayer:
    """One layer in integers: code = count(acc >= T_t), or n_out - count where `inverted`.

    acc is sum(v * a) over the kernel, v the integer weight of a code (see network.Layer) and a
    the input code; for average pooling, the sum of that over the pooling window.

    codes: uint8 (Cout, Kh, Kw, Cin / groups); bipolar channels of negative slope are already
        complemented (q -> 2^w_bits - 1 - q, so acc -> -acc), the last layer never is.
    in_shape, conv_shape, out_shape: (H, W, C); for fc (1, 1, H * W * C) and (1, 1, Cout).
    a_bits: bits of the input codes. out_bits: bits of the output codes, None for the last layer.
    acc_min, acc_max: Python ints, bounds of acc over all inputs and channels; 0 is between them.
    thresholds: int64 (Cout, 2^out_bits - 1), nondecreasing along t, saturated to
        [acc_min, acc_max + 1]; None for the last layer.
    inverted: bool (Cout,), true for unsigned and two's complement channels of negative slope.
    slope, offset: lists of Fraction, n_out * z = slope * acc + offset with z the real value
        before the clip; slope is negative only where inverted. None for the last layer.
    logit_scale, logit_bias: float64 (Cout,), logit = scale * acc + bias, for the last layer only.
    """

    name: str
    kind: str
    codes: np.ndarray
    w_bits: int
    encoding: str
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    groups: int
    dilation: tuple[int, int]
    pool: Pool | None
    in_shape: tuple[int, int, int]
    conv_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    a_bits: int
    out_bits: int | None
    acc_min: int
    acc_max: int
    thresholds: np.ndarray | None
    inverted: np.ndarray
    slope: list[Fraction] | None
    offset: list[Fraction] | None
    logit_scale: np.ndarray | None
    logit_bias: np.ndarray | None

    @property
    def values(self):
        """Integer weights v of the codes, int16, shaped like codes."""
        return weight_values(self.codes, self.w_bits, self.encoding)

    @property
    def macs(self):
        """Multiply-accumulates per image, padded window positions included.

        Convolution pixels that no pooling window reads do not count.
        """
        pixels = self.conv_shape[0] * self.conv_shape[1]
        if self.pool is not None:
            pixels = 1
            for axis in (0, 1):
                starts = np.arange(self.out_shape[axis]) * self.pool.stride[axis]
                starts -= self.pool.padding[axis]
                read = np.unique(starts[:, None] + np.arange(self.pool.kernel[axis]))
                pixels *= int(((read >= 0) & (read < self.conv_shape[axis])).sum())
        return pixels * self.codes.size


@dataclass(frozen=True, kw_only=True, eq=False)
class IntegerNetwork:
    """A chain of integer layers on uint8 images (H, W, C) of codes below 2^input_bits."""

    name: str
    input_shape: tuple[int, int, int]
    input_bits: int
    layers: tuple[IntegerLayer, ...]

    @property
    def classes(self):
        """Number of outputs of the last layer."""
        return self.layers[-1].codes.shape[0]


def lower(network):
    """The IntegerNetwork that computes exactly what `network` (a checked Network) means."""
    layers = []
    a_bits = network.input_bits
    for layer, shapes in zip(network.layers, network.shapes, strict=True):
        layers.append(_lower_layer(layer, shapes, a_bits))
        a_bits = layer.a_bits
    return IntegerNetwork(
        name=network.name,
        input_shape=network.input_shape,
        input_bits=network.input_bits,
        layers=tuple(layers),
    )


def _lower_layer(layer, shapes, a_bits):
    last = layer.a_bits is None
    window = 1
    if layer.pool is not None and layer.pool.kind == "average":
        window = layer.pool.kernel[0] * layer.pool.kernel[1]
    slope, offset = _affine_map(layer, a_bits, window)
    negative = np.array([s < 0 for s in slope])
    codes = layer.codes
    inverted = np.zeros(layer.out_channels, bool)
    if not last and layer.encoding == "bipolar":
        codes = codes.copy()
        codes[negative] = (1 << layer.w_bits) - 1 - codes[negative]
        slope = [abs(s) for s in slope]
    elif not last:
        inverted = negative
    acc_min, acc_max = _accumulator_range(layer, codes, a_bits, window)
    thresholds = None
    if not last:
        rows = [
            _thresholds(s, o, layer.a_bits, acc_min, acc_max)
            for s, o in zip(slope, offset, strict=True)
        ]
        thresholds = np.array(rows, dtype=np.int64)
    for array in (codes, inverted, thresholds):
        if array is not None:
            array.setflags(write=False)
    return IntegerLayer(
        name=layer.name,
        kind=layer.kind,
        codes=codes,
        w_bits=layer.w_bits,
        encoding=layer.encoding,
        stride=layer.stride,
        padding=layer.padding,
        groups=layer.groups,
        dilation=layer.dilation,
        pool=layer.pool,
        in_shape=shapes.in_shape,
        conv_shape=shapes.conv_shape,
        out_shape=shapes.out_shape,
        a_bits=a_bits,
        out_bits=layer.a_bits,
        acc_min=acc_min,
        acc_max=acc_max,
        thresholds=thresholds,
        inverted=inverted,
        slope=None if last else slope,
        offset=None if last else offset,
        logit_scale=np.array([float(s) for s in slope]) if last else None,
        logit_bias=np.array([float(o) for o in offset]) if last else None,
    )


def _affine_map(layer, a_bits, window):
    """Per channel (slope, offset) as Fractions: n_out * z (logit if last) = slope acc + offset."""
    divisor = ((1 << a_bits) - 1) * window
    if layer.encoding == "bipolar":
        divisor *= (1 << layer.w_bits) - 1
    levels = 1 if layer.a_bits is None else (1 << layer.a_bits) - 1
    channels = layer.out_channels
    slope = [Fraction(float(s)) / divisor for s in np.broadcast_to(layer.scale, (channels,))]
    offset = [Fraction(0)] * channels
    if layer.bias is not None:
        offset = [Fraction(float(b)) for b in layer.bias]
    if layer.norm is not None:
        norm = layer.norm
        for channel in range(channels):
            gamma, beta, mean, sigma = (
                Fraction(float(parameter[channel]))
                for parameter in (norm.gamma, norm.beta, norm.mean, norm.sigma)
            )
            gain = gamma / sigma
            slope[channel] *= gain
            offset[channel] = gain * (offset[channel] - mean) + beta
    return [levels * s for s in slope], [levels * o for o in offset]


def _accumulator_range(layer, codes, a_bits, window):
    """Least and largest accumulator over all inputs; padding only drops terms."""
    values = weight_values(codes, layer.w_bits, layer.encoding).astype(np.int64)
    values = values.reshape(len(values), -1)
    largest = ((1 << a_bits) - 1) * window
    positive = np.maximum(values, 0).sum(axis=1).max()
    negative = np.minimum(values, 0).sum(axis=1).min()
    return int(negative) * largest, int(positive) * largest


def _thresholds(slope, offset, bits, acc_min, acc_max):
    """The 2^bits - 1 thresholds of round_half_even(slope * acc + offset), clipped to the codes.

    The result reaches t where slope * acc + offset >= t - 1/2, equality counting for even t only.
    For a negative slope they are the thresholds of levels - result.
    """
    levels = (1 << bits) - 1
    if slope == 0:
        code = min(max(round(offset), 0), levels)
        return [acc_min] * code + [acc_max + 1] * (levels - code)
    # Everything over one denominator: acc >= theta_t = above / below, in integers.
    common = slope.denominator * offset.denominator
    twice_offset = 2 * offset.numerator * slope.denominator
    below = 2 * abs(slope.numerator) * offset.denominator
    thresholds = []
    for t in range(1, levels + 1):
        above = (2 * t - 1) * common - twice_offset
        if slope > 0:
            quotient, rest = divmod(above, below)
            threshold = quotient + (rest != 0 or t % 2 == 1)
        else:
            # The result drops below t above -theta_t; at equality it does so for odd t only.
            quotient, rest = divmod(-above, below)
            threshold = quotient + (rest != 0 or t % 2 == 0)
        thresholds.append(min(max(threshold, acc_min), acc_max + 1))
    return thresholds if slope > 0 else thresholds[::-1]
