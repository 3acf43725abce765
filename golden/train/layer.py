"""One layer in training: its float parameters, and what it remembers between forward and backward."""

from dataclasses import replace

import numpy as np

from ..backward.shape import ConvolutionShape
from ..network.layer import Layer
from ..network.parts import BatchNorm
from ..network.shapes import LayerShapes
from ..quantizers.dorefa import quantize_activations_backward, quantize_weights
from ..zoo.architecture import LayerSpec
from . import layers, pooling
from .convolution import Convolution, Parameters
from .recipe import FLOAT, LayerBits

NORM_EPS = 1e-4
# Least weight of a batch in the running statistics of batch normalization.
NORM_SHARE = 0.01


def convolution_shape(spec: LayerSpec, in_shape: tuple[int, int, int], bits: LayerBits) -> ConvolutionShape:
    """The convolution of a layer on maps of `in_shape`."""
    return ConvolutionShape(
        name=spec.name,
        in_shape=in_shape,
        channels=spec.channels,
        kernel=spec.kernel,
        **spec.spacing,
        w_bits=bits.weights,
        a_bits=bits.reads,
        g_bits=bits.gradients,
    )


class TrainLayer:
    """Convolution, trunk, batch normalization, pooling, clip and activation quantizer of one layer.

    `parameters` holds "weight" (Cout, Kh, Kw, Cin / groups), and "gamma", "beta", "bias" (Cout,) where the
    layer has them; `mean` and `var` are the running statistics; all of one float dtype. `convolution` is set
    by the network.

    The trunk is the float sum of the convolutions' results that add up in it; it is rounded to integers where
    the layer is frozen (:mod:`.frozen`). A layer of `positive_slopes` is trained as the original means it,
    with its batch normalization behind the pooling, and multiplies by the magnitude of gamma: so every one
    is equal to a layer with its batch normalization in front, as a network file has it.
    """

    convolution: Convolution

    def __init__(
        self,
        spec: LayerSpec,
        shapes: LayerShapes,
        bits: LayerBits,
        rng: np.random.Generator,
        dtype: np.dtype | type[np.floating],
    ):
        self.spec, self.bits = spec, bits
        self.in_shape, self.out_shape = shapes.in_shape, shapes.out_shape
        # In front of clip and quantizer, or behind them.
        self._pool, self._code_pool = spec.pool, None
        if spec.pool is not None and spec.pool.kind == "average_codes":
            self._pool, self._code_pool = None, spec.pool
        shape = spec.weights_shape(self.in_shape)
        # He initialization: keeps the variance through layers that zero half of their input.
        spread = np.sqrt(2 / np.prod(shape[1:]))
        weight = (rng.standard_normal(shape) * spread).astype(dtype)
        self.parameters: Parameters = {"weight": weight}
        if spec.bias:
            self.parameters["bias"] = np.zeros(spec.channels, dtype)
        if spec.norm:
            self.parameters["gamma"] = np.ones(spec.channels, dtype)
            self.parameters["beta"] = np.zeros(spec.channels, dtype)
            self.mean = np.zeros(spec.channels, dtype)
            self.var = np.ones(spec.channels, dtype)

    @property
    def shape(self) -> ConvolutionShape:
        """The layer's convolution, for a backend."""
        return convolution_shape(self.spec, self.in_shape, self.bits)

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        """The running statistics by name, the arrays themselves; empty without batch normalization."""
        return {"mean": self.mean, "var": self.var} if self.spec.norm else {}

    def forward(
        self, x: np.ndarray, step: int | None, added: np.ndarray | None
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """(output activations, trunk) for input activations x and the trunk `added`, if there is one.

        Activations (N, H, W, C) are codes or floats as `bits.yields` says, real scores for the last layer,
        None for a layer that yields its trunk only. With the batch's statistics in training step `step`, from
        0, with the running ones where it is None.
        """
        out = self.convolution.forward(x.reshape(len(x), *self.in_shape), step is not None)
        if added is not None:
            out += added
        trunk = out
        if not self.spec.codes:
            return None, trunk
        if self.spec.positive_slopes:
            out = self._normalized(self._pooled(out), step)
        else:
            out = self._pooled(self._normalized(out, step))
        if self.bits.yields is None:
            return out, trunk
        self.bounded = out
        out = bounded_activations(out, self.bits.yields)
        if self._code_pool is not None:
            out = pooling.sum_pool(out, self._code_pool)
            if self.bits.yields == FLOAT:
                out /= self._code_pool.area
        return out, trunk

    def backward(
        self,
        gradient: np.ndarray | None,
        of_trunk: np.ndarray | None,
        step: int,
        input_needed: bool,
    ) -> tuple[np.ndarray | None, np.ndarray, Parameters]:
        """Gradients of the input's real values (None unless `input_needed`), of the added trunk, and of the
        parameters by name.

        gradient, of_trunk: those of the real values of `forward`'s results in the training step `step`; None
        where nothing read them.
        """
        of_norm: Parameters = {}
        total = of_trunk
        if gradient is not None:
            gradient, of_norm = self._activations_backward(gradient)
            total = gradient if of_trunk is None else gradient + of_trunk
        assert total is not None
        in_gradient, gradients = self.convolution.backward(total, step, input_needed)
        return in_gradient, total, gradients | of_norm

    def _activations_backward(self, gradient: np.ndarray) -> tuple[np.ndarray, Parameters]:
        """Gradients of the trunk and of batch normalization's parameters from that of the activations."""
        if self._code_pool is not None:
            gradient = gradient / gradient.dtype.type(self._code_pool.area)
            gradient = pooling.sum_pool_backward(gradient, self.bounded.shape, self._code_pool)
        if self.bits.yields is not None:
            gradient = quantize_activations_backward(gradient, self.bounded)
        if self.spec.positive_slopes:
            gradient, of_norm = self._normalized_backward(gradient)
            return self._pooled_backward(gradient), of_norm
        return self._normalized_backward(self._pooled_backward(gradient))

    def _normalized(self, x: np.ndarray, step: int | None) -> np.ndarray:
        """Behind batch normalization, if the layer has one."""
        if not self.spec.norm:
            return x
        gamma, beta = self._gamma(), self.parameters["beta"]
        if step is None:
            return (x - self.mean) * (gamma / np.sqrt(self.var + x.dtype.type(NORM_EPS))) + beta
        x, normalized, sigma, mean, var = layers.batch_norm(x, gamma, beta, NORM_EPS)
        self._normal = normalized, sigma
        # A plain mean of the first batches, then a moving one: no trace of the start values.
        share = max(1 / (step + 1), NORM_SHARE)
        self.mean += share * (mean - self.mean)
        self.var += share * (var - self.var)
        return x

    def _normalized_backward(self, gradient: np.ndarray) -> tuple[np.ndarray, Parameters]:
        if not self.spec.norm:
            return gradient, {}
        gradient, of_gamma, of_beta = layers.batch_norm_backward(gradient, *self._normal, self._gamma())
        if self.spec.positive_slopes:
            of_gamma *= np.copysign(1, self.parameters["gamma"])
        return gradient, {"gamma": of_gamma, "beta": of_beta}

    def _gamma(self) -> np.ndarray:
        """The slopes of batch normalization."""
        gamma = self.parameters["gamma"]
        return np.abs(gamma) if self.spec.positive_slopes else gamma

    def _pooled(self, x: np.ndarray) -> np.ndarray:
        """Behind the pooling in front of the quantizer, if there is one."""
        self._conv_shape = x.shape
        if self._pool is None:
            return x
        if self._pool.kind == "max":
            x, self.position = pooling.max_pool(x, self._pool)
            return x
        return pooling.sum_pool(x, self._pool) / x.dtype.type(self._pool.area)

    def _pooled_backward(self, gradient: np.ndarray) -> np.ndarray:
        if self._pool is None:
            return gradient
        if self._pool.kind == "max":
            return pooling.max_pool_backward(gradient, self.position, self._conv_shape, self._pool)
        gradient = gradient / gradient.dtype.type(self._pool.area)
        return pooling.sum_pool_backward(gradient, self._conv_shape, self._pool)

    def freeze(self) -> Layer:
        """The layer for inference: weight codes and scale, running statistics, no float weights; a trunk
        without its rounding."""
        parameters = self.parameters
        codes, scale = quantize_weights(parameters["weight"], self.bits.weights)
        norm = None
        if self.spec.norm:
            norm = BatchNorm(
                gamma=self._gamma(), beta=parameters["beta"], mean=self.mean, var=self.var, eps=NORM_EPS
            )
        return replace(self.spec, add=None).layer(
            codes=codes,
            w_bits=self.bits.weights,
            scale=scale,
            bias=parameters.get("bias"),
            norm=norm,
            a_bits=self.bits.yields,
        )


def bounded_activations(r: np.ndarray, bits: int) -> np.ndarray:
    """Eq. 11: r clipped to [0, 1], then codes uint8 of `bits`; for 32 bits the clipped numbers.

    Rounds the product in the dtype of r, several times faster than the exact `quantizers` and
    different from it only within one rounding error of a tie.
    """
    r = np.clip(r, 0, 1)
    if bits == FLOAT:
        return r
    r *= r.dtype.type((1 << bits) - 1)
    return np.rint(r, out=r).astype(np.uint8)
