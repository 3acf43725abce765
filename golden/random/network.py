"""Small random networks and images for regressions: every kind of layer, codes well spread."""

from collections.abc import Sequence

import numpy as np

from .. import checks
from ..errors import InputError
from ..network.encoding import Encoding
from ..network.layer import MAX_BITS
from ..network.network import Network
from ..network.quantized_network import QuantizedNetwork
from .draws import RawDraws
from .layers import Options, draw_geometry, draw_layer
from .residual import BLOCK_LAYERS, ResidualLayers


def random_network(
    seed: int,
    *,
    w_bits: int | None = None,
    a_bits: int | None = None,
    input_bits: int | None = None,
    conv_layers: int | None = None,
    encodings: Sequence[str] = (Encoding.BIPOLAR,),
    allow_average: bool = False,
    allow_pool_padding: bool = False,
    wide_padding: bool = True,
    residual: bool = False,
    max_macs: int = 300_000,
    max_size: int = 14,
    max_channels: int = 70,
) -> Network:
    """A Network of 1 to 4 convolutions and a fully connected layer, the same for the same seed.

    Kernels of 1 to 7, strides of 1 to 3, padding, dilation, groups, max pooling (overlapping at
    times), batch normalization with slopes of either sign and some of zero, layers with bias or
    neither. Statistics are derived from the accumulators' scale, so that codes spread.

    w_bits, a_bits: bits of all weights and activations, 1..8; None draws them for every layer.
    input_bits: None is a_bits, or drawn if that is None too. conv_layers: number of convolutions,
    None draws it. residual: the convolutions behind the first become blocks of 2 to 4 layers around
    a residual trunk, with 1x1 and other shortcuts or the trunk of the block before, sums of up to 4
    terms, averages of trunk and codes. encodings: those to draw from. max_macs: bound for the sum of
    all layers. max_size, max_channels: bounds for the height and width of the image and for every layer.
    allow_average: average pooling in a chain; allow_pool_padding: padding of max pooling;
    wide_padding: padding, of two sides together, as wide as a window and wider.
    """
    for name, bits in (("w_bits", w_bits), ("a_bits", a_bits), ("input_bits", input_bits)):
        if bits is not None:
            checks.integer(bits, f"random_network: {name}", 1, MAX_BITS)
    checks.integer(max_macs, "random_network: max_macs", 20_000)
    checks.integer(max_size, "random_network: max_size", 1, 14)
    checks.integer(max_channels, "random_network: max_channels", 1, 70)
    if not encodings:
        raise InputError(f"random_network: encodings is {encodings!r}; accepted: one or more names")
    members = [Encoding.of(encoding, "random_network: encodings") for encoding in encodings]
    draws = RawDraws(seed)
    count = draws.integer(1, 4)
    if conv_layers is not None:
        count = checks.integer(conv_layers, "random_network: conv_layers", 1, 4)
    drawn_bits = draws.integer(1, MAX_BITS)
    in_bits = input_bits or a_bits or drawn_bits
    shape = (
        draws.integer(max(1, max_size // 2), max_size),
        draws.integer(max(1, max_size // 2), max_size),
        min(max_channels, draws.pick((1, 2, 3, 3, 4, 5, 7))),
    )
    options = Options(draws, members, allow_average, allow_pool_padding, max_channels, wide_padding)
    input_shape, levels = shape, (1 << in_bits) - 1
    if residual:
        share = max_macs // (BLOCK_LAYERS * (count - 1) + 2)
        drawn = ResidualLayers(options, shape, levels, share, w_bits, a_bits)
        drawn.stem()
        for number in range(1, count):
            drawn.block(f"block{number}")
        layers, (_, shape, levels) = drawn.layers, drawn.codes
    else:
        share = max_macs // (count + 1)
        layers = []
        for number in range(count):
            out_bits = a_bits or draws.integer(1, MAX_BITS)
            geometry, shape = draw_geometry(options, shape, share)
            weight_bits = w_bits or draws.integer(1, MAX_BITS)
            layers.append(draw_layer(options, f"conv{number}", geometry, weight_bits, levels, out_bits))
            levels = (1 << out_bits) - 1
    size = shape[0] * shape[1] * shape[2]
    classes = draws.integer(1, min(12, share // size))
    geometry = {"kind": "fc", "shape": (classes, 1, 1, size)}
    weight_bits = w_bits or draws.integer(1, MAX_BITS)
    layers.append(draw_layer(options, "fc", geometry, weight_bits, levels, None))
    return Network(name=f"random{seed}", input_shape=input_shape, input_bits=in_bits, layers=tuple(layers))


def random_images(network: QuantizedNetwork, count: int, seed: int) -> np.ndarray:
    """Uniform random images: uint8 (count, H, W, C) for a Network or an IntegerNetwork."""
    checks.integer(count, "random_images: count", 1)
    return RawDraws(seed).codes((count, *network.input_shape), network.input_bits)
