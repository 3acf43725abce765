"""From the float description to integer layers, exactly: rational arithmetic, no tolerance.

Per output channel, scale, bias, batch normalization, the divisor of average pooling, clip and
rounding are one monotone staircase of the integer accumulator, or of the integer of a residual
trunk, stored as thresholds.
"""

from fractions import Fraction

import numpy as np

from ..errors import InputError
from ..network.layer import Layer
from ..network.network import Links, Network
from ..network.parts import Rescale
from ..network.shapes import LayerShapes
from .fold import Range, accumulator_ranges, fold, read_only, rounded_range
from .integer_network import IntegerLayer, IntegerNetwork
from .steps import Affine, Round


def lower(network: Network | IntegerNetwork) -> IntegerNetwork:
    """The IntegerNetwork that computes exactly what `network` (a checked Network) means.

    An IntegerNetwork, which imported files are, is returned as it is.
    InputError names the layer whose trunk may leave its bits, with the range it reaches.
    """
    if isinstance(network, IntegerNetwork):
        return network
    layers = []
    trunks: list[list[Range] | None] = []
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


def _lower_layer(
    layer: Layer, shapes: LayerShapes, links: Links, added: list[Range] | None
) -> tuple[IntegerLayer, list[Range] | None]:
    """The IntegerLayer, and per channel the range of its trunk or None."""
    slope, offset = _affine_map(layer, links.levels)
    sums = accumulator_ranges(layer.values, 0, links.levels)
    trunk = None if layer.rescale is None else _trunk_ranges(layer, layer.rescale, sums, added)
    has_codes = layer.a_bits is not None
    chain = None
    if layer.a_bits is not None:
        chain = Affine(slope, offset), Round("ROUND", 0, (1 << layer.a_bits) - 1)
    folded = fold(chain, layer.encoding, sums, trunk, layer.pool)
    codes = layer.codes
    if folded.negated.any():
        codes = codes.copy()
        codes[folded.negated] = layer.encoding.negated(codes[folded.negated], layer.w_bits)
        slope = [abs(s) for s in slope]
    scores = not has_codes and layer.rescale is None
    lowered = IntegerLayer(
        name=layer.name,
        kind=layer.kind,
        codes=read_only(codes),
        w_bits=layer.w_bits,
        encoding=layer.encoding,
        **layer.spacing,
        pool=layer.pool,
        **shapes._asdict(),
        source=links.source,
        a_bits=links.bits,
        levels=links.levels,
        rescale=layer.rescale,
        add=links.add,
        trunk=links.trunk,
        out_bits=layer.out_bits,
        **folded.fields(),
        slope=slope if has_codes else None,
        offset=offset if has_codes else None,
        logit_scale=np.array([float(s) for s in slope]) if scores else None,
        logit_bias=np.array([float(o) for o in offset]) if scores else None,
    )
    return lowered, trunk


def _affine_map(layer: Layer, in_levels: int) -> tuple[list[Fraction], list[Fraction]]:
    """Per channel (slope, offset): n * z (logit if last) = slope * value + offset.

    in_levels: the input code that stands for 1.0.
    """
    channels = layer.out_channels
    window = layer.pool.area if layer.pool is not None and layer.pool.kind == "average" else 1
    levels = 1 if layer.a_bits is None else (1 << layer.a_bits) - 1
    offset = [Fraction(0)] * channels
    if layer.rescale is not None:
        slope = [Fraction(float(layer.rescale.scale)) / window] * channels
    else:
        divisor = in_levels * window * layer.encoding.divisor(layer.w_bits)
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


def _trunk_ranges(
    layer: Layer, rescale: Rescale, sums: list[Range], added: list[Range] | None
) -> list[Range]:
    """Per channel (least, greatest) trunk value, the trunk `added` (ranges or None) included."""
    ranges = []
    for channel, ends in enumerate(sums):
        own = rounded_range(int(rescale.m[channel]), int(rescale.b[channel]), rescale.f, ends)
        _check_trunk(layer, rescale, channel, own, "its trunk")
        if added is not None:
            own = (own[0] + added[channel][0], own[1] + added[channel][1])
            _check_trunk(layer, rescale, channel, own, f"its trunk with {layer.add} added")
        ranges.append(own)
    return ranges


def _check_trunk(layer: Layer, rescale: Rescale, channel: int, reached: Range, what: str) -> None:
    """Refuses a trunk that its bits do not hold."""
    low, high = rescale.trunk_range
    if reached[0] < low or reached[1] > high:
        raise InputError(
            f"layer {layer.name} channel {channel}: {what} reaches {reached[0]}..{reached[1]}; "
            f"accepted: {low}..{high} (rescale bits {rescale.bits})"
        )
