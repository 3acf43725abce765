"""Reproducible random weights and statistics in a realistic range, so that codes spread."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from ..network.encoding import Encoding
from ..network.layer import INPUT, Layer
from ..network.network import Network
from ..network.parts import BatchNorm
from ..network.rescale import rescale_of
from ..network.shapes import Shape
from ..random.draws import RawDraws
from .architecture import LayerSpec, Plan

# By how much the maximum of a window of so many pixels lies above its mean, for outputs with a standard
# deviation of about 0.4 behind batch normalization. The pixels of an overlapping 3x3 window are much alike.
_MAXIMUM = {4: 0.4, 9: 0.5}
# Share of the variance that is left in the mean of 2x2 neighboring pixels, which are much alike.
_AVERAGE_SHARE = 0.4
# Bound for the magnitude of a trunk; the rest of 16 bits is for roundings.
_LARGEST_TRUNK = 32_000


def random_weights(plan: Plan, seed: int) -> Network:
    """The network of `plan` with weights for `seed`.

    Weight codes are uniform. Statistics fit uniform input codes; those of a sum of a residual trunk
    are the sums of those of its terms. The same bits for the same arguments on every machine.
    """
    builder = _Builder(plan, RawDraws(seed))
    before = plan.architecture.layers[0].source or INPUT
    # Layer name -> the output code that stands for 1.0, where it has codes.
    levels_of = {before: (1 << plan.input_bits) - 1}
    layers = []
    for spec, w_bits, out_bits, shape in zip(
        plan.architecture.layers, plan.w_bits, plan.a_bits, plan.shapes, strict=True
    ):
        levels = levels_of[spec.source or before]
        layer = builder.layer(spec, shape.in_shape, w_bits, levels, out_bits)
        layers.append(layer)
        before = spec.name
        if layer.levels is not None:
            levels_of[before] = layer.levels
    return Network(
        name=plan.architecture.name,
        input_shape=plan.architecture.input_shape,
        input_bits=plan.input_bits,
        layers=tuple(layers),
    )


class _Builder:
    """What the layers of one network share: the stream of draws, trunk units, statistics."""

    def __init__(self, plan: Plan, draws: RawDraws):
        self.draws = draws
        # Layer name -> mean and variance of its trunk.
        self._trunks: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._units = _trunk_units(plan)

    def layer(
        self, spec: LayerSpec, in_shape: Shape, w_bits: int, levels: int, out_bits: int | None
    ) -> Layer:
        """Uniform weight codes; statistics that fit uniform input codes, so that outputs spread."""
        draws = self.draws
        codes = draws.codes(spec.weights_shape(in_shape), w_bits)
        scale = _weight_scale(spec, codes[0].size, w_bits, out_bits)
        mean, var = _moments(codes, w_bits, scale, levels)
        parameters: dict[str, Any] = {}
        if spec.bias:
            bias = draws.reals(spec.channels, -0.5, 0.5)
            if not spec.norm and out_bits is not None:
                # Nothing else centers the outputs, whose standard deviation is about 0.3.
                bias = 0.5 - _above_mean(spec) * 0.75 - mean + bias / 2
            parameters["bias"] = bias.astype(np.float32)
            mean = mean + parameters["bias"]
        if spec.trunk:
            if spec.add is not None:
                added = self._trunks[spec.add]
                mean, var = mean + added[0], var + added[1]
            self._trunks[spec.name] = mean, var
        if spec.norm:
            parameters["norm"] = _random_norm(spec, mean, var, draws)
        parameters |= {"codes": codes, "w_bits": w_bits, "scale": scale, "a_bits": out_bits}
        if not spec.trunk:
            return spec.layer(**parameters)
        plain = replace(spec, add=None).layer(**parameters)
        rescale = rescale_of(plain, levels, self._units[spec.name])
        return replace(plain, rescale=rescale, add=spec.add)


def _weight_scale(spec: LayerSpec, fan_in: int, w_bits: int, out_bits: int | None) -> np.float32:
    """The scale of weights: their variance is 1 / fan_in where no statistics correct it."""
    if w_bits > 1 and (out_bits is None or spec.norm) and not spec.trunk:
        return np.float32(1)
    # Variance of weights that are uniform over their grid of -1 to 1.
    levels = (1 << w_bits) - 1
    return np.float32(np.sqrt(3 * levels / ((levels + 2) * fan_in)))


def _trunk_units(plan: Plan) -> dict[str, float]:
    """Layer name -> unit of its trunk, one for all layers that add up.

    The least power of two with which the sum of the largest outputs that any weights and inputs
    could give still fits.
    """
    roots: dict[str, str] = {}
    bounds: dict[str, float] = {}
    for spec, w_bits, shape in zip(plan.architecture.layers, plan.w_bits, plan.shapes, strict=True):
        if spec.trunk:
            root = spec.name if spec.add is None else roots[spec.add]
            roots[spec.name] = root
            fan_in = math.prod(spec.weights_shape(shape.in_shape)[1:])
            bound = fan_in * float(_weight_scale(spec, fan_in, w_bits, 0))
            bounds[root] = bounds.get(root, 0) + bound
    # frexp is exact: bound / largest is a fraction of at least 1/2 and below 1 times 2^exponent.
    units = {root: math.ldexp(1.0, math.frexp(bound / _LARGEST_TRUNK)[1]) for root, bound in bounds.items()}
    return {name: units[root] for name, root in roots.items()}


def _moments(codes: np.ndarray, w_bits: int, scale: np.float32, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance per channel of the real outputs for input codes uniform in 0..levels."""
    values = Encoding.BIPOLAR.values(codes, w_bits).reshape(len(codes), -1)
    # The inputs as reals code / n have mean 1/2 and variance (n + 2) / 12n.
    unit = float(scale) / Encoding.BIPOLAR.divisor(w_bits)
    mean = unit * values.sum(axis=1, dtype=np.int64) / 2
    squares = np.einsum("ij,ij->i", values, values, dtype=np.int64)
    return mean, unit * unit * squares * ((levels + 2) / (12 * levels))


def _above_mean(spec: LayerSpec) -> float:
    if spec.pool is None or spec.pool.kind != "max":
        return 0
    # Elsewhere it grows about as much with every doubling.
    return _MAXIMUM.get(spec.pool.area, 0.18 * (spec.pool.area.bit_length() - 1))


def _random_norm(spec: LayerSpec, mean: np.ndarray, var: np.ndarray, draws: RawDraws) -> BatchNorm:
    if spec.pool is not None and spec.pool.kind == "average":
        var = var * _AVERAGE_SHARE
    gamma = draws.reals(spec.channels, 0.25, 0.6)
    # One channel in eight has a negative slope, as trained networks have some.
    negative = draws.codes(spec.channels, 3) == 0
    beta = draws.reals(spec.channels, 0.3, 0.7) - _above_mean(spec)
    if not spec.positive_slopes:
        gamma = np.where(negative, -gamma, gamma)
    return BatchNorm(
        gamma=gamma.astype(np.float32),
        beta=beta.astype(np.float32),
        mean=mean.astype(np.float32),
        var=var.astype(np.float32),
        eps=1e-4,
    )
