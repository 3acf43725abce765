"""From the float description to integer layers, exactly: rational arithmetic, no tolerance.

Per output channel, scale, bias, batch normalization, the divisor of average pooling, clip and
rounding are one monotone staircase of the integer accumulator, or of the integer of a residual
trunk, stored as thresholds.
"""

from fractions import Fraction

import numpy as np

from ..errors import InputError
from ..network.network import weight_values
from .integer_network import IntegerLayer, IntegerNetwork

__all__ = ["IntegerLayer", "IntegerNetwork", "lower"]


def lower(network):
    """The IntegerNetwork that computes exactly what `network` (a checked Network) means.

    An IntegerNetwork, which imported files are, is returned as it is.
    InputError names the layer whose trunk may leave its bits, with the range it reaches.
    """
    if isinstance(network, IntegerNetwork):
        return network
    layers = []
    trunks = []
    for layer, shapes, links in zip(network.layers, network.shapes, network.links, strict=True):
        added = None if links.add is None else trunks[links.add]
        lowered, trunk = _lower_layer(layer, shapes, links, added)
        layers.append(lowered)
        trunks.append(trunk)
    return IntegerNetwork(
        name=network.name,
        input_shape=network.input_shape,
        input_bits=network.input_bits,
        layers=tuple(layers),
    )


def _lower_layer(layer, shapes, links, added):
    """The IntegerLayer, and per channel (least, greatest) of its trunk or None."""
    window = 1
    if layer.pool is not None and layer.pool.kind == "average":
        window = layer.pool.area
    has_codes = layer.a_bits is not None
    last = not has_codes and layer.rescale is None
    slope, offset = _affine_map(layer, links.levels, window)
    negative = np.array([s < 0 for s in slope])
    codes = layer.codes
    inverted = np.zeros(layer.out_channels, bool)
    if has_codes and layer.encoding == "bipolar" and layer.rescale is None:
        codes = codes.copy()
        codes[negative] = (1 << layer.w_bits) - 1 - codes[negative]
        slope = [abs(s) for s in slope]
    elif has_codes:
        inverted = negative
    sums = _accumulator_ranges(layer, codes, links.levels)
    trunk = None if layer.rescale is None else _trunk_ranges(layer, sums, added)
    values = sums if trunk is None else trunk
    value_min = min(low for low, _ in values) * window
    value_max = max(high for _, high in values) * window
    thresholds = None
    if has_codes:
        rows = [
            _thresholds(s, o, layer.a_bits, value_min, value_max) for s, o in zip(slope, offset, strict=True)
        ]
        thresholds = np.array(rows, dtype=np.int64)
    for array in (codes, inverted, thresholds):
        if array is not None:
            array.setflags(write=False)
    lowered = IntegerLayer(
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
        source=links.source,
        a_bits=links.bits,
        levels=links.levels,
        rescale=layer.rescale,
        add=links.add,
        trunk=links.trunk,
        code_bits=layer.a_bits,
        out_bits=layer.out_bits,
        acc_min=min(low for low, _ in sums),
        acc_max=max(high for _, high in sums),
        value_min=value_min,
        value_max=value_max,
        thresholds=thresholds,
        inverted=inverted,
        slope=slope if has_codes else None,
        offset=offset if has_codes else None,
        logit_scale=np.array([float(s) for s in slope]) if last else None,
        logit_bias=np.array([float(o) for o in offset]) if last else None,
    )
    return lowered, trunk


def _affine_map(layer, in_levels, window):
    """Per channel (slope, offset) as Fractions: n * z (logit if last) = slope * value + offset."""
    channels = layer.out_channels
    levels = 1 if layer.a_bits is None else (1 << layer.a_bits) - 1
    offset = [Fraction(0)] * channels
    if layer.rescale is not None:
        slope = [Fraction(float(layer.rescale.scale)) / window] * channels
    else:
        divisor = in_levels * window
        if layer.encoding == "bipolar":
            divisor *= (1 << layer.w_bits) - 1
        scales = np.broadcast_to(layer.scale, (channels,))
        slope = [Fraction(float(s)) / divisor for s in scales]
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


def _accumulator_ranges(layer, codes, levels):
    """Per channel (least, greatest) accumulator over all inputs; padding only drops terms."""
    values = weight_values(codes, layer.w_bits, layer.encoding).reshape(len(codes), -1)
    negative = np.minimum(values, 0).sum(axis=1, dtype=np.int64).tolist()
    positive = np.maximum(values, 0).sum(axis=1, dtype=np.int64).tolist()
    return [(low * levels, high * levels) for low, high in zip(negative, positive, strict=True)]


def _trunk_ranges(layer, sums, added):
    """Per channel (least, greatest) trunk value, the trunk `added` (ranges or None) included.

    t grows with acc, or falls with it where m is negative, so the ends of acc give those of t.
    """
    rescale = layer.rescale
    ranges = []
    for channel, ends in enumerate(sums):
        m, b = int(rescale.m[channel]), int(rescale.b[channel])
        own = sorted(round(Fraction(m * acc + b, 1 << rescale.f)) for acc in ends)
        _check_trunk(layer, channel, own, "its trunk")
        if added is not None:
            own = [own[0] + added[channel][0], own[1] + added[channel][1]]
            _check_trunk(layer, channel, own, f"its trunk with {layer.add} added")
        ranges.append(tuple(own))
    return ranges


def _check_trunk(layer, channel, reached, what):
    low, high = layer.rescale.trunk_range
    if reached[0] < low or reached[1] > high:
        raise InputError(
            f"layer {layer.name} channel {channel}: {what} reaches {reached[0]}..{reached[1]}; "
            f"accepted: {low}..{high} (rescale bits {layer.rescale.bits})"
        )


def _thresholds(slope, offset, bits, low, high):
    """The 2^bits - 1 thresholds of round_half_even(slope * value + offset), clipped to the codes.

    value lies in low..high. The result reaches t where slope * value + offset >= t - 1/2, equality
    counting for even t only. For a negative slope they are the thresholds of levels - result.
    """
    levels = (1 << bits) - 1
    if slope == 0:
        code = min(max(round(offset), 0), levels)
        return [low] * code + [high + 1] * (levels - code)
    # Everything over one denominator: value >= theta_t = above / below, in integers.
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
        thresholds.append(min(max(threshold, low), high + 1))
    return thresholds if slope > 0 else thresholds[::-1]
