"""Single random layers with statistics that fit them, the parts of random networks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from ..network.encoding import Encoding
from ..network.layer import Layer
from ..network.parts import BatchNorm, Pool
from ..network.shapes import Shape, layer_shapes
from .draws import RawDraws

_CHANNELS = (1, 2, 3, 4, 5, 7, 8, 13, 16, 17, 24, 31, 33, 48, 61, 64, 67, 70)
_TRIES = 60
# Keywords of a Layer; of a geometry with "shape", that of its codes.
Fields = dict[str, Any]


class Options:
    """What the parts of a draw share: the stream and the limits."""

    def __init__(
        self,
        draws: RawDraws,
        encodings: Sequence[Encoding],
        allow_average: bool,
        allow_pool_padding: bool,
        max_channels: int,
        wide_padding: bool = True,
    ):
        self.draws = draws
        self.encodings = tuple(encodings)
        self.allow_average = allow_average
        self.allow_pool_padding = allow_pool_padding
        self.wide_padding = wide_padding
        self.channels = tuple(c for c in _CHANNELS if c <= max_channels)


def draw_geometry(options: Options, shape: Shape, share: int) -> tuple[Fields, Shape]:
    """Geometry of a convolution on `shape` within `share` MACs, and its output shape."""
    for attempt in range(_TRIES):
        # Later tries get cheaper: fewer channels to choose from.
        channels = options.channels[: max(1, len(options.channels) - attempt // 3)]
        geometry = _try_geometry(options, shape, channels)
        try:
            probe = make_layer("probe", geometry, np.zeros(geometry["shape"], np.uint8), 1, 1)
            shapes = layer_shapes(probe, shape)
        except InputError:
            continue
        rows, columns, outputs = shapes.conv_shape
        macs = rows * columns * int(np.prod(geometry["shape"]))
        # Half a share for the output leaves the next layer something to do.
        if macs <= share and 2 * int(np.prod(shapes.out_shape)) <= share:
            return geometry, shapes.out_shape
    geometry = {"kind": "conv", "shape": (1, 1, 1, shape[2]), "stride": (3, 3)}
    return geometry, (-(-shape[0] // 3), -(-shape[1] // 3), 1)


def _try_geometry(options: Options, shape: Shape, channels: Sequence[int]) -> Fields:
    draws = options.draws
    kernel = [draws.integer(1, 7) if draws.chance(3) else draws.integer(1, 4) for _ in range(2)]
    if draws.chance(2):
        kernel[1] = kernel[0]
    groups = 1
    if draws.chance(3):
        groups = draws.pick([g for g in range(1, shape[2] + 1) if shape[2] % g == 0])
    outputs = max(1, draws.pick(channels) // groups) * groups
    geometry: Fields = {
        "kind": "conv",
        "shape": (outputs, *kernel, shape[2] // groups),
        "groups": groups,
        "stride": tuple(draws.pick((1, 1, 1, 2, 3)) for _ in range(2)),
        "dilation": tuple(draws.pick((1, 1, 1, 1, 2, 3)) for _ in range(2)),
        "padding": tuple(draws.integer(0, 3) if draws.chance(2) else 0 for _ in range(4)),
    }
    if not options.wide_padding:
        reach = [(kernel[axis] - 1) * geometry["dilation"][axis] + 1 for axis in (0, 1)]
        geometry["padding"] = _within(geometry["padding"], reach)
    if draws.chance(2):
        geometry["pool"] = draw_pool(options)
    return geometry


def _within(padding: Sequence[int], reach: Sequence[int]) -> tuple[int, int, int, int]:
    """Padding that is less than a window's rows and columns, before and behind the map together."""
    top, left = (min(padding[axis], reach[axis] - 1) for axis in (0, 1))
    bottom, right = (
        min(padding[axis + 2], reach[axis] - 1 - before) for axis, before in ((0, top), (1, left))
    )
    return top, left, bottom, right


def draw_pool(options: Options) -> Pool:
    """Pooling that fits into any map of its window."""
    draws = options.draws
    kernel = (draws.integer(1, 3), draws.integer(1, 3))
    stride = kernel
    if draws.chance(4):
        stride = (draws.integer(1, kernel[0]), draws.integer(1, kernel[1]))
    if options.allow_average and draws.chance(2):
        return Pool(kind="average", kernel=kernel, stride=stride)
    padding = (0, 0, 0, 0)
    if options.allow_pool_padding and draws.chance(2):
        padding = draw_padding(draws, kernel)
        if not options.wide_padding:
            padding = _within(padding, kernel)
    return Pool(kind="max", kernel=kernel, stride=stride, padding=padding)


