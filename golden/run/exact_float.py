"""The float golden: runs a Network as described, without thresholds, and is exact all the same.

Every layer is evaluated in float64 together with a bound for its rounding error. Where the bound
reaches a rounding boundary of the quantizer, the element is evaluated again with fractions.
"""

from fractions import Fraction

import numpy as np

from ..network.layer import Layer
from ..network.network import Network
from ..network.quantized_network import check_images
from . import float_layers
from .graph import Computed, result_values, run_graph

# Half the distance from 1 to the next float64: bound of one operation's relative error.
_UNIT = 2.0**-53
# Roundings on the longest way from an integer sum to n * y: scale, divisor, bias, mean, gamma,
# sigma, beta, n.
_ROUNDINGS = 8


def run_float(network: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """Results of every layer of a Network, the same dict as `run_integer` returns.

    images: uint8 (batch, H, W, C) of codes below 2^input_bits.
    """
    check_images(network, images)

    def compute(index: int, codes: np.ndarray, added: np.ndarray | None) -> Computed:
        inputs = codes.reshape(-1, *network.shapes[index].in_shape)
        return _run_layer(network.layers[index], inputs, network.links[index].levels, added)

    return run_graph(images, network.layers, network.links, network.shapes, compute)


def _run_layer(layer: Layer, inputs: np.ndarray, in_levels: int, added: np.ndarray | None) -> Computed:
    """(codes, trunk) of a Layer, see run_graph."""
    values = _sums(layer, inputs)
    trunk = None
    if layer.rescale is not None:
        trunk = float_layers.round_to_trunk(values, layer.rescale)
        if added is not None:
            trunk = trunk + added
        # Far below 2^53, so exact.
        values = trunk.astype(np.float64)
    elif layer.a_bits is None:
        return result_values(values.astype(np.int64)), None
    codes = None if layer.a_bits is None else _Quantizer(layer, layer.a_bits, in_levels).codes(values)
    return codes, trunk


def _sums(layer: Layer, codes: np.ndarray) -> np.ndarray:
    """sum(v * a) as float64, exact: integers far below 2^53. The common divisors come later."""
    inputs = codes.astype(np.float64)
    if layer.kind == "fc":
        return float_layers.fully_connected(inputs, layer.values)[:, None, None, :]
    return float_layers.convolve(inputs, layer.values, **layer.spacing)


class _Quantizer:
    """Scale, bias, batch normalization, pooling, clip and rounding of one layer.

    a_bits: the layer's; in_levels: the input code that stands for 1.0. With rescale the sums are trunk
    values.
    """

    def __init__(self, layer: Layer, a_bits: int, in_levels: int):
        self.layer = layer
        self.levels = (1 << a_bits) - 1
        if layer.rescale is not None:
            self.scale, self.bias, self.divisor = layer.rescale.scale, None, 1
        else:
            self.scale, self.bias = layer.scale, layer.bias
            self.divisor = in_levels * layer.encoding.divisor(layer.w_bits)
        self.scales = np.broadcast_to(self.scale, (layer.out_channels,))
        # Pooling in front of the quantizer, or behind it, where codes are summed.
        self.pool, self.code_pool = layer.pool, None
        if layer.pool is not None and layer.pool.kind == "average_codes":
            self.pool, self.code_pool = None, layer.pool
        self._exact_values: dict[tuple[int, int], Fraction] = {}

    def codes(self, sums: np.ndarray) -> np.ndarray:
        """uint8 codes (batch, Ho, Wo, C) of the sums (batch, H, W, C) before pooling."""
        values, bound = self._values(sums)
        scaled = self.levels * float_layers.clip(values)
        codes = np.rint(scaled).astype(np.uint8)
        # Clipping moves two values no further apart, so the bound holds after it.
        distance = np.abs(scaled - np.floor(scaled) - 0.5)
        for index in np.argwhere(distance <= self.levels * bound):
            codes[tuple(index)] = self._exact_code(sums, *index)
        return codes if self.code_pool is None else float_layers.sum_codes(codes, self.code_pool)

    def _values(self, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Real values before the clip and a bound for their absolute error.

        Stored float32 parameters keep all products far from underflow and overflow, so every
        operation has a relative error of at most _UNIT, and the sum over the terms' magnitudes
        bounds the error whatever cancels. Twice the count covers second order and the bound's own
        rounding.
        """
        norm, pool = self.layer.norm, self.pool
        values = sums * self.scale.astype(np.float64) / self.divisor
        magnitude = np.abs(values)
        if self.bias is not None:
            values = values + self.bias.astype(np.float64)
            magnitude += np.abs(self.bias)
        if norm is not None:
            values = float_layers.batch_norm(values, norm)
            magnitude += np.abs(norm.mean)
            magnitude *= np.abs(norm.gamma) / norm.sigma
            magnitude += np.abs(norm.beta)
        roundings = _ROUNDINGS
        if pool is not None and pool.kind == "average":
            roundings += pool.area
            values = float_layers.average_pool(values, pool)
            magnitude = float_layers.average_pool(magnitude, pool)
        elif pool is not None:
            values = float_layers.max_pool(values, pool)
            magnitude = float_layers.max_pool(magnitude, pool)
        return values, 2 * roundings * _UNIT * magnitude

    def _exact_code(self, sums: np.ndarray, image: int, row: int, column: int, channel: int) -> int:
        """The code of one output element in rational arithmetic."""
        pool = self.pool
        if pool is None:
            window = sums[image, row : row + 1, column : column + 1, channel]
        else:
            y, x = pool.start(0, row), pool.start(1, column)
            window = sums[
                image,
                max(y, 0) : y + pool.kernel[0],
                max(x, 0) : x + pool.kernel[1],
                channel,
            ]
        values = [self._exact_value(int(total), channel) for total in window.flat]
        if pool is not None and pool.kind == "average":
            value = sum(values) / len(values)
        else:
            value = max(values)
        return round(self.levels * min(max(value, 0), 1))

    def _exact_value(self, total: int, channel: int) -> Fraction:
        """The real value before pooling of one integer sum, as a Fraction."""
        known = self._exact_values.get((total, channel))
        if known is not None:
            return known
        norm = self.layer.norm
        value = Fraction(float(self.scales[channel])) * total / self.divisor
        if self.bias is not None:
            value += Fraction(float(self.bias[channel]))
        if norm is not None:
            gamma, beta, mean, sigma = (
                Fraction(float(parameter[channel]))
                for parameter in (norm.gamma, norm.beta, norm.mean, norm.sigma)
            )
            value = gamma * (value - mean) / sigma + beta
        self._exact_values[total, channel] = value
        return value