def draw_padding(draws: RawDraws, kernel: tuple[int, int]) -> tuple[int, int, int, int]:
    """Padding that a max pooling of `kernel` accepts: top, left, bottom, right."""
    top, left, bottom, right = (draws.integer(0, kernel[side % 2] - 1) for side in range(4))
    return top, left, bottom, right


def make_layer(
    name: str, geometry: Fields, codes: np.ndarray, w_bits: int, a_bits: int | None, **parameters: Any
) -> Layer:
    """The Layer of a drawn geometry."""
    fields = {key: value for key, value in geometry.items() if key != "shape"}
    parameters.setdefault("scale", np.float32(1))
    return Layer(name=name, codes=codes, w_bits=w_bits, a_bits=a_bits, **fields, **parameters)


def moments(values: np.ndarray, in_levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the accumulator for inputs uniform in 0..n: n / 2 and n (n + 2) / 12.

    values: integer weights int64 (Cout, ...); in_levels: n. Returns two float64 (Cout,).
    """
    values = values.reshape(len(values), -1)
    mean = values.sum(axis=1) * in_levels / 2
    variance = np.maximum((values * values).sum(axis=1), 1) * (in_levels * (in_levels + 2) / 12)
    return mean, variance


def draw_layer(
    options: Options, name: str, geometry: Fields, w_bits: int, in_levels: int, out_bits: int | None
) -> Layer:
    """A layer of the given geometry with random weights and with statistics that fit them."""
    draws = options.draws
    encoding = draws.pick(options.encodings)
    codes = draws.codes(geometry["shape"], w_bits)
    values = encoding.values(codes, w_bits).astype(np.int64)
    divisor = in_levels * encoding.divisor(w_bits)
    mean, variance = moments(values, in_levels)
    pool = geometry.get("pool")
    averaging = pool is not None and pool.kind == "average"
    if out_bits is not None and not averaging and draws.chance(4):
        parameters = _plain_parameters(draws, mean, variance, divisor, (1 << out_bits) - 1)
    else:
        parameters = _scaled_parameters(draws, mean, variance, divisor, out_bits is None)
    return make_layer(name, geometry, codes, w_bits, out_bits, encoding=encoding, **parameters)


def _plain_parameters(
    draws: RawDraws, mean: np.ndarray, variance: np.ndarray, divisor: int, levels: int
) -> Fields:
    """No batch normalization: a scale and a bias or nothing.

    Where levels * scale / divisor can be a binary fraction it is one, so that ties happen.
    Elsewhere ties could bend the staircase so that it has no affine form.
    """
    scale = divisor * 0.5 / np.sqrt(variance.max() + (mean * mean).min())
    ties = levels % divisor == 0
    if ties:
        scale = 2.0 ** (np.frexp(scale)[1] - 1)
    if draws.chance(3):
        return {"scale": np.float32(scale)}
    bias = 0.5 - scale * mean / divisor
    if ties:
        bias = np.round(bias * 8) / 8
    return {"scale": np.float32(scale), "bias": bias.astype(np.float32)}


def _scaled_parameters(
    draws: RawDraws, mean: np.ndarray, variance: np.ndarray, divisor: int, last: bool
) -> Fields:
    channels = len(mean)
    shape = (channels,) if draws.chance(4) else ()
    scale = draws.reals(shape, 0.02, 1.0).astype(np.float32)
    parameters: Fields = {"scale": scale}
    wide_scale = scale.astype(np.float64) / divisor
    bias = np.zeros(channels, np.float32)
    if draws.chance(2):
        bias = draws.reals(channels, -1.0, 1.0).astype(np.float32)
        parameters["bias"] = bias
    if last and draws.chance(2):
        return parameters
    parameters["norm"] = draw_norm(draws, wide_scale * mean + bias, wide_scale * wide_scale * variance)
    return parameters


def draw_norm(draws: RawDraws, mean: np.ndarray, variance: np.ndarray) -> BatchNorm:
    """Batch normalization of values with these moments, float64 (Cout,)."""
    channels = len(mean)
    gamma = draws.reals(channels, 0.25, 0.6)
    signs = draws.codes(channels, 1).astype(np.int64)
    zeros = draws.codes(channels, 4) == 0
    # At least one channel keeps the layer alive.
    zeros[0] = False
    gamma = np.where(zeros, 0, np.where(signs == 1, -gamma, gamma))
    return BatchNorm(
        gamma=gamma.astype(np.float32),
        beta=draws.reals(channels, 0.3, 0.7).astype(np.float32),
        mean=mean.astype(np.float32),
        var=variance.astype(np.float32),
        eps=1e-5,
    )
